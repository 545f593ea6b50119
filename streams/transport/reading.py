"""Reading a topic from its beginning to where it ends now, without a group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.connection import aiokafka_options
from streams.settings import Settings

STALLED_SECONDS = 30.0
"""Give up when no position moves for this long; a running transaction holds a reader back at most its timeout."""


class TopicMissingError(RuntimeError):
    """The topic does not exist on the cluster."""


async def read_to_end(settings: Settings, topic: str, partitions: Sequence[int] | None = None) -> AsyncIterator[Any]:
    """Yield every committed record of `topic` (full name), in order within a partition.

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
    await consumer.start()
    try:
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
    await admin.start()
    try:
        [described] = await admin.describe_topics([topic])
    finally:
        await admin.close()
    if described["error_code"]:
        raise TopicMissingError(f"topic {topic} does not exist: run `lotrisk topics apply`")
    return sorted(partition["partition"] for partition in described["partitions"])
