"""A lot's difference under two books, for a person and for a program: tables, JSON, CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.cli._lot_difference import DIMENSIONS, Control, LotDifference, Row

if TYPE_CHECKING:
    from rich.console import Console

ROWS = 12
"""Rows of a table; the rest is one row of others."""
COLUMNS = ("low", "central", "high")
WIDE = 100
"""Columns of a terminal in which a table has room for all its amounts."""


def usd(amount: int) -> str:
    """Cents as `"1234.56"`."""
    return f"{'-' * (amount < 0)}{abs(amount) // 100}.{abs(amount) % 100:02d}"


def document(lot: LotDifference) -> dict[str, Any]:
    """All sums. Dollars are decimal strings, ranges [low, central, high], of the records whose duty changes."""
    kinds: dict[str, Any] = {}
    for kind, names in DIMENSIONS.items():
        kinds[f"{kind}s"] = {
            "total": _row(lot.total[kind]),
            "landed": _row(lot.landed[kind], counts=False),
            **{f"by_{name}": {key: _row(row) for key, row in _sorted(lot.by[kind, name])} for name in names},
        }
    return {
        **kinds,
        "controlled": {measure: _control(lot, control) for measure, control in sorted(lot.controlled.items())},
        "released": {measure: _control(lot, control) for measure, control in sorted(lot.released.items())},
        "flags": {"raised": dict(lot.flags_raised), "cleared": dict(lot.flags_cleared)},
    }


def write_csv(lot: LotDifference, path: Path) -> None:
    """One line a group of each dimension, importer's duty at replacement."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["goods", "dimension", "group", "records", "changed", "moved", "unknown"]
            + [f"{when}_{column}_usd" for when in ("before", "after", "difference") for column in COLUMNS]
        )
        for kind, name, group, row in _all_rows(lot):
            amounts = [usd(one) for sums in (row.before, row.after, row.difference) for one in sums]
            table.writerow([kind, name, group, row.units, row.changed, row.moved, row.unknown, *amounts])


def show(lot: LotDifference, console: Console) -> None:
    """Print what changes, the largest first."""
    from rich.table import Table

    changed = {kind: lot.total[kind].changed for kind in DIMENSIONS}
    console.print(
        f"{changed['vehicle']:,} of {lot.total['vehicle'].units:,} vehicles and {changed['part']:,} of "
        f"{lot.total['part'].units:,} part records change"
    )
    for kind, names in DIMENSIONS.items():
        total, landed = lot.total[kind], lot.landed[kind]
        if not (total.moved or total.unknown or landed.moved or landed.unknown):
            continue
        what = "vehicles" if kind == "vehicle" else "parts on hand"
        console.print(
            f"\n[bold]{what}[/]: importer's duty if replaced {_signed(total.difference[1])} "
            f"({_signed(total.difference[0])} to {_signed(total.difference[2])})"
            + (f", {total.unknown:,} can't be said" if total.unknown else "")
            + (f"; on what has landed: {', '.join(_landed(landed))}" if landed.moved or landed.unknown else "")
        )
        for name in names:
            rows = [(group, row) for group, row in _sorted(lot.by[kind, name]) if row.moved or row.unknown]
            if not rows:
                continue
            table = Table(box=None, pad_edge=False)
            table.add_column(name)
            # Before and after are of the records that moved alone; a narrow terminal has no room for them.
            wide = console.width >= WIDE
            for column in ("records", "moved", *(("before", "after") if wide else ()), "difference", "low", "high"):
                table.add_column(column, justify="right", no_wrap=True)
            for group, row in _folded(rows):
                low, central, high = row.difference
                table.add_row(
                    group, f"{row.units:,}", f"{row.moved:,}",
                    *((_short(row.before[1]), _short(row.after[1])) if wide else ()),
                    _signed(central), _signed(low), _signed(high),
                )  # fmt: skip
            console.print(table)
    for verb, controls in (("reaches", lot.controlled), ("no longer reaches", lot.released)):
        for measure, control in sorted(controls.items()):
            console.print("\n" + _control_text(lot, measure, verb, control), highlight=False)
    for verb, counts in (("raised", lot.flags_raised), ("cleared", lot.flags_cleared)):
        if counts:
            console.print(f"flags {verb}: " + ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common()))
    if lot.refused:
        console.print(f"{lot.refused:,} records of the lot can't be rated again and are left out")


def _landed(row: Row) -> Iterator[str]:
    if row.moved:
        yield _signed(row.difference[1])
    if row.unknown:
        yield f"{row.unknown:,} can't be said"


def _control_text(lot: LotDifference, measure: str, verb: str, control: Control) -> str:
    grams = ", ".join(f"{element} {mass[1]:,.0f} g" for element, mass in control.grams.items())
    china, outside = (lot.control_value(control, market)[1] for market in ("china", "outside_china"))
    return (
        f"[bold]{measure}[/] {verb} {control.records['vehicle']:,} vehicles and {control.records['part']:,} part "
        f"records ({control.units:,.0f} units): {grams}, worth {_short(china)} in China and {_short(outside)} outside"
        + (f"; {control.without_quantity:,} records have no quantity" if control.without_quantity else "")
    )


def _control(lot: LotDifference, control: Control) -> dict[str, Any]:
    return {
        "vehicles": control.records["vehicle"],
        "parts": control.records["part"],
        "units": control.units,
        "records_without_quantity": control.without_quantity,
        "grams": {element: [round(one, 3) for one in mass] for element, mass in control.grams.items()},
        "value_usd": {
            "china": [usd(one) for one in lot.control_value(control, "china")],
            "outside_china": [usd(one) for one in lot.control_value(control, "outside_china")],
        },
    }


def _row(row: Row, *, counts: bool = True) -> dict[str, Any]:
    sums = {"before": row.before, "after": row.after, "difference": row.difference}
    amounts = {f"{name}_usd": [usd(one) for one in amount] for name, amount in sums.items()}
    head = {"records": row.units} if counts else {}
    return {**head, "changed": row.changed, "moved": row.moved, "unknown": row.unknown, **amounts}


def _all_rows(lot: LotDifference) -> Iterator[tuple[str, str, str, Row]]:
    for kind, names in DIMENSIONS.items():
        yield kind, "total", "", lot.total[kind]
        for name in names:
            for group, row in _sorted(lot.by[kind, name]):
                yield kind, name, group, row


def _sorted(rows: dict[str, Row]) -> list[tuple[str, Row]]:
    return sorted(rows.items(), key=lambda one: (-abs(one[1].difference[1]), -one[1].changed, one[0]))


def _folded(rows: list[tuple[str, Row]]) -> list[tuple[str, Row]]:
    if len(rows) <= ROWS + 1:
        return rows
    others = Row()
    for _, row in rows[ROWS:]:
        others.units += row.units
        others.changed += row.changed
        others.moved += row.moved
        others.unknown += row.unknown
        for column in range(3):
            others.before[column] += row.before[column]
            others.after[column] += row.after[column]
    return [*rows[:ROWS], (f"{len(rows) - ROWS} others", others)]


def _short(amount: int) -> str:
    return f"{'-' * (amount < 0)}${abs(amount) / 100:,.0f}"


def _signed(amount: int) -> str:
    return ("+" if amount > 0 else "") + _short(amount)
