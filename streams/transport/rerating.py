"""Bringing what a lane holds up to a new book, slice by slice, between live batches; never down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from streams.enrich.context import Context
from streams.instruments import LaneMetrics
from streams.policy.book import BookNumber
from streams.state.view import PartitionState
from streams.transport.pipeline import Unmoved
from streams.transport.rater import BookBehindError

if TYPE_CHECKING:
    from streams.transport.outbox import Draft
    from streams.transport.rater import Findings, Rater

SLICE_SECONDS = 0.010
"""About how long a slice is rated, and at most scanned, before live batches of all lanes have their turn."""
LEAST_RECORDS, MOST_RECORDS = 200, 2_000
"""Records of a slice however long they take, since a slice is a transaction, and of one in which next to nothing is
rated. On a busy machine a slice by time alone would hold a handful."""


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

    It needs no cursor on disk: each record says under which book it is right, and those of a lower one are rated. What
    is known to be right under the last book, and is told to be unmoved by the new one, only rises in number.
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
        self._records = LEAST_RECORDS
        self._keys: int | None = None
        self._passed = 0

    def is_at(self, book: BookNumber) -> bool:
        """Whether all that is held is right under `book`."""
        return self._reached is not None and self._reached.book.number == book

    def due(self) -> None:
        """A new book is in force: the time that re-rating takes counts from here."""
        self._metrics.rerate.begin(self._how_many(), self._metrics.now())

    def rate(self, draft: Draft, context: Context, since: datetime | None) -> Findings:
        """Scan and rate one slice into `draft`; `applied` goes on behind it once that is committed.

        Raises:
            BookBehindError: a record is held under a higher book than the context's.
        """
        if self._scanning is None or self._scanning.book.number != context.book.number:
            self._begin(context)
        part = self._state.scan(self._after, limit=self._records, below=context.book.number, seconds=SLICE_SECONDS)
        if part.above is not None:
            raise BookBehindError(part.above, context.book.number)
        found, rated = self._rater.rerate(
            part.records,
            draft,
            context,
            since,
            self._reached,
            self._unmoved,
            at_least=LEAST_RECORDS,
            seconds=SLICE_SECONDS,
        )
        if rated == len(part.records):
            self._next = (part.after, part.passed)
            self._records = min(MOST_RECORDS, self._records * 2)
        else:
            # The rest is scanned again: a live batch may come between.
            self._next = (part.records[rated - 1][0], part.passed * rated // len(part.records))
            self._records = max(rated, LEAST_RECORDS)
        return found

    def applied(self, found: Findings) -> None:
        """The slice is committed and in the state."""
        after, passed = self._next
        self._after = after
        self._passed += passed
        self._metrics.rerate.advance(passed, len(found.published) + len(found.rebooked))
        self._metrics.rerated(changed=len(found.published), unchanged=found.unchanged, notes=found.notes)
        if after is None:
            self._reached, self._scanning, self._unmoved = self._scanning, None, None
            self._keys = self._passed
            self._metrics.rerate.end(str(found.book), self._metrics.now())

    def _begin(self, context: Context) -> None:
        self._scanning, self._after, self._passed = context, None, 0
        before = self._reached
        same_data = before is not None and before.reference is context.reference
        self._unmoved = self._tell(before, context) if self._tell is not None and before and same_data else None
        self._metrics.rerate.begin(self._how_many(), self._metrics.now())

    def _how_many(self) -> int:
        """As many as the last scan passed; RocksDB's own guess counts a record once for each time it was written."""
        return self._state.estimate() if self._keys is None else self._keys
