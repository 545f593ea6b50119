"""A partition's totals in the meta data: `t/` and the cell for each cell's sums, `told` for what of them was told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import orjson
from rocksdict import WriteBatch

from streams.enrich.totals import Totals
from streams.state.rocks import Database, pairs

_CELLS: Final = b"t/"
_END: Final = b"t0"
_TOLD: Final = b"told"


def stored(database: Database) -> Totals:
    """The totals as they were put."""
    told = database.meta.get(_TOLD)
    rows: list[tuple[bytes, list[int]]] = []
    for entry, sums in pairs(database.meta, _CELLS):
        if entry >= _END:
            break
        rows.append((entry[len(_CELLS) :], orjson.loads(sums)))
    return Totals(rows, int(told) if told is not None else None)


def put(batch: WriteBatch, totals: Totals) -> None:
    """Put what has changed since the last time."""
    for cell, sums in totals.rows():
        batch.put(_CELLS + cell, orjson.dumps(sums))


def put_told(batch: WriteBatch, change: int, gone: Iterable[bytes]) -> None:
    """Up to which change they were told, and which cells may be forgotten with it."""
    for cell in gone:
        batch.delete(_CELLS + cell)
    batch.put(_TOLD, b"%d" % change)


def put_untold(batch: WriteBatch) -> None:
    """It isn't known any more what was told."""
    batch.delete(_TOLD)
