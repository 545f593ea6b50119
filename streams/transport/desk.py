"""What the policy desk does with `trade.policy`: read it, write a file as one transaction, wait for every worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced

from streams.connection import aiokafka_options
from streams.reference.trade import TradeReference
from streams.reference.trade_records import MeasureRecord
from streams.settings import Settings
from streams.topics import INPUT_MAX_BYTES, POLICY, Topic
from streams.transport.heartbeat import DEAD_AFTER_SECONDS, watch_workers
from streams.transport.policy_log import PolicyLog, Refused, encode
from streams.transport.reading import partitions_of, read_to_end

Entry = tuple[bytes, bytes]
"""Key and value of a record."""


class DeskError(RuntimeError):
    """The desk can't do it; the message says why and what to do. Nothing was published."""


@dataclass(frozen=True, slots=True)
class ReadLog:
    """`trade.policy` as it stands: the log, and the offset after its last record (0 where it is empty)."""

    log: PolicyLog
    end: int


async def read_log(settings: Settings, trade: TradeReference) -> ReadLog:
    """Read all of `trade.policy`.

    Raises:
        TopicMissingError: no such topic.
    """
    log, end = PolicyLog(trade), 0
    async for record in read_to_end(settings, POLICY.full_name(settings.topic_prefix)):
        log.apply(record.offset, record.key, record.value)
        end = record.offset + 1
    return ReadLog(log, end)


def in_order(
    log: PolicyLog, records: Iterable[MeasureRecord]
) -> tuple[list[MeasureRecord], list[MeasureRecord], list[Refused]]:
    """Apply `records` to `log` in an order in which each is taken: what one refers to comes before it.

    Returns those that change something, in that order; those that change nothing; and why the rest is refused.
    """
    changed: list[MeasureRecord] = []
    same: list[MeasureRecord] = []
    waiting = list(records)
    while waiting:
        refused: list[tuple[MeasureRecord, Refused]] = []
        for record in waiting:
            before = log.offset
            problem = log.apply(before + 1, *encode(record))
            if problem is not None:
                refused.append((record, problem))
            else:
                (same if log.offset == before else changed).append(record)
        if len(refused) == len(waiting):
            return changed, same, [problem for _, problem in refused]
        waiting = [record for record, _ in refused]
    return changed, same, []


async def publish(settings: Settings, entries: Sequence[Entry], expected_end: int) -> int:
    """Write `entries` to `trade.policy` as one transaction; returns the offset of the last.

    `expected_end`: `ReadLog.end` of the log they were checked against. One desk at a time: a second one that begins
    shuts the first out.

    Raises:
        DeskError: the log has moved on, another desk took over, or the brokers refuse.
    """
    topic = POLICY.full_name(settings.topic_prefix)
    producer = AIOKafkaProducer(
        client_id=f"{settings.group}-desk",
        transactional_id=f"{settings.group}-{topic}-desk",
        transaction_timeout_ms=int(settings.transaction_timeout_seconds * 1000),
        acks="all",
        max_request_size=INPUT_MAX_BYTES,
        **aiokafka_options(settings),
    )
    # Its start settles what another desk left open and shuts it out; only then is the end the true one.
    await producer.start()
    try:
        end = 0
        async for record in read_to_end(settings, topic):
            end = record.offset + 1
        if end != expected_end:
            raise DeskError(f"{topic} has moved from offset {expected_end} to {end} meanwhile; run the command again")
        async with producer.transaction():
            sent = [await producer.send(topic, value, key=key, partition=0) for key, value in entries]
            acknowledged = await asyncio.gather(*sent)
        return int(max(one.offset for one in acknowledged))
    except ProducerFenced as error:
        raise DeskError("another policy desk publishes at this moment; run the command again") from error
    except KafkaError as error:
        raise DeskError(f"{topic}: not published: {error}") from error
    finally:
        await producer.stop()


def highest_epoch(log: PolicyLog, standings: Iterable[tuple[str, int, int]]) -> int:
    """The highest epoch that the topic holds or a worker has seen."""
    return max([log.epoch, *(epoch for _, epoch, _ in standings)])


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the live workers are: those that read to the target, and what holds each of the others back."""

    arrived: dict[str, str]
    """Worker id to the number of its book."""
    behind: dict[str, str]
    refused: tuple[Refused, ...]
    """Records of the desk that a worker did not take."""


def reached(beats: Iterable[dict[str, Any]], epoch: int, first: int, last: int, now: datetime) -> Reached:
    """Who of the live workers has read the records at the offsets `first` to `last` in `epoch`."""
    arrived: dict[str, str] = {}
    behind: dict[str, str] = {}
    refused: dict[int, Refused] = {}
    for beat in beats:
        age = (now - datetime.fromisoformat(beat["at"])).total_seconds()
        if age >= DEAD_AFTER_SECONDS:
            continue
        standing = beat.get("policy")
        name = f"{beat['worker']} (book {beat.get('book')}, last beat {max(0.0, age):.0f} s ago)"
        if standing is None:
            behind[beat["worker"]] = f"{name} does not say how far it has read: an older release?"
        elif (standing["epoch"], standing["position"]) <= (epoch, last) or standing["epoch"] < epoch:
            behind[beat["worker"]] = f"{name} has read to offset {standing['position']} of {last + 1}"
        else:
            arrived[beat["worker"]] = str(beat.get("book"))
            for one in beat.get("rejected", ()):
                if first <= one["offset"] <= last:
                    refused[one["offset"]] = Refused(**one)
    return Reached(arrived, behind, tuple(refused[offset] for offset in sorted(refused)))


async def wait_for_workers(settings: Settings, epoch: int, first: int, last: int, seconds: float) -> Reached:
    """Wait until every live worker has read to the offset `last`, at most `seconds`; the answer says who has."""
    found = Reached({}, {}, ())
    try:
        async with asyncio.timeout(seconds):
            async for beats in watch_workers(settings):
                found = reached(beats, epoch, first, last, datetime.now(UTC))
                if not found.behind:
                    return found
    except TimeoutError:
        pass
    return found


async def current_records(settings: Settings, topic: Topic) -> AsyncIterator[tuple[bytes, bytes]]:
    """Key and last value of each key of a compacted topic, tombstones left out; one partition is held at a time.

    Raises:
        TopicMissingError: no such topic.
    """
    name = topic.full_name(settings.topic_prefix)
    for partition in await partitions_of(settings, name):
        latest: dict[bytes, bytes] = {}
        async for record in read_to_end(settings, name, [partition]):
            if record.value is None:
                latest.pop(record.key, None)
            else:
                latest[record.key] = record.value
        for found in latest.items():
            yield found
