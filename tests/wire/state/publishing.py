"""Enriched records as lanes publish them, for tests of the state alone: order key, layout, transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer

from schemas.cloudevents import ORDER, OrderKey
from streams.connection import aiokafka_options
from streams.policy.book import BookNumber
from streams.settings import Settings
from streams.state.layout import HEADER, digest_of, finish
from streams.state.view import Gone, Held
from streams.topics import VEHICLES_ENRICHED

BOOK = BookNumber.parse("1.0.-1.2026-09-29")
SOURCE_ID = "source-topic-id"


class Published(NamedTuple):
    """A record of the enriched topic, and what a state holds of it."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]
    outcome: Held | Gone


def car(number: int | str, offset: int, *, price: int = 20_000, book: BookNumber = BOOK, pad: int = 0) -> Published:
    """A car on the lot. `offset` is the input's; `pad` characters are lotrisk's members' size."""
    order = OrderKey(SOURCE_ID, offset, str(book))
    canonical = b'{"dealer_id":"D1","vin":"%b","price":%d}' % (str(number).encode(), price)
    body = b'%b,"origin":"%b"' % (canonical[:-1], b"x" * pad)
    value, layout = finish(body, b"[]", str(book), canonical_end=len(canonical) - 1, updated_at_ms=offset)
    held = Held(digest_of(body, b"[]"), order, offset, book, b"[]", canonical)
    return Published(b"D1:%b" % str(number).encode(), value, [(ORDER, order.encode()), (HEADER, layout)], held)


def sold(number: int | str, offset: int, *, book: BookNumber = BOOK) -> Published:
    """The tombstone of a car."""
    order = OrderKey(SOURCE_ID, offset, str(book))
    return Published(b"D1:%b" % str(number).encode(), None, [(ORDER, order.encode())], Gone(order))


def lot_of(records: Iterable[Published]) -> dict[bytes, Held]:
    """What a state holds after these records, in this order."""
    lot: dict[bytes, Held] = {}
    for record in records:
        lot.pop(record.key, None)
        if isinstance(record.outcome, Held):
            lot[record.key] = record.outcome
    return lot


async def publish(
    settings: Settings,
    records: Iterable[Published],
    *,
    partition: int = 0,
    transactional_id: str | None = None,
    abort: bool = False,
    timestamp_ms: int | None = None,
) -> int:
    """Publish to the enriched topic, in one transaction where there is an id; returns the offset after the last."""
    producer = AIOKafkaProducer(
        acks="all", max_batch_size=500_000, compression_type="zstd", transactional_id=transactional_id,
        **aiokafka_options(settings),
    )  # fmt: skip
    topic = VEHICLES_ENRICHED.full_name(settings.topic_prefix)
    await producer.start()
    try:
        if transactional_id is not None:
            await producer.begin_transaction()
        sent: list[Any] = []
        for key, value, headers, _ in records:
            sent.append(
                await producer.send(
                    topic, value, key=key, headers=headers, partition=partition, timestamp_ms=timestamp_ms
                )
            )
        done = await asyncio.gather(*sent)
        if transactional_id is not None:
            await (producer.abort_transaction() if abort else producer.commit_transaction())
    finally:
        await producer.stop()
    return max((metadata.offset + 1 for metadata in done), default=0)
