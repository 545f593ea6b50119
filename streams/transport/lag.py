"""How far the group is behind, asked of the brokers and not of the workers: a worker's own view is what breaks."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    NotCoordinatorError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from kafka.structs import OffsetAndMetadata

from streams.connection import kafka_python_options
from streams.settings import Settings

log = logging.getLogger(__name__)

COORDINATOR_SECONDS = 15.0
"""How long the group's coordinator is waited for: a new cluster makes its offsets topic at the first question."""

PROBE_SECONDS = 2.0
"""How long the rest of partitions that stand still is read at one question; the others come at the next."""
PROBE_BYTES = 65_536


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
            for topic in _seen(admin.describe_topics(list(topics)))
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


class GroupLag:
    """The group's lag, asked again and again: what is left in a partition that stands still may be no record at all.

    A producer with transactions ends each with a marker, and what it aborts stays in the log; no consumer is ever given
    either, so the committed offset can't pass them until a record follows. Where neither end moved between two
    questions, the rest is read; without a record in it there is no lag. That needs the
    right to read the topics: a principal that may only describe them is shown the upper bound.
    """

    def __init__(self, settings: Settings, topics: Sequence[str], *, timeout_seconds: float = 30.0) -> None:
        self._settings = settings
        self._topics = topics
        self._timeout = timeout_seconds
        self._before: dict[TopicPartition, PartitionLag] = {}
        self._no_records: dict[TopicPartition, PartitionLag] = {}
        self._may_read = True

    def ask(self) -> list[PartitionLag]:
        """The lag now, by topic and partition.

        Raises:
            KafkaError: the brokers can't be reached or refuse.
        """
        found = {
            TopicPartition(lag.topic, lag.partition): lag
            for lag in group_lag(self._settings, self._topics, timeout_seconds=self._timeout)
        }
        still = {tp: lag for tp, lag in found.items() if lag.lag and self._before.get(tp) == lag}
        self._before = found
        self._no_records = {tp: lag for tp, lag in self._no_records.items() if still.get(tp) == lag}
        unsure = {tp: lag for tp, lag in still.items() if tp not in self._no_records}
        if unsure and self._may_read:
            try:
                self._no_records |= {tp: unsure[tp] for tp in self._without_records(unsure)}
            except TopicAuthorizationFailedError as error:
                self._may_read = False
                log.warning("may not read the topics, so markers of transactions count as lag: %s", error)
        return [replace(lag, committed=lag.end) if tp in self._no_records else lag for tp, lag in found.items()]

    def _without_records(self, lags: Mapping[TopicPartition, PartitionLag]) -> set[TopicPartition]:
        consumer = KafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_poll_records=1,
            max_partition_fetch_bytes=PROBE_BYTES,
            request_timeout_ms=int(self._timeout * 1000),
            **kafka_python_options(self._settings),
        )
        empty: set[TopicPartition] = set()
        with closing(consumer):
            deadline = time.monotonic() + PROBE_SECONDS
            for tp, lag in lags.items():
                consumer.assign([tp])
                consumer.seek(tp, lag.end - lag.lag)
                while time.monotonic() < deadline and not consumer.poll(timeout_ms=100):
                    if consumer.position(tp) >= lag.end:
                        empty.add(tp)
                        break
        return empty


def _seen(described: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The topics that exist; one that the principal may not see is an error, where a list of all would leave it out."""
    for topic in described:
        if not topic["error_code"]:
            yield topic
        elif topic["error_code"] != UnknownTopicOrPartitionError.errno:
            raise for_code(topic["error_code"])(topic["name"])


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
