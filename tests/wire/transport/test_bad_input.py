"""Records that are odd, broken or too large, through one worker: each test says what comes out of one kind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from schemas.cloudevents import ORDER, TRACEPARENT, OrderKey, header
from schemas.dead_letter import split_headers
from streams.topics import VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED
from streams.transport.partitioning import partition_of
from tests.rehearsal.accounts import read
from tests.rehearsal.fleet import Fleet
from tests.rehearsal.ground import Ground
from tests.wire.conftest import Broker

PARTITIONS = 4
HOUR_MS = 3_600_000
PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
AHEAD_MS = 2 * HOUR_MS
GROWS = 1_200_000
UNPACKED = 3_000_000
"""The limit of a topic holds for the packed batch: a record may be larger than that when it is unpacked."""


@dataclass(frozen=True)
class Came:
    """What stood on the topics when the worker was through, and what it counted."""

    sent: dict[str, Any]
    enriched: list[Any]
    dead: list[Any]
    notes: dict[str, float]
    put_at_ms: int
    done_at_ms: int

    def of(self, name: str) -> list[Any]:
        """The enriched records of the input `name`."""
        return [record for record in self.enriched if _source(record) == _place(self.sent[name])]

    def dead_letter_of(self, name: str) -> tuple[Any, list[tuple[str, bytes | None]], Any]:
        """The dead letter of the input `name`, its original headers, and what lotrisk says of it."""
        [found] = [
            (letter, *split_headers(letter.headers))
            for letter in self.dead
            if _dead_source(letter) == _place(self.sent[name])
        ]
        return found


def _place(metadata: Any) -> tuple[int, int]:
    return metadata.partition, metadata.offset


def _source(record: Any) -> tuple[int, int]:
    return record.partition, OrderKey.decode(header(record.headers, ORDER) or b"").offset


def _dead_source(letter: Any) -> tuple[int, int]:
    error = split_headers(letter.headers)[1]
    return int(error.partition), int(error.offset)


@pytest.fixture(scope="module")
def came(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Came]:
    """One worker over one record of each kind."""
    # Without compaction, so that a record without a key gets in.
    with Ground(broker.bootstrap_servers, partitions=PARTITIONS, input_configs={"cleanup.policy": "delete"}) as ground:
        now = int(time.time() * 1000)
        topic = ground.name(VEHICLES)
        wrong = (partition_of(b"D1:wrong", PARTITIONS) + 1) % PARTITIONS
        producer = ground.producer()
        body = orjson.dumps({"n": 1})
        futures = {
            "plain": producer.send(
                topic, key=b"D1:plain", value=body, headers=[(TRACEPARENT, PARENT)], timestamp_ms=now
            ),
            "ahead": producer.send(topic, key=b"D1:ahead", value=body, timestamp_ms=now + AHEAD_MS),
            "old": producer.send(topic, key=b"D1:old", value=body, timestamp_ms=now - 400 * 24 * HOUR_MS),
            "wrong_partition": producer.send(topic, key=b"D1:wrong", value=body, partition=wrong),
            "tombstone": producer.send(topic, key=b"D1:gone", value=None),
            "grows": producer.send(topic, key=b"D1:grows", value=orjson.dumps({"grow": GROWS})),
            "no_key": producer.send(topic, key=None, value=body, partition=2),
            "broken": producer.send(
                topic, key=b"D1:broken", value=b"\xff\x00{", headers=[("error.reason", b"mine"), ("empty", b"")]
            ),
            "after": producer.send(topic, key=b"D1:broken", value=body),
        }
        packing = ground.producer(compression_type="gzip", max_request_size=2 * UNPACKED)
        futures["unpacks"] = packing.send(topic, key=b"D1:unpacks", value=orjson.dumps({"pad": "x" * UNPACKED}))
        producer.flush()
        sent = {name: future.get(timeout=30) for name, future in futures.items()}
        producer.close()
        packing.close()
        with Fleet(ground.environment(), tmp_path_factory.mktemp("worker")) as fleet:
            worker = fleet.start("a")
            ground.wait_for_no_lag(30, fleet.said)
            fleet.wait_until_ready()
            notes = {
                code: worker.counted("lotrisk_notes_total", code=code)
                for code in ("timestamp_clamped", "wrong_partition")
            }
        enriched = asyncio.run(read(ground.settings, VEHICLES_ENRICHED))
        dead = asyncio.run(read(ground.settings, VEHICLES_DLQ))
        yield Came(sent, enriched, dead, notes, now, int(time.time() * 1000))


def test_every_record_came_out_once(came: Came) -> None:
    assert len(came.enriched) + len(came.dead) == len(came.sent)


def test_a_plain_record_keeps_its_time_and_its_trace(came: Came) -> None:
    [record] = came.of("plain")
    assert record.timestamp == came.put_at_ms
    assert header(record.headers, TRACEPARENT) == PARENT
    assert orjson.loads(record.value).items() >= {"n": 1, "light": True}.items()


def test_a_timestamp_two_hours_ahead_is_clamped_and_counted(came: Came) -> None:
    [record] = came.of("ahead")
    assert came.put_at_ms <= record.timestamp <= came.done_at_ms
    assert came.notes["timestamp_clamped"] == 1


def test_an_old_timestamp_is_kept(came: Came) -> None:
    [record] = came.of("old")
    assert record.timestamp == came.put_at_ms - 400 * 24 * HOUR_MS


def test_a_record_on_the_wrong_partition_is_counted_and_stays_there(came: Came) -> None:
    [record] = came.of("wrong_partition")
    assert record.partition == came.sent["wrong_partition"].partition != partition_of(b"D1:wrong", PARTITIONS)
    # The record without a key belongs nowhere and isn't counted.
    assert came.notes["wrong_partition"] == 1


def test_a_tombstone_goes_through(came: Came) -> None:
    [record] = came.of("tombstone")
    assert (record.key, record.value) == (b"D1:gone", None)


def test_a_record_that_grows_too_large_is_a_dead_letter(came: Came) -> None:
    letter, _, error = came.dead_letter_of("grows")
    assert error.reason == "too_large"
    assert letter.value == orjson.dumps({"grow": GROWS})
    assert came.of("grows") == []


def test_a_record_far_over_the_limit_when_unpacked_is_a_dead_letter(came: Came) -> None:
    letter, _, error = came.dead_letter_of("unpacks")
    assert (error.reason, len(letter.value)) == ("too_large", UNPACKED + len('{"pad":""}'))


def test_a_record_without_a_key_is_a_dead_letter(came: Came) -> None:
    letter, _, error = came.dead_letter_of("no_key")
    assert (error.reason, letter.key, letter.partition) == ("null_key", None, 2)


def test_a_broken_record_is_a_dead_letter_with_its_bytes_and_headers(came: Came) -> None:
    letter, original, error = came.dead_letter_of("broken")
    assert letter.value == b"\xff\x00{"
    assert original == [("error.reason", b"mine"), ("empty", b"")]
    assert error.reason == "not_json"
    assert letter.timestamp >= came.put_at_ms, "its retention counts from now"


def test_the_record_behind_a_broken_one_goes_on(came: Came) -> None:
    assert len(came.of("after")) == 1
