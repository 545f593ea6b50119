"""A new state while it is built from its topic, up to the end in one go.

Nothing of it is worth keeping until it is whole, so it is written without RocksDB's log, and a worker that is killed
meanwhile leaves records without a checkpoint: the next one begins anew. Most records are the only ones of their key,
and those are taken apart a slice at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from schemas.cloudevents import ORDER
from streams.enrich import contribution
from streams.state.codec.held import published_heads
from streams.state.layout import HEADER

_SLOTS: Final = 1 << 21
"""Two megabytes for each partition that is filled, and a seventh of 500,000 keys looked up in vain."""


class PublishedRecord(Protocol):
    """What the state reads of a record of the enriched topic."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Fresh(NamedTuple):
    """Records of keys that were not there before: key, head and canonical record of each, and their sums by cell."""

    rows: Sequence[tuple[bytes, tuple[bytes, bytes]]]
    sums: dict[bytes, list[int]]


class Filling:
    """Knows which keys can't be in the state yet."""

    def __init__(self) -> None:
        self._seen = bytearray(_SLOTS)
        """A mark for the hash of each key: one without is not there."""

    def take_apart(self, records: Iterable[PublishedRecord]) -> tuple[Fresh, Iterable[PublishedRecord]]:
        """The records of new keys, and those for which the state has to be asked, to be taken in after them."""
        seen = self._seen
        keys: list[bytes] = []
        values: list[bytes] = []
        layouts: list[bytes] = []
        orders: list[bytes] = []
        adds: list[bytes] = []
        others: list[PublishedRecord] = []
        for record in records:
            key, value = record.key, record.value
            if key is not None:
                slot = hash(key) % _SLOTS
                if not seen[slot]:
                    # Whatever becomes of the record: the next one of this key stands behind it.
                    seen[slot] = 1
                    headers = dict(record.headers)
                    order, layout = headers.get(ORDER), headers.get(HEADER)
                    # A body written anew for its producer's names has to be parsed.
                    if value is not None and order is not None and layout is not None and layout[:1] != b"-":
                        keys.append(key)
                        values.append(value)
                        layouts.append(layout)
                        orders.append(order)
                        adds.append(headers.get(contribution.HEADER) or contribution.NOTHING)
                        continue
            others.append(record)
        if not keys:
            return _NONE, others
        heads = published_heads(values, layouts, orders, adds)
        sums = contribution.summed(list(filter(None, adds)))
        if heads is None or sums is None:
            return _NONE, records
        return Fresh(list(zip(keys, heads, strict=True)), sums), others


_NONE: Final = Fresh((), {})
