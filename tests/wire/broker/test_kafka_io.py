"""The sentences that other wire tests are written in, said to real Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from kafka.partitioner import murmur2

from streams.settings import Settings
from streams.topics import INPUT_MAX_BYTES, OUTPUT_MAX_BYTES, PARTS, VEHICLES, VEHICLES_ENRICHED, WORKERS
from tests.wire import kafka_io
from tests.wire.kafka_io import Raw


def in_transaction(settings: Settings, work: Callable[[AIOKafkaProducer], Awaitable[None]], commit: bool) -> None:
    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=settings.group)
        await producer.start()
        try:
            await producer.begin_transaction()
            await work(producer)
            await producer.flush()
            await (producer.commit_transaction() if commit else producer.abort_transaction())
        finally:
            await producer.stop()

    asyncio.run(run())


def test_the_whole_catalogue_can_be_created_and_its_limits_are_the_topics(settings: Settings) -> None:
    kafka_io.create_topics(settings)
    largest = OUTPUT_MAX_BYTES - 200
    kafka_io.produce(settings, VEHICLES_ENRICHED, [Raw(b"x" * largest, key=b"k")])
    assert [len(found.value or b"") for found in kafka_io.read_all(settings, VEHICLES_ENRICHED)] == [largest]
    with pytest.raises(Exception, match=r"MessageSizeTooLarge|RecordTooLarge|larger"):
        kafka_io.produce(settings, VEHICLES, [Raw(b"x" * (INPUT_MAX_BYTES + 1), key=b"k")])


def test_a_record_comes_back_as_it_was_sent(settings: Settings) -> None:
    kafka_io.create_topics(settings, [PARTS])
    timestamp = int(time.time() * 1000) - 5_000
    sent = Raw(b"\x00\xff", b"d:p", (("a", b"1"), ("a", b"2"), ("b", b"")), timestamp, 3)
    assert kafka_io.produce(settings, PARTS, [sent]) == [(3, 0)]
    (found,) = kafka_io.read_all(settings, PARTS)
    assert (found.value, found.key, found.headers, found.timestamp) == (b"\x00\xff", b"d:p", sent.headers, timestamp)
    assert (found.partition, found.offset) == (3, 0)
    assert found.header("a") == b"2"
    assert found.header("c") is None


def test_a_tombstone_and_a_null_key_stay_null(settings: Settings) -> None:
    kafka_io.create_topics(settings, [WORKERS])
    kafka_io.produce(settings, WORKERS, [Raw(None, key=b"k")])
    assert [(found.key, found.value) for found in kafka_io.read_all(settings, WORKERS)] == [(b"k", None)]


def test_keyed_records_go_where_murmur2_says(settings: Settings) -> None:
    kafka_io.create_topics(settings, [VEHICLES])
    keys = [f"dealer:{number}".encode() for number in range(50)]
    placed = kafka_io.produce(settings, VEHICLES, [Raw(b"{}", key=key) for key in keys])
    assert [partition for partition, _ in placed] == [(murmur2(key) & 0x7FFFFFFF) % settings.partitions for key in keys]


def test_an_aborted_transaction_is_seen_only_uncommitted(settings: Settings) -> None:
    kafka_io.create_topics(settings, [VEHICLES])
    name = VEHICLES.full_name(settings.topic_prefix)

    async def send(producer: AIOKafkaProducer) -> None:
        await producer.send_and_wait(name, b"v", key=b"k", partition=0)

    in_transaction(settings, send, commit=False)
    assert kafka_io.read_all(settings, VEHICLES) == []
    assert len(kafka_io.read_all(settings, VEHICLES, "read_uncommitted")) == 1
    in_transaction(settings, send, commit=True)
    # Record, abort marker, record: the offset is 2, and the commit marker after it does not keep the reader waiting.
    assert [found.offset for found in kafka_io.read_all(settings, VEHICLES)] == [2]


def test_an_open_transaction_hides_what_follows_it_and_does_not_block_the_reader(settings: Settings) -> None:
    kafka_io.create_topics(settings, [VEHICLES])
    name = VEHICLES.full_name(settings.topic_prefix)

    async def send_and_look(producer: AIOKafkaProducer) -> None:
        await producer.send_and_wait(name, b"open", key=b"k", partition=0)
        assert await asyncio.to_thread(kafka_io.read_all, settings, VEHICLES) == []
        stable = await asyncio.to_thread(kafka_io.end_offsets, settings, VEHICLES, "read_committed")
        assert stable[0] == 0

    in_transaction(settings, send_and_look, commit=True)
    assert [found.value for found in kafka_io.read_all(settings, VEHICLES)] == [b"open"]


def test_committed_offsets_of_a_group(settings: Settings) -> None:
    kafka_io.create_topics(settings, [VEHICLES])
    name = VEHICLES.full_name(settings.topic_prefix)
    kafka_io.produce(settings, VEHICLES, [Raw(b"{}", key=b"k", partition=1) for _ in range(3)])
    assert kafka_io.committed(settings, VEHICLES) == {}
    assert kafka_io.lag(settings, VEHICLES) == 3

    async def commit(producer: AIOKafkaProducer) -> None:
        await producer.send_offsets_to_transaction({TopicPartition(name, 1): 2}, settings.group)

    in_transaction(settings, commit, commit=True)
    assert kafka_io.committed(settings, VEHICLES) == {1: 2}
    assert kafka_io.lag(settings, VEHICLES) == 1


def test_an_abandoned_transaction_is_aborted_soon_after_its_time(settings: Settings) -> None:
    """The broker looks every second, not every ten: readers of committed data wait for it."""
    kafka_io.create_topics(settings, [VEHICLES])
    name = VEHICLES.full_name(settings.topic_prefix)

    async def abandon() -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap_servers, transactional_id=settings.group, transaction_timeout_ms=1000
        )
        await producer.start()
        await producer.begin_transaction()
        await producer.send_and_wait(name, b"left", key=b"k", partition=0)
        return producer

    async def run() -> float:
        producer = await abandon()
        began = time.monotonic()
        await asyncio.to_thread(
            kafka_io.wait_until, lambda: kafka_io.end_offsets(settings, VEHICLES, "read_committed")[0] == 2, 20.0
        )
        waited = time.monotonic() - began
        await producer.client.close()
        return waited

    assert asyncio.run(run()) < 8.0


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(TimeoutError, match=r"three vehicles.*last answer: 0"):
        kafka_io.wait_until(lambda: 0, 0.05, what="three vehicles", every_seconds=0.01)
    with pytest.raises(LookupError, match="no such thing"):
        kafka_io.wait_until(lambda: (_ for _ in ()).throw(LookupError("no such thing")))


def test_a_test_never_deletes_topics_without_a_prefix(settings: Settings) -> None:
    with pytest.raises(AssertionError, match="every topic"):
        kafka_io.delete_topics(settings.model_copy(update={"topic_prefix": ""}))
