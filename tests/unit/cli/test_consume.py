"""What the reference consumer shows of the flags that are open."""

from __future__ import annotations

from collections import Counter
from io import StringIO

from rich.console import Console

from streams.cli.consume import _table


class Store:
    """Open flags of every type with amounts as large as a dealer group's."""

    def open_flags(self) -> list[tuple[str, str, str, str, int, int, int]]:
        return [
            ("stockout_before_supply", "parts", "critical", "stop_sale", 99_999, 19_999_999_999, 99_999),
            ("replacement_cost_up", "new", "warning", "hold", 1, -100, 0),
        ]


def test_it_fits_a_terminal_of_eighty_columns_and_no_amount_is_cut() -> None:
    console = Console(width=80, file=StringIO(), highlight=False)
    console.print(_table(Store(), Counter()))  # type: ignore[arg-type]  # what the table asks of a store
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "…" not in text
    assert "199,999,999.99" in text
    assert all(len(line) <= 80 for line in text.splitlines())
