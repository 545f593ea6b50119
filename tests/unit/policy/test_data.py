"""Every rate and date of the data is held by a test: typed twice, and a mutant of any is noticed."""

from __future__ import annotations

from datetime import date

import pytest

from streams.policy.book import build_book
from streams.reference.trade import load_trade

from .golden import TABLES
from .golden_rows import check, parse
from .mutation import mutants
from .record_text import differences


def test_rates_and_dates_are_those_typed_from_the_fact_sheet() -> None:
    assert differences(load_trade()) == []


def test_a_change_of_any_single_rate_or_date_is_noticed() -> None:
    found = list(mutants(load_trade()))
    assert len(found) > 1000
    assert [str(mutant) for mutant in found if not differences(mutant.trade)] == []


@pytest.mark.parametrize(
    "record",
    ["301-EV", "301-MAG", "232-AUTO", "232-PART", "232-EU-V", "232-JP-P", "S122", "S301-FL-JP", "S338-CA", "232-MHDV"],
)
def test_a_change_of_a_rate_or_of_the_days_in_force_moves_a_total_of_the_fact_sheet(record: str) -> None:
    rows = [row for name, table in TABLES.items() if name != "known" for row in parse(table)]
    goods = {(row.line, row.origin) for row in rows if record in row.text}
    near = [row for row in rows if (row.line, row.origin) in goods]
    found = [
        mutant
        for mutant in mutants(load_trade())
        if mutant.record == record and mutant.field.startswith(("rate ", "effective_"))
    ]
    assert found
    for mutant in found:
        book = build_book(mutant.trade, date(2026, 11, 24))
        assert any(check(row, book) is not None for row in near), str(mutant)
