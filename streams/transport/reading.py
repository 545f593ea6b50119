"""Reading a topic from its beginning to where it ends now, without a group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError, for_code

from streams.connection import aiokafka_options
from streams.settings import Settings

STALLED_SECONDS = 30.0
"""Give up when no position moves for this long; a running transaction holds a reader back at most its timeout."""


class TopicMissingError(RuntimeError):
    """The topic does not exist on the cluster, or this user may not see it; the message says which and what to do."""


def why_unseen(topic: str, error_code: int) -> str | None:
    """Why a topic (full name) can't be described, by the broker's code; None where it can.

    What a user has no right to describe is told apart from what isn't there: making it would not help.
    """
    if not error_code:
        return None
    if error_code == TopicAuthorizationFailedError.errno:
        return f"{topic} can't be seen by this user, if it is there at all: it has no right to describe it"
    if error_code == UnknownTopicOrPartitionError.errno:
        return f"{topic} does not exist"
    return f"{topic}: {for_code(error_code).__name__}"


def how_to_mend(problems: Iterable[str]) -> str:
    """What to do about topics that `why_unseen` told of."""
    told = list(problems)
    rights = any("no right" in one for one in told)
    topics = any("no right" not in one for one in told)
    return ". ".join(
        ["Run `lotrisk topics apply`"] * topics + ["Give the user the rights of its job (docs/principals.md)"] * rights
    )


async def read_to_end(settings: Settings, topic: str, partitions: Sequence[int] | None = None) -> AsyncIterator[Any]:
    """Yield every committed record of `topic` (full name), in order within a partition.

    Without `partitions` the brokers are asked for them, and say at once what this user may not see: the consumer alone
    tries for a minute, and then tells of brokers that don't answer.

    The end is taken once, at the start, and compared with the consumer's position, so that markers of transactions and
    gaps of compaction at the end are passed.

    Raises:
        TopicMissingError: no such topic.
        TimeoutError: the end was not reached although nothing moved for half a minute.
    """
    consumer = AIOKafkaConsumer(
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 * 1_048_576,
        **aiokafka_options(settings),
    )
    try:
        await consumer.start()
        numbers = await partitions_of(settings, topic) if partitions is None else partitions
        wanted = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(wanted)
        ends = await consumer.end_offsets(wanted)
        await consumer.seek_to_beginning(*wanted)
        pending = {tp for tp in wanted if ends[tp] > 0}
        loop = asyncio.get_running_loop()
        moved = loop.time()
        positions: dict[TopicPartition, int] = {}
        while pending:
            batches = await consumer.getmany(*pending, timeout_ms=200, max_records=5000)
            for tp, records in batches.items():
                for record in records:
                    if record.offset < ends[tp]:
                        yield record
            for tp in list(pending):
                position = await consumer.position(tp)
                if positions.get(tp) != position:
                    positions[tp] = position
                    moved = loop.time()
                if position >= ends[tp]:
                    pending.discard(tp)
                    consumer.pause(tp)
            if pending and loop.time() - moved > STALLED_SECONDS:
                raise TimeoutError(
                    f"{topic}: nothing moved for {STALLED_SECONDS:.0f} s at {positions}, the end is {ends}"
                )
    finally:
        await consumer.stop()


async def partitions_of(settings: Settings, topic: str) -> list[int]:
    """The partitions of a topic (full name).

    Raises:
        TopicMissingError: no such topic.
    """
    admin = AIOKafkaAdminClient(**aiokafka_options(settings))
    try:
        await admin.start()
        [described] = await admin.describe_topics([topic])
    finally:
        await admin.close()
    problem = why_unseen(topic, described["error_code"])
    if problem is not None:
        raise TopicMissingError(f"{problem}. {how_to_mend([problem])}.")
    return sorted(partition["partition"] for partition in described["partitions"])
