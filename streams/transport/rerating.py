"""Bringing what a lane holds up to a new book, slice by slice, beside live batches; never down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Final

from streams.enrich.context import Context
from streams.instruments import LaneMetrics
from streams.policy.book import BookNumber
from streams.state.view import PartitionState
from streams.transport.pace import TURN_SECONDS
from streams.transport.pipeline import Unmoved
from streams.transport.rater import BookBehindError, Findings

if TYPE_CHECKING:
    from streams.transport.outbox import Draft
    from streams.transport.rater import Rater

AT_ONCE: Final = 32
"""Records rated at a time before others have their turn: a few milliseconds of them."""
MOST_RECORDS: Final = 2_000
"""Records of a draft, flags counted: a transaction of some megabytes."""


class RerateSlot:
    """One slice at a time in a process: lanes that find it taken are woken when it is free, and try again."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: list[Callable[[], None]] = []

    def take(self, wake: Callable[[], None]) -> bool:
        """Take it, or have `wake` called when it is free."""
        if self._taken:
            self._waiting.append(wake)
            return False
        self._taken = True
        return True

    def free(self) -> None:
        """Give it back and wake everybody: who was woken may have a live batch to do first."""
        self._taken = False
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()


class Rerating:
    """One lane's way through its records, from the first key to the last, under the book in force.

    It needs no cursor on disk: a record that was published again says so by its book, and when all have been looked at
    the state notes what they have reached. What was right under that, and is told to be unmoved by the next book, is
    passed over.
    """

    def __init__(
        self, state: PartitionState, rater: Rater, metrics: LaneMetrics, unmoved: Unmoved | None = None
    ) -> None:
        self._state = state
        self._rater = rater
        self._metrics = metrics
        self._tell = unmoved
        self._reached: Context | None = None
        """The last book under which everything held was brought."""
        self._scanning: Context | None = None
        self._unmoved: Callable[[bytes, bytes], bool] | None = None
        self._after: bytes | None = None
        self._next: tuple[bytes | None, int] = (None, 0)
        self._keys: int | None = None
        self._passed = 0

    def is_at(self, book: BookNumber) -> bool:
        """Whether all that is held is right under `book`."""
        return self._reached is not None and self._reached.book.number == book

    def due(self) -> None:
        """A new book is in force: the time that re-rating takes counts from here."""
        self._metrics.rerate.begin(self._how_many(), self._metrics.now())

    async def rate(
        self,
        draft: Draft,
        context: Context,
        since: datetime | None,
        *,
        seconds: float,
        besides: Container[bytes] = (),
        enough: Callable[[], bool] = lambda: False,
    ) -> Findings:
        """Scan and rate one slice into `draft`; `applied` goes on behind it once that is committed.

        It takes about `seconds`, less where `enough` says so after a turn. `besides`: keys that stand in the draft
        already, as they are under the context's book.

        Raises:
            BookBehindError: a record is held under a higher book than the context's; nothing is drafted.
        """
        book = context.book.number
        if self._scanning is None or self._scanning.book.number != book:
            self._begin(context)
        if self._state.reached > book:
            raise BookBehindError(self._state.reached, book)
        found = Findings(draft, book)
        self._next = (None, 0)
        if self._state.reached == book:
            return found
        after, passed = self._after, 0
        ends = time.perf_counter() + seconds
        # Closed whatever happens: an open scan keeps the files of a partition that is taken away.
        with closing(
            self._state.slices(after, limit=AT_ONCE, below=book, seconds=TURN_SECONDS, leave_out=self._unmoved)
        ) as parts:
            for part in parts:
                if part.above is not None:
                    if passed:
                        # What is drafted may be in a live batch's draft and goes out with it: the next slice says so.
                        break
                    raise BookBehindError(part.above, book)
                self._rater.rerate(found, [one for one in part.records if one[0] not in besides], context, since)
                found.unchanged += part.left_out
                after, passed = part.after, passed + part.passed
                if draft.records >= MOST_RECORDS or time.perf_counter() > ends or enough():
                    break
                await asyncio.sleep(0)
        self._next = (after, passed)
        return found

    def applied(self, found: Findings) -> None:
        """The slice is committed and in the state."""
        after, passed = self._next
        self._after = after
        self._passed += passed
        self._metrics.rerate.advance(passed, len(found.published) + found.unchanged)
        self._metrics.rerated(changed=len(found.published), unchanged=found.unchanged, notes=found.notes)
        if after is None:
            self._state.reach(found.book)
            self._reached, self._scanning, self._unmoved = self._scanning, None, None
            self._keys = self._passed or None
            self._metrics.rerate.end(str(found.book), self._metrics.now())

    def _begin(self, context: Context) -> None:
        self._scanning, self._after, self._passed = context, None, 0
        before = self._reached
        knows = (
            before is not None
            and before.reference is context.reference
            and before.book.number == self._state.reached
        )  # fmt: skip
        self._unmoved = self._tell(before, context) if self._tell is not None and before is not None and knows else None
        self._metrics.rerate.begin(self._how_many(), self._metrics.now())

    def _how_many(self) -> int:
        """As many as the last scan passed; RocksDB's own guess counts a record once for each time it was written."""
        return self._state.estimate() if self._keys is None else self._keys
