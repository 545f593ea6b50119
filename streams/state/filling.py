"""A new state while it is built from its topic, up to the end in one go.

Nothing of it is worth keeping until it is whole, so it is written without RocksDB's log, and a worker that is killed
meanwhile leaves records without a checkpoint: the next one begins anew. Most records are the only ones of their key:
those are taken apart a slice at a time, and the state is not asked for what it holds under their keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.cloudevents import ORDER
from streams.compiled import COMPILED
from streams.enrich import contribution
from streams.state.layout import HEADER
from streams.state.slices import PublishedRecord, Rows

if TYPE_CHECKING or not COMPILED:
    from streams.state.slices import take_apart
else:
    from streams._compiled import take_apart

__all__ = ["Filling", "Fresh", "take_apart"]

_SLOTS: Final = 1 << 21
"""Two megabytes for each partition that is filled; of 500,000 keys an eighth is looked up in vain."""


class Fresh(NamedTuple):
    """Records of keys that were not there before, and the sums of their contributions."""

    rows: Rows
    sums: list[contribution.Part]


class Filling:
    """Knows which keys can't be in the state yet."""

    def __init__(self) -> None:
        self._seen = bytearray(_SLOTS)

    def take_apart(self, records: Iterable[PublishedRecord]) -> tuple[Fresh, Iterable[PublishedRecord]]:
        """The records of new keys, and those for which the state has to be asked, to be taken in after them."""
        rows, sums, others = take_apart(records, self._seen, ORDER, HEADER, contribution.HEADER)
        if all(len(numbers) == contribution.amounts_of(cell) for cell, numbers in sums.items()):
            return Fresh(rows, [contribution.Part(numbers, cell) for cell, numbers in sums.items()]), others
        # One of them is no contribution, and it is already in its record's head.
        return Fresh([], []), records
