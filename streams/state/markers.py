"""When tombstones' markers may be forgotten: entries in the meta data, `m`, Unix ms (big endian), key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final

from rocksdict import WriteBatch

from streams.state.codec.held import decode_marker, is_live
from streams.state.rocks import Database, pairs

_FIRST: Final = b"m"
_END: Final = b"n"
_WHEN: Final = Struct(">Q")
_FORGET_AT_ONCE: Final = 256


def entry(when_ms: int, key: bytes) -> bytes:
    """The meta data's key for a marker."""
    return _FIRST + _WHEN.pack(when_ms) + key


def stored(database: Database) -> Iterator[tuple[int, bytes]]:
    """When each may be forgotten and its key, in this order."""
    for found, _ in pairs(database.meta, _FIRST):
        if found >= _END:
            return
        yield _WHEN.unpack_from(found, 1)[0], found[1 + _WHEN.size :]


def forget(database: Database, batch: WriteBatch, written: Mapping[bytes, bytes], now_ms: int) -> int | None:
    """Delete markers that may be forgotten, some at a time; returns when to look again.

    `written`: the heads that `batch` puts, which the database doesn't know yet.
    """
    for number, (when_ms, key) in enumerate(stored(database)):
        if when_ms > now_ms or number >= _FORGET_AT_ONCE:
            return when_ms
        head = written.get(key) or database.heads.get(key)
        # The key may have come back since, or been removed again: then this entry is all that is left of it.
        is_its_own = head is not None and not is_live(head) and decode_marker(head).expires_ms == when_ms
        if is_its_own and key in written:
            continue
        batch.delete(entry(when_ms, key))
        if is_its_own:
            batch.delete(key, database.in_heads)
    return None
