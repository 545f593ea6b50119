"""How far the group is behind, asked of the brokers and not of the workers: a worker's own view is what breaks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    NotCoordinatorError,
)
from kafka.structs import OffsetAndMetadata

from streams.connection import kafka_python_options
from streams.settings import Settings

COORDINATOR_SECONDS = 15.0
"""How long the group's coordinator is waited for: a new cluster makes its offsets topic at the first question."""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition: the group's committed offset (None: nothing yet), the log's ends, and the offsets between."""

    topic: str
    partition: int
    committed: int | None
    beginning: int
    end: int

    @property
    def lag(self) -> int:
        """Offsets still to do; gaps of compaction and markers of transactions count, so it is an upper bound."""
        return max(0, self.end - max(self.beginning, self.committed or 0))


def group_lag(settings: Settings, topics: Sequence[str], *, timeout_seconds: float = 30.0) -> list[PartitionLag]:
    """The lag of the group on `topics` (full names) that exist, by topic and partition.

    `timeout_seconds` bounds finding the brokers, and each question to them.

    Raises:
        KafkaError: the brokers can't be reached or refuse.
    """
    milliseconds = int(timeout_seconds * 1000)
    admin = KafkaAdminClient(
        bootstrap_timeout_ms=milliseconds, request_timeout_ms=milliseconds, **kafka_python_options(settings)
    )
    try:
        wanted = [
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in admin.describe_topics()
            if topic["name"] in topics
            for partition in topic["partitions"]
        ]
        if not wanted:
            return []
        beginnings = admin.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.EARLIEST))
        ends = admin.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.LATEST))
        committed = _committed(admin, settings.group, wanted)
    finally:
        admin.close()
    lags = []
    for tp in sorted(wanted):
        known = committed.get(tp)
        offset = known.offset if known is not None and known.offset >= 0 else None
        lags.append(PartitionLag(tp.topic, tp.partition, offset, beginnings[tp].offset, ends[tp].offset))
    return lags


def _committed(
    admin: KafkaAdminClient, group: str, wanted: list[TopicPartition]
) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """Committed offsets; a group that nobody has joined has none, and a coordinator that moves is waited for."""
    deadline = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            found: Mapping[TopicPartition, OffsetAndMetadata] = admin.list_group_offsets({group: wanted})[group]
        except GroupIdNotFoundError:
            return {}
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return found
