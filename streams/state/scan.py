"""Scans of a partition's state in key order, a slice at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from streams.policy.book import BookNumber
from streams.state.codec.held import book_text, decode_held, is_live
from streams.state.order import book_number
from streams.state.rocks import Database, pairs
from streams.state.view import Held, Slice

_STEPS_BEFORE_SEEK: Final = 4
_LOOK_EVERY: Final = 32


def scan(
    database: Database,
    after: bytes | None,
    *,
    limit: int,
    below: BookNumber | None,
    seconds: float,
    canonical: bool,
) -> Slice:
    """See PartitionState."""
    ends = time.perf_counter() + seconds
    # The smallest key after `after`.
    first = None if after is None else after + b"\0"
    lower: dict[bytes, bool] = {}
    records: list[tuple[bytes, Held]] = []
    passed = 0
    bodies = _Bodies(database) if canonical else None
    for key, head in pairs(database.heads, first):
        passed += 1
        if is_live(head):
            wanted = True
            if below is not None:
                text = book_text(head)
                is_lower = lower.get(text)
                if is_lower is None:
                    is_lower = lower[text] = book_number(text.decode()) < below
                wanted = is_lower
            if wanted:
                records.append((key, decode_held(head, bodies.of(key) if bodies is not None else None)))
        if len(records) >= limit or (not passed % _LOOK_EVERY and time.perf_counter() > ends):
            return Slice(records, key, passed, _above(lower, below))
    return Slice(records, None, passed, _above(lower, below))


class _Bodies:
    """Canonical records beside a scan of the heads: both are in key order, so most are the next one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._items = pairs(database.canonical, None)
        self._ahead: tuple[bytes, bytes] | None = None
        self._started = False

    def of(self, key: bytes) -> bytes | None:
        if not self._started:
            self._started = True
            self._seek(key)
        for _ in range(_STEPS_BEFORE_SEEK):
            ahead = self._ahead
            if ahead is None or ahead[0] > key:
                return None
            if ahead[0] == key:
                self._ahead = next(self._items, None)
                return ahead[1]
            self._ahead = next(self._items, None)
        self._seek(key)
        return self._ahead[1] if self._ahead is not None and self._ahead[0] == key else None

    def _seek(self, key: bytes) -> None:
        self._items = pairs(self._database.canonical, key)
        self._ahead = next(self._items, None)


def _above(texts: Iterable[bytes], book: BookNumber | None) -> BookNumber | None:
    """The highest of these books where it is above `book`."""
    highest = max((book_number(text.decode()) for text in texts), default=None)
    return highest if book is not None and highest is not None and highest > book else None
