"""The head of a key as bytes: everything the state holds but the canonical record.

    kind u8, updated_at i64 ms, offset u64, digest 16 bytes, length u32, lengths u8 x 3,
    topic id, order's book, book, contribution, flags JSON

Little endian. A tombstone's marker is a head of another kind, whose `updated_at` is when it may be forgotten.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.cloudevents import OrderKey
from streams.enrich.contribution import NOTHING
from streams.policy.book import BookNumber
from streams.state.layout import BOOK, FLAGS, marks
from streams.state.order import NO_BOOK, book_number
from streams.state.view import Held

LIVE: Final = 1
GONE: Final = 2

_FIXED: Final = struct.Struct("<BqQ16sIBBB")
_FRONT: Final = struct.Struct("<BqQ16sI")
_LENGTHS: Final = struct.Struct("<IBBB")
_NO_TIME: Final = -(2**63)
_NO_DIGEST: Final = bytes(16)
_START: Final = _FIXED.size
_tuple = tuple.__new__
"""Makes a named tuple in half the time of its own constructor, which is written in Python."""


class Marker(NamedTuple):
    """A tombstone that is remembered until `expires_ms`, Unix milliseconds."""

    order: OrderKey
    expires_ms: int


def encode_held(held: Held) -> bytes:
    """The head of what is held; its canonical record is written apart.

    Raises:
        ValueError: a topic id or book number longer than 255 bytes, or a digest that isn't 16.
    """
    topic_id, offset, order_book = held.order
    lengths, texts = _joined(topic_id, order_book, held.book)
    updated_ms = held.updated_at_ms
    if len(held.digest) != 16:
        raise ValueError(f"can't be held: a digest of {len(held.digest)} bytes")
    contribution = held.contribution
    return b"%b%b%b%b%b" % (
        _FRONT.pack(LIVE, _NO_TIME if updated_ms is None else updated_ms, offset, held.digest, len(contribution)),
        lengths,
        texts,
        contribution,
        held.flags,
    )


def published_head(value: bytes, layout: bytes, order: bytes, contribution: bytes) -> tuple[bytes, bytes] | None:
    """The head and the canonical record of an enriched record, straight from its bytes and headers.

    A restore's fast way: the same as `encode_held(read_published(...))`. None where the record has to go the long one.
    """
    found = marks(value, layout)
    if found is None:
        return None
    end, flags_start, book_start, updated, digest = found
    parts = order.split(b"/")
    book = value[book_start + len(BOOK) : -2]
    if end <= 0 or updated is None or len(parts) != 3 or not (order.isascii() and book.isascii()):
        return None
    topic, offset_text, order_book = parts
    if not (topic and offset_text.isdigit() and order_book and book):
        return None
    try:
        fixed = _FIXED.pack(
            LIVE,
            int(updated) if updated else _NO_TIME,
            int(offset_text),
            digest,
            len(contribution),
            len(topic),
            len(order_book),
            len(book),
        )
    except struct.error:
        # A number or a length out of range.
        return None
    flags = value[flags_start + len(FLAGS) : book_start]
    return b"".join((fixed, topic, order_book, book, contribution, flags)), value[:end] + b"}"


def encode_marker(marker: Marker) -> bytes:
    """The head of a tombstone's marker."""
    topic_id, offset, order_book = marker.order
    return _encode(GONE, marker.expires_ms, offset, _NO_DIGEST, _text(topic_id), _text(order_book), b"")


def is_live(head: bytes) -> bool:
    """Whether the head is a record's, not a tombstone's marker."""
    return head[0] == LIVE


def decode_held(head: bytes, canonical: bytes | None = None, reached: BookNumber = NO_BOOK) -> Held:
    """What a live head says; its book is `reached` at least."""
    _, updated, offset, digest, length, topic_length, order_length, book_length = _FIXED.unpack_from(head)
    texts_end = _START + topic_length + order_length + book_length
    flags_start = texts_end + length
    topic_id, order_book, book = _texts(head[_START:texts_end], topic_length, order_length)
    return _tuple(
        Held,
        (
            digest,
            _tuple(OrderKey, (topic_id, offset, order_book)),
            None if updated == _NO_TIME else updated,
            book if book > reached else reached,
            head[flags_start:],
            canonical,
            head[texts_end:flags_start],
            NOTHING,
        ),
    )


def contribution_of(head: bytes) -> bytes:
    """The contribution of a live head; a marker has none."""
    if head[0] != LIVE:
        return NOTHING
    length, *texts = _LENGTHS.unpack_from(head, _START - _LENGTHS.size)
    start = _START + sum(texts)
    return head[start : start + length]


def decode_marker(head: bytes) -> Marker:
    """What a marker says."""
    return Marker(order_of(head), _FIXED.unpack_from(head)[1])


def order_of(head: bytes) -> OrderKey:
    """The order key of any head."""
    _, _, offset, _, _, topic_length, order_length, _ = _FIXED.unpack_from(head)
    order_start = _START + topic_length
    return OrderKey(_read(head[_START:order_start]), offset, _read(head[order_start : order_start + order_length]))


def book_text(head: bytes) -> bytes:
    """The book of a live head, as written."""
    book_start = _START + head[_START - 3] + head[_START - 2]
    return head[book_start : book_start + head[_START - 1]]


def _encode(
    kind: int, time: int | None, offset: int, digest: bytes, topic: bytes, order_book: bytes, book: bytes
) -> bytes:
    if len(digest) != 16 or max(len(topic), len(order_book), len(book)) > 255:
        raise ValueError(
            f"can't be held: digest of {len(digest)} bytes, topic id {topic!r}, book {order_book!r}/{book!r}"
        )
    moment = _NO_TIME if time is None else time
    fixed = _FIXED.pack(kind, moment, offset, digest, 0, len(topic), len(order_book), len(book))
    return b"".join((fixed, topic, order_book, book))


@lru_cache(maxsize=4096)
def _text(text: str) -> bytes:
    return text.encode()


@lru_cache(maxsize=4096)
def _joined(topic_id: str, order_book: str, book: BookNumber) -> tuple[bytes, bytes]:
    """Lengths and texts of topic id, order's book and book: the same in most heads."""
    texts = (topic_id.encode(), order_book.encode(), str(book).encode())
    if max(map(len, texts)) > 255:
        raise ValueError(f"can't be held: topic id {topic_id!r}, book {order_book!r}/{book}")
    return bytes(map(len, texts)), b"".join(texts)


@lru_cache(maxsize=4096)
def _texts(data: bytes, topic_length: int, order_length: int) -> tuple[str, str, BookNumber]:
    """Topic id, order's book and book: the same in most heads."""
    order_end = topic_length + order_length
    return data[:topic_length].decode(), data[topic_length:order_end].decode(), book_number(data[order_end:].decode())


@lru_cache(maxsize=4096)
def _read(data: bytes) -> str:
    return data.decode()
