"""Vehicle inventory as a delimited file in the layout of Homenet/IOL, and the many files with the same family of names.

The layout has no column for demonstrators or certified stock classes: `Certified` beside `Type` says certified.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo

from streams.feeds.records import FeedRecord, Problem
from streams.feeds.rows import row_record
from streams.feeds.table import Header, read_row, rows


def read_vehicles(
    text: str, header: Header, dealer: str | None = None, updated_at: str | None = None, zone: tzinfo = UTC
) -> Iterator[FeedRecord | Problem]:
    """The vehicles of a file, and what is wrong with the rows that hold none.

    Args:
        text: the file, header line included.
        header: its header, by `table.header_of`.
        dealer: dealer id of rows that don't name one.
        updated_at: RFC 3339 time of rows that don't say when they changed.
        zone: of times without an offset.
    """
    for row in rows(text, header):
        reading = read_row(header, row, zone)
        fields = reading.fields
        certified = fields.pop("certified", None)
        if certified is True and fields.get("stock_class") in (None, "used"):
            fields["stock_class"] = "cpo"
        yield from row_record(header.kind, row.line, reading, dealer, updated_at)
