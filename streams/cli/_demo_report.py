"""What the demo shows at its end: the enriched topics, added up the way a dealer asks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

Cents = list[int]

ROWS = 14
"""Rows of a table; what is beyond is one row of others."""
WIDTH = 78
"""Of the tables, so that titles stay on a line."""
THOUSAND_DOLLARS = 100_000
MILLION_DOLLARS = 100_000_000
"""Units of a table's amounts, in cents."""


@dataclass(slots=True)
class Line:
    """Sums of one row; ranges are [low, central, high] in cents, masses in grams."""

    records: int = 0
    magnet_grams: float = 0.0
    landed: Cents = field(default_factory=lambda: [0, 0, 0])
    replacement: Cents = field(default_factory=lambda: [0, 0, 0])
    unknown: int = 0
    """Records whose replacement duty can't be said although one is owed or may be."""

    def add(self, record: Mapping[str, Any], duties: Mapping[str, Any], quantity: float = 1) -> None:
        """Take one enriched record in, `quantity` units of it."""
        self.records += 1
        exposure = record["exposure"]
        if exposure is not None:
            self.magnet_grams += exposure["magnet_rare_earth_g"][1] * quantity
        for name, total in (("landed", self.landed), ("replacement", self.replacement)):
            for column, dollars in enumerate(duties[name] or ()):
                total[column] += cents(dollars)

    def merge(self, other: Line) -> None:
        """Add another row to this one."""
        self.records += other.records
        self.magnet_grams += other.magnet_grams
        self.unknown += other.unknown
        for column in range(3):
            self.landed[column] += other.landed[column]
            self.replacement[column] += other.replacement[column]


@dataclass(slots=True)
class LotSums:
    """The lot, added up."""

    vehicles: dict[tuple[str, str], Line] = field(default_factory=lambda: defaultdict(Line))
    parts: dict[str, Line] = field(default_factory=lambda: defaultdict(Line))
    missing: Counter[str] = field(default_factory=Counter)
    book: str = ""

    @property
    def records(self) -> int:
        """All records added up."""
        return sum(line.records for lines in (self.vehicles, self.parts) for line in lines.values())


def cents(dollars: str) -> int:
    """`"12.34"` as 1234."""
    whole, _, fraction = dollars.partition(".")
    value = abs(int(whole)) * 100 + int((fraction + "00")[:2])
    return -value if whole.startswith("-") else value


def add_vehicle(sums: LotSums, record: Mapping[str, Any]) -> None:
    """Take an enriched vehicle in."""
    duty = record["tariff"]["importer_duty"]
    line = sums.vehicles[record["origin"]["country"] or "unknown", record["decoded"]["powertrain"]]
    line.add(record, {view: duty[view] and duty[view]["total_usd"] for view in ("landed", "replacement")})
    if record.get("stock_class") not in ("used", "cpo") and (duty["replacement"] or {}).get("total_usd") is None:
        line.unknown += 1
    sums.missing.update(record["missing_facts"])
    sums.book = max(sums.book, record["book"])


def add_part(sums: LotSums, record: Mapping[str, Any]) -> None:
    """Take an enriched part in, with its quantity on hand."""
    line = sums.parts[record.get("family") or "unknown"]
    quantity = record.get("qty_on_hand") or 0
    line.add(record, record["extended"] or {"landed": None, "replacement": None}, quantity)
    if record["tariff"]["importer_duty"]["replacement"] is None:
        line.unknown += 1
    sums.missing.update(record["missing_facts"])


def show(console: Console, sums: LotSums) -> None:
    """Print the tables."""
    _show_vehicles(console, sums)
    _show_parts(console, sums)
    table = Table(title="What is not known", caption="A missing fact widens a range; it never becomes zero.")
    table.add_column("missing fact")
    table.add_column("records", justify="right")
    for fact, count in sums.missing.most_common(ROWS):
        table.add_row(fact, f"{count:,}")
    console.print(table)


def _table(title: str, unit: str, *first: str) -> Table:
    """A table that fits a terminal of 80 columns; `first`: the heads of its own columns, the count last."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, min_width=WIDTH)
    for number, head in enumerate(first, 1):
        table.add_column(head, justify="right" if number == len(first) else "left", overflow="fold")
    table.add_column("magnets:\nREE, kg", justify="right")
    table.add_column(f"duty landed,\n{unit} (low-high)", justify="right")
    table.add_column(f"replaced now,\n{unit} (low-high)", justify="right")
    table.add_column("can't\nsay", justify="right")
    return table


def _cells(line: Line, unit_cents: int) -> tuple[str, ...]:
    return (
        f"{line.magnet_grams / 1000:,.1f}",
        _range(line.landed, unit_cents),
        _range(line.replacement, unit_cents),
        f"{line.unknown:,}",
    )


def _show_vehicles(console: Console, sums: LotSums) -> None:
    table = _table(
        f"Vehicles by origin and powertrain, importer's duty (book {sums.book})",
        "$m",
        "origin",
        "drive",
        "vehicles",
    )
    table.caption = "Importer's duty is what the importer of record owes at entry; it is not a change of your invoice."
    rows = sorted(sums.vehicles.items(), key=lambda row: (-row[1].replacement[1], -row[1].records, row[0]))
    for (origin, powertrain), line in rows[:ROWS]:
        table.add_row(origin, powertrain, *_with_count(line, MILLION_DOLLARS))
    if len(rows) > ROWS:
        others = _sum(line for _, line in rows[ROWS:])
        table.add_row("others", f"{len(rows) - ROWS}", *_with_count(others, MILLION_DOLLARS))
    table.add_section()
    table.add_row("all", "", *_with_count(_sum(sums.vehicles.values()), MILLION_DOLLARS))
    console.print(table)


def _show_parts(console: Console, sums: LotSums) -> None:
    table = _table("Parts on hand by family, importer's duty", "$1,000", "family", "parts")
    rows = sorted(sums.parts.items(), key=lambda row: (-row[1].magnet_grams, -row[1].replacement[1], row[0]))
    for family, line in rows[:ROWS]:
        table.add_row(family, *_with_count(line, THOUSAND_DOLLARS))
    if len(rows) > ROWS:
        table.add_row(
            f"{len(rows) - ROWS} others", *_with_count(_sum(line for _, line in rows[ROWS:]), THOUSAND_DOLLARS)
        )
    table.add_section()
    table.add_row("all", *_with_count(_sum(sums.parts.values()), THOUSAND_DOLLARS))
    console.print(table)


def _with_count(line: Line, unit_cents: int) -> tuple[str, ...]:
    return (f"{line.records:,}", *_cells(line, unit_cents))


def _sum(lines: Iterable[Line]) -> Line:
    total = Line()
    for line in lines:
        total.merge(line)
    return total


def _range(amounts: Cents, unit_cents: int) -> str:
    """`central (low-high)`."""
    low, central, high = (f"{amount / unit_cents:,.1f}" for amount in amounts)
    return f"{central} ({low}-{high})"
