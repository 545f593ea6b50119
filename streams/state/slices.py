"""A slice of published records taken apart for a state that is filled; `streams/_compiled.c` does the same, faster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import add
from typing import Protocol

from streams.enrich import contribution
from streams.state.codec.held import published_head


class PublishedRecord(Protocol):
    """What the state reads of a record of the enriched topic."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


Rows = list[tuple[bytes, bytes, bytes]]
"""Key, head and canonical record of each."""


def take_apart(
    records: Iterable[PublishedRecord], seen: bytearray, order_name: str, layout_name: str, adds_name: str
) -> tuple[Rows, dict[bytes, list[int]], list[PublishedRecord]]:
    """Records of new keys, the sums of their amounts by cell, and the other records, to be taken in after these.

    `seen` has a mark for the hash of each key that has come by, and gets those of these; a key without one is new.
    Others are tombstones, what `published_head` knows nothing of, and records with a contribution that is none. The
    names are those of the headers. Whether a cell goes with its amounts isn't looked at.
    """
    slots = len(seen)
    rows: Rows = []
    sums: dict[bytes, list[int]] = {}
    others: list[PublishedRecord] = []
    for record in records:
        row = None
        key = record.key
        if key is not None:
            slot = hash(key) % slots
            if not seen[slot]:
                # Whatever becomes of the record: the next one of this key stands behind it.
                seen[slot] = 1
                headers = dict(record.headers)
                order, layout = headers.get(order_name), headers.get(layout_name)
                adds = headers.get(adds_name) or contribution.NOTHING
                part = contribution.checked(adds) if adds else None
                if record.value is not None and order and layout and (part is not None or not adds):
                    row = published_head(record.value, layout, order, adds)
        if key is None or row is None:
            others.append(record)
            continue
        rows.append((key, *row))
        if part is not None:
            before = sums.get(part.cell)
            sums[part.cell] = part.numbers if before is None else list(map(add, before, part.numbers))
    return rows, sums, others
