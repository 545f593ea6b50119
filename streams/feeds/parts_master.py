"""A parts master as a delimited file: what a DMS exports of the parts department's stock.

Layouts differ from dealer to dealer; the names met are in `columns/part.toml`. Two habits of these files have rules
here: monthly sales columns, and stock that was sold before it was received in.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, tzinfo

from streams.feeds import cells
from streams.feeds.records import FeedRecord, Problem
from streams.feeds.rows import row_record
from streams.feeds.table import Header, Place, RowReading, read_row, rows

_SCHEDULE_B = ("hsb", "schedule_b", "harmonized_tariff_sch_b", "harmonized_tariff_code_schedule_b")
"""Extra fields that hold an export number, by the headers of PIES and its flat templates (fact sheet 6.7)."""
_MONTH_BUCKET = re.compile(r"^(sales|sold|mo|month|demand|hist(?:ory)?)[\s_-]*0?([1-9]|1[0-2])$", re.IGNORECASE)


def demand_places(header: Header) -> tuple[Place, ...]:
    """The twelve columns of monthly sales (`Sales1` to `Sales12`, or another prefix), newest first; else none."""
    by_prefix: dict[str, dict[int, Place]] = {}
    for place in header.places:
        found = _MONTH_BUCKET.match(place.header)
        if found and place.column is None:
            by_prefix.setdefault(found[1].lower(), {})[int(found[2])] = place
    for months in by_prefix.values():
        if len(months) == 12:
            return tuple(months[month] for month in range(1, 13))
    return ()


def read_parts(
    text: str, header: Header, dealer: str | None = None, updated_at: str | None = None, zone: tzinfo = UTC
) -> Iterator[FeedRecord | Problem]:
    """The parts of a file, and what is wrong with the rows that hold none; arguments as `homenet.read_vehicles`."""
    buckets = demand_places(header)
    for row in rows(text, header):
        reading = read_row(header, row, zone)
        _demand(reading, row.line, buckets, row.cells)
        _oversold(reading, row.line)
        _export_code(reading)
        yield from row_record(header.kind, row.line, reading, dealer, updated_at)


def _demand(reading: RowReading, line: int, buckets: tuple[Place, ...], row: list[str]) -> None:
    """Sums the months into `demand_12m` where all twelve are readable; an empty month is not zero."""
    if not buckets or "demand_12m" in reading.fields:
        return
    months = [row[place.index] if place.index < len(row) else "" for place in buckets]
    try:
        amounts = [cells.number(month) for month in months if not cells.is_blank(month)]
    except ValueError as error:
        reading.problems.append(Problem(line, "demand_12m", f"a month's sales is {error}", fatal=False))
        return
    if len(amounts) == 12 and min(amounts) >= 0:
        reading.fields["demand_12m"] = sum(amounts)


def _export_code(reading: RowReading) -> None:
    """The six digits of an export number (Schedule B) as the tariff number of a part without one; the rest differs."""
    if "hts" in reading.fields:
        return
    for name in _SCHEDULE_B:
        written = reading.extras.get(name)
        with contextlib.suppress(ValueError):
            if isinstance(written, str) and len(number := cells.hts(written)) >= 7:
                reading.fields["hts"] = number[:7]
                return


def _oversold(reading: RowReading, line: int) -> None:
    """A negative quantity on hand means sold before it was received in: how many there are is not known."""
    quantity = reading.fields.get("qty_on_hand")
    if isinstance(quantity, int | float) and quantity < 0:
        del reading.fields["qty_on_hand"]
        reading.extras["feed_qty_on_hand"] = quantity
        reading.problems.append(
            Problem(line, "qty_on_hand", f"{quantity} on hand; published as not known", fatal=False)
        )
