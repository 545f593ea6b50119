"""A record of the enriched topic, read back as what the state holds of it."""

from __future__ import annotations

from schemas.cloudevents import OrderKey
from streams.enrich.contribution import NOTHING
from streams.state.layout import take_apart
from streams.state.order import NO_BOOK, NO_ORDER, book_number
from streams.state.view import Gone, Held


def read_published(
    value: bytes | None,
    order: bytes | None,
    layout: bytes | None,
    owned: frozenset[str],
    contribution: bytes = NOTHING,
) -> Held | Gone | None:
    """What an enriched record or tombstone says; None where it isn't lotrisk's, for it holds no JSON object.

    `order` and `layout` are its headers of these names, `owned` lotrisk's member names in the contract, `contribution`
    what it adds to the totals.
    """
    key = _order(order)
    if value is None:
        return Gone(key)
    try:
        parts = take_apart(value, layout, owned)
    except ValueError:
        return None
    book = book_number(parts.book) if parts.book is not None else NO_BOOK
    return Held(parts.digest, key, parts.updated_at_ms, book, parts.flags, parts.canonical, contribution)


def _order(header: bytes | None) -> OrderKey:
    if header is None:
        return NO_ORDER
    try:
        return OrderKey.decode(header)
    except ValueError:
        return NO_ORDER
