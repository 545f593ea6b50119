"""A backlog of a million records: one worker gets through it within its memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from streams.connection import aiokafka_options
from streams.feeds.lot.write import LotRequest
from streams.feeds.lot.write import records as lot_records
from streams.topics import VEHICLES
from streams.transport.partitioning import partition_of
from tests.rehearsal.fleet import Fleet, wait_until
from tests.rehearsal.ground import Ground
from tests.wire.conftest import Broker

pytestmark = pytest.mark.soak

PARTITIONS = 8
MAX_RSS_MB = 400
MOST_SECONDS = 1800
DRAWN = 10_000
"""Vehicles drawn; each stands on the lots of many dealers."""


@pytest.mark.parametrize(
    "module", ["tests.rehearsal.light_worker", "tests.rehearsal.vehicle_worker"], ids=["light", "real"]
)
def test_a_backlog_fits_in_memory(broker: Broker, tmp_path: Path, records: int, module: str) -> None:
    with Ground(broker.bootstrap_servers, partitions=PARTITIONS) as ground:
        asyncio.run(_put(ground, records))
        with Fleet(ground.environment(), tmp_path, module=module) as fleet:
            began = time.monotonic()
            worker = fleet.start("a", restart=False)
            wait_until(lambda: ground.lag() == 0 or not worker.alive, MOST_SECONDS, "all is worked off", fleet.said)
            assert worker.alive, fleet.said()
            seconds = time.monotonic() - began
            peak = worker.peak_rss_mb()
            wait_until(lambda: worker.counted("lotrisk_records_in_total") == records, 10, "all counted", fleet.said)
            out = worker.counted("lotrisk_records_out_total")
            letters = worker.counted("lotrisk_dead_letters_total")
        print(
            f"{module}: {records:,} records in {seconds:.0f} s, {records / seconds:,.0f}/s with the start, "
            f"peak RSS {peak:.0f} MiB",
            flush=True,
        )
    assert (out, letters) == (records, 0)
    assert peak < MAX_RSS_MB


async def _put(ground: Ground, count: int) -> None:
    """Put the lot in `count` times over, in whole batches."""
    producer = AIOKafkaProducer(
        acks="all", compression_type="zstd", max_batch_size=900_000, **aiokafka_options(ground.settings)
    )
    await producer.start()
    topic = ground.name(VEHICLES)
    builders = {number: producer.create_batch() for number in range(PARTITIONS)}
    deliveries = []
    try:
        for key, value in _lot(count):
            number = partition_of(key, PARTITIONS)
            if builders[number].append(timestamp=None, key=key, value=value) is None:
                deliveries.append(await producer.send_batch(builders[number], topic, partition=number))
                builders[number] = producer.create_batch()
                builders[number].append(timestamp=None, key=key, value=value)
        for number, builder in builders.items():
            if builder.record_count():
                deliveries.append(await producer.send_batch(builder, topic, partition=number))
        await asyncio.gather(*deliveries)
    finally:
        await producer.stop()


def _lot(count: int) -> Iterator[tuple[bytes, bytes]]:
    drawn = []
    for record in lot_records(LotRequest(vehicles=min(DRAWN, count), parts=0)):
        body = dict(record)
        dealer, vin = str(body["dealer_id"]), str(body["vin"])
        drawn.append((vin.encode(), orjson.dumps(body), f'"dealer_id":"{dealer}"'.encode()))
    for number in range(count):
        vin, body, dealer = drawn[number % len(drawn)]
        name = b"L%04d" % (number // len(drawn))
        yield name + b":" + vin, body.replace(dealer, b'"dealer_id":"' + name + b'"')
