"""A record of the enriched topic, read back as what the state holds of it."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.cloudevents import ORDER, OrderKey
from streams.state.layout import HEADER, take_apart
from streams.state.order import NO_BOOK, NO_ORDER, book_number
from streams.state.view import Gone, Held


def read_published(
    value: bytes | None, headers: Iterable[tuple[str, bytes | None]], owned: frozenset[str]
) -> Held | Gone | None:
    """What an enriched record or tombstone says; None where it isn't lotrisk's, for it holds no JSON object."""
    order_header = layout = None
    for name, content in headers:
        if name == ORDER:
            order_header = content
        elif name == HEADER:
            layout = content
    order = _order(order_header)
    if value is None:
        return Gone(order)
    try:
        parts = take_apart(value, layout, owned)
    except ValueError:
        return None
    book = book_number(parts.book) if parts.book is not None else NO_BOOK
    return Held(parts.digest, order, parts.updated_at_ms, book, parts.flags, parts.canonical)


def _order(header: bytes | None) -> OrderKey:
    if header is None:
        return NO_ORDER
    try:
        return OrderKey.decode(header)
    except ValueError:
        return NO_ORDER
