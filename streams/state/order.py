"""Which of two outputs of one key stands later in its history."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final

from schemas.cloudevents import OrderKey
from streams.policy.book import BookNumber

NO_BOOK: Final = BookNumber(0, 0, -1, date.min)
"""Below every book: the book of a record that doesn't say its own, so that it is rated again."""
NO_ORDER: Final = OrderKey("", 0, str(NO_BOOK))
"""The order key of a record that has none: nothing is lower, and being of another topic id, anything replaces it."""


@lru_cache(maxsize=4096)
def book_number(text: str) -> BookNumber:
    """The number a text says; `NO_BOOK` where it says none."""
    try:
        return BookNumber.parse(text)
    except ValueError:
        return NO_BOOK


def is_stale(order: OrderKey, held: OrderKey) -> bool:
    """Whether an output with `order` comes too late: what is held is later by source offset, then by book.

    An order key of another topic id is never stale, since the source topic was made anew.
    """
    if order.topic_id != held.topic_id or order.offset > held.offset:
        return False
    return order.offset < held.offset or (order.book != held.book and book_number(order.book) < book_number(held.book))
