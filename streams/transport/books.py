"""The book in force: which context a batch is rated under."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

from streams.clock import Clock
from streams.enrich.context import Context
from streams.policy.book import Book, build_book
from streams.reference import Reference

US_EASTERN = ZoneInfo("America/New_York")
"""US measures begin and end at 12:01 a.m. here (fact sheet 0)."""
LOOK_EVERY_SECONDS = 0.25
"""How often the clock is asked whether a day has passed."""


class Books:
    """Keeps the context of the book in force; a date boundary passing makes a new one.

    A book's day is its regime date, never today: two workers that started on different days under one book number say
    the same of the same record.
    """

    def __init__(self, reference: Reference, clock: Clock, changed: Callable[[Book], None] = lambda _: None) -> None:
        self._reference = reference
        self._clock = clock
        self._changed = changed
        self._day = self._today()
        self._context = Context(reference, self._book())
        self._looked = time.monotonic()
        changed(self._context.book)

    def context(self) -> Context:
        """The context of the book in force now."""
        if time.monotonic() - self._looked > LOOK_EVERY_SECONDS:
            self._looked = time.monotonic()
            today = self._today()
            if today != self._day:
                self._day = today
                book = self._book()
                if book.number != self._context.book.number:
                    self._context = Context(self._reference, book)
                    self._changed(book)
        return self._context

    def _book(self) -> Book:
        trade = self._reference.trade
        return build_book(trade, build_book(trade, self._day).number.regime)

    def _today(self) -> date:
        return self._clock.now().astimezone(US_EASTERN).date()
