"""Scans of a partition's state in key order, a slice at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from streams.policy.book import BookNumber
from streams.state.codec.held import book_text, decode_held, is_live
from streams.state.order import book_number
from streams.state.rocks import Database, pairs
from streams.state.view import Held, Slice

_STEPS_BEFORE_SEEK: Final = 4
_LOOK_EVERY: Final = 32


class _Standing(NamedTuple):
    """Of the records that one book is written on: the one they are right under, whether they are wanted, and whether
    that is the book of all that is held."""

    book: BookNumber
    is_wanted: bool
    is_reached: bool


def slices(
    database: Database,
    after: bytes | None,
    *,
    limit: int,
    below: BookNumber | None,
    seconds: float,
    canonical: bool,
    reached: BookNumber,
    leave_out: Callable[[bytes, bytes], bool] | None,
) -> Iterator[Slice]:
    """See PartitionState; `reached` is the book that all that is held is right under. The last has no `after`."""
    # From the smallest key after `after` on.
    heads = pairs(database.heads, None if after is None else after + b"\0")
    bodies = _Bodies(database) if canonical or leave_out is not None else None
    books: dict[bytes, _Standing] = {}
    is_through = False
    while not is_through:
        ends = time.perf_counter() + seconds
        records: list[tuple[bytes, Held]] = []
        passed = left_out = 0
        last: bytes | None = None
        for key, head in heads:
            passed += 1
            if is_live(head):
                text = book_text(head)
                standing = books.get(text)
                if standing is None:
                    standing = books[text] = _standing(text, below, reached)
                if standing.is_wanted:
                    body = bodies.of(key) if bodies is not None else None
                    if leave_out is not None and standing.is_reached and body is not None and leave_out(key, body):
                        left_out += 1
                    else:
                        records.append((key, decode_held(head, body if canonical else None, reached)))
            if len(records) >= limit or (not passed % _LOOK_EVERY and time.perf_counter() > ends):
                last = key
                break
        else:
            is_through = True
        yield Slice(records, last, passed, _above(books, below), left_out)


def _standing(text: bytes, below: BookNumber | None, reached: BookNumber) -> _Standing:
    book = max(book_number(text.decode()), reached)
    return _Standing(book, below is None or book < below, book == reached)


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


def _above(books: Mapping[bytes, _Standing], book: BookNumber | None) -> BookNumber | None:
    """The highest of these books where it is above `book`."""
    highest = max((one.book for one in books.values()), default=None)
    return highest if book is not None and highest is not None and highest > book else None
