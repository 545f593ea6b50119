"""An enriched topic as workers leave it, so that a state can be restored from it without enriching a million first."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson
from aiokafka import AIOKafkaProducer

from schemas.cloudevents import ORDER, OrderKey
from streams import reference
from streams.clock import clock_for
from streams.connection import aiokafka_options
from streams.enrich import contribution
from streams.enrich.episodes import Cause, flags_json, merge
from streams.enrich.outcome import Enriched
from streams.enrich.vehicle import enrich_vehicle
from streams.feeds.lot.write import LotRequest
from streams.feeds.lot.write import records as lot_records
from streams.settings import Settings
from streams.state import layout
from streams.topics import VEHICLES_ENRICHED
from streams.transport.books import Books
from streams.transport.partitioning import partition_of

DRAWN = 10_000
"""Vehicles drawn and enriched; each stands on the lots of many dealers."""
DEALER = b"L0000"
SOURCE_ID = "AAAAAAAAAAAAAAAAAAAAAA"

Record = tuple[bytes, bytes, list[tuple[str, bytes]]]


def fill(settings: Settings, count: int) -> int:
    """Publish `count` vehicles, enriched under today's book, in whole batches; returns the mean size of a value."""
    return asyncio.run(_fill(settings, count))


async def _fill(settings: Settings, count: int) -> int:
    producer = AIOKafkaProducer(
        acks="all", compression_type="zstd", max_batch_size=900_000, **aiokafka_options(settings)
    )
    topic = VEHICLES_ENRICHED.full_name(settings.topic_prefix)
    await producer.start()
    try:
        builders = {number: producer.create_batch() for number in range(settings.partitions)}
        sent = []
        size = 0
        for key, value, headers in _lot(count):
            size += len(value)
            number = partition_of(key, settings.partitions)
            if builders[number].append(timestamp=None, key=key, value=value, headers=headers) is None:
                sent.append(await producer.send_batch(builders[number], topic, partition=number))
                builders[number] = producer.create_batch()
                builders[number].append(timestamp=None, key=key, value=value, headers=headers)
        for number, builder in builders.items():
            if builder.record_count():
                sent.append(await producer.send_batch(builder, topic, partition=number))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return size // count


def _lot(count: int) -> Iterator[Record]:
    """The drawn vehicles over and over, each time on another dealer's lot."""
    drawn = list(_drawn(min(DRAWN, count)))
    for number in range(count):
        key, value, headers = drawn[number % len(drawn)]
        dealer = b"L%04d" % (number // len(drawn))
        yield (
            key.replace(DEALER, dealer),
            value.replace(DEALER, dealer),
            [(name, content.replace(DEALER, dealer)) for name, content in headers],
        )


def _drawn(count: int) -> Iterator[Record]:
    """Vehicles as a lane publishes them. The digest is of the first dealer's: nobody compares it here."""
    context = Books(reference.load(), clock_for(None)).context()
    book = str(context.book.number)
    for offset, record in enumerate(lot_records(LotRequest(vehicles=count, parts=0))):
        body = {**record, "dealer_id": DEALER.decode()}
        key = DEALER + b":" + str(body["vin"]).encode()
        found = enrich_vehicle(key, orjson.dumps(body), context)
        assert isinstance(found, Enriched), found
        still, _ = merge(key, (), found.flags, Cause(None, SOURCE_ID, 0, offset, book))
        flags = flags_json(still)
        updated_ms = None if found.updated_at is None else int(found.updated_at.timestamp() * 1000)
        value, marks = layout.finish(
            found.body, flags, book, canonical_end=found.canonical_end, updated_at_ms=updated_ms,
            digest=layout.digest_of(found.body, flags),
        )  # fmt: skip
        headers = [(ORDER, OrderKey(SOURCE_ID, offset, book).encode()), (layout.HEADER, marks)]
        if adds := contribution.encode(found.adds, still):
            headers.append((contribution.HEADER, adds))
        yield key, value, headers
