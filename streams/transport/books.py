"""The book in force: which context a batch is rated under."""

from __future__ import annotations

import logging
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.clock import Clock
from streams.enrich.context import Context
from streams.enrich.warming import warm
from streams.policy.book import Book, BookNumber, build_book
from streams.reference import Reference
from streams.reference.trade import TradeReference
from streams.reference.trade_records import MeasureRecord

log = logging.getLogger(__name__)

US_EASTERN = ZoneInfo("America/New_York")
"""US measures begin and end at 12:01 a.m. here (fact sheet 0)."""
LOOK_EVERY_SECONDS = 0.25
"""How often the clock is asked whether a day has passed."""

Listener = Callable[[Book], None]


class Prepared(NamedTuple):
    """A book made ahead of the moment it is put in force; made on `today`, from `overrides`.

    `published`: when the last record that counts was published, by Kafka's clock; None where none is.
    """

    overrides: tuple[MeasureRecord, ...]
    published: datetime | None
    today: date
    context: Context
    steps: Iterator[None]
    """What its first records would make, to be made in advance, a step at a time; see `streams.enrich.warming`."""


def book_on(
    trade: TradeReference,
    today: date,
    overrides: Sequence[MeasureRecord] = (),
    *,
    epoch: int = 0,
    offset: int = -1,
    as_known_then: bool = False,
) -> Book:
    """The book in force today. Its day is its regime date, the latest boundary that has passed, and never today.

    So two workers that started on different days under one book number say the same of the same record.
    `as_known_then`: only what had been published by that day counts, for demo and replay.

    Raises:
        ReferenceError: the overrides don't fit together or with the files.
    """

    def on(day: date) -> Book:
        known_at = day if as_known_then else None
        return build_book(trade, day, overrides, epoch=epoch, offset=offset, known_at=known_at)

    return on(on(today).number.regime)


class Books:
    """Keeps the context of the book in force; a policy event or a date boundary that passes makes a new one.

    Belongs to one event loop, all but `prepare`. Books only rise: a clock that is set back leaves the book where it is.
    """

    def __init__(
        self,
        reference: Reference,
        clock: Clock,
        changed: Listener | None = None,
        *,
        as_known_then: bool = False,
    ) -> None:
        """`changed` is called as if given to `on_change`, and with the first book too."""
        self.reference = reference
        self._clock = clock
        self._as_known_then = as_known_then
        self._listeners: list[Listener] = []
        self._overrides: tuple[MeasureRecord, ...] = ()
        self._epoch, self._offset = 0, -1
        self._published: datetime | None = None
        self._today = self._ask()
        book = self._book()
        self._next = self._boundary_after(book)
        self._context = Context(reference, book)
        self._looked = time.monotonic()
        if changed is not None:
            changed(book)
            self.on_change(changed)

    @property
    def number(self) -> BookNumber:
        """Number of the book reached."""
        return self._context.book.number

    def on_change(self, listener: Listener) -> None:
        """Have `listener` called with each new book, once it is in force, on the loop that made it."""
        self._listeners.append(listener)

    def context(self) -> Context:
        """The context of the book in force now; asked once a batch."""
        now = time.monotonic()
        if now - self._looked > LOOK_EVERY_SECONDS:
            self._looked = now
            self.look()
        return self._context

    def look(self) -> None:
        """Ask the clock whether a date boundary has passed, and make the new book if so."""
        today = self._ask()
        if today > self._today:
            self._today = today
            if self._next is not None and today >= self._next:
                self._replace(self._context.under(self._book()))

    @property
    def since(self) -> datetime:
        """When the book in force came about, UTC: its last policy record's time, or the midnight of its regime date.

        It follows from the book's number, so it may stand in outputs as the time of what re-rating causes. Under
        `as_known_then` it is the midnight: the record's own time is of another clock.
        """
        day = self.number.regime
        midnight = datetime(day.year, day.month, day.day, tzinfo=US_EASTERN).astimezone(UTC)
        if self._published is None or self._as_known_then:
            return midnight
        return max(midnight, self._published)

    def prepare(
        self, overrides: Sequence[MeasureRecord], epoch: int, offset: int, changed_ms: int | None = None
    ) -> Prepared:
        """The book that `publish` would put in force, compiled; touches nothing, so another thread may do it.

        The arguments are a `PolicyLog`'s.

        Raises:
            ReferenceError: the overrides can't make a book.
        """
        today = self._today
        book = book_on(
            self.reference.trade, today, overrides, epoch=epoch, offset=offset, as_known_then=self._as_known_then
        )
        book.view()
        published = None if changed_ms is None else datetime.fromtimestamp(changed_ms / 1000, UTC)
        context = self._context.under(book)
        return Prepared(tuple(overrides), published, today, context, warm(self._context, context))

    def publish(self, prepared: Prepared) -> None:
        """Put in force what `trade.policy` holds: one event, one book. One that is not above the last is ignored."""
        number = prepared.context.book.number
        if (number.epoch, number.offset) <= (self._epoch, self._offset):
            return
        self._overrides, self._epoch, self._offset = prepared.overrides, number.epoch, number.offset
        self._published = prepared.published
        self._replace(prepared.context if prepared.today == self._today else self._context.under(self._book()))

    def _replace(self, context: Context) -> None:
        book = context.book
        self._next = self._boundary_after(book)
        if book.number <= self.number:
            return
        log.info("book %s replaces %s", book.number, self.number)
        self._context = context
        for listener in self._listeners:
            listener(book)

    def _book(self) -> Book:
        return book_on(
            self.reference.trade,
            self._today,
            self._overrides,
            epoch=self._epoch,
            offset=self._offset,
            as_known_then=self._as_known_then,
        )

    def _boundary_after(self, book: Book) -> date | None:
        days = sorted({*book.boundaries, *book.recorded}) if self._as_known_then else book.boundaries
        position = bisect_right(days, self._today)
        return days[position] if position < len(days) else None

    def _ask(self) -> date:
        return self._clock.now().astimezone(US_EASTERN).date()
