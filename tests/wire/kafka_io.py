"""Small sentences about Kafka for the wire tests: create, produce, read to the end, committed offsets, wait until."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from streams.settings import Settings
from streams.topics import CATALOGUE, Topic

Isolation = Literal["read_committed", "read_uncommitted"]
Header = tuple[str, bytes]
Result = TypeVar("Result")

_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Raw:
    """A record to produce. `partition` None leaves it to Kafka's default: murmur2 of the key. `timestamp` in ms."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[Header] = ()
    timestamp: int | None = None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as a topic holds it. `timestamp` in ms."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    timestamp: int

    def header(self, name: str) -> bytes | None:
        """The last header of that name."""
        return dict(self.headers).get(name)


def admin(settings: Settings) -> KafkaAdminClient:
    """An admin client; close it."""
    return KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)


def create_topics(settings: Settings, topics: Iterable[Topic] = CATALOGUE) -> None:
    """Create `topics` of the catalogue under the settings' prefix and wait until each partition has a leader."""
    wanted = {
        topic.full_name(settings.topic_prefix): {
            "num_partitions": topic.partitions or settings.partitions,
            "replication_factor": settings.replication_factor,
            "configs": dict(topic.configs),
        }
        for topic in topics
    }
    with closing(admin(settings)) as client:
        client.create_topics(wanted, wait_for_metadata=True)


def delete_topics(settings: Settings) -> None:
    """Delete every topic under the settings' prefix, which must not be empty."""
    assert settings.topic_prefix, "this would delete every topic of the cluster"
    with closing(admin(settings)) as client:
        if ours := [name for name in client.list_topics() if name.startswith(settings.topic_prefix)]:
            client.delete_topics(ours)


def produce(settings: Settings, topic: Topic, records: Iterable[Raw]) -> list[tuple[int, int]]:
    """Send `records` as they are and wait for the broker; (partition, offset) of each, in order.

    Raises what the broker answered, for example for a record that is too large.
    """
    name = topic.full_name(settings.topic_prefix)
    limit = int(topic.configs.get("max.message.bytes", 1_048_576))
    with closing(KafkaProducer(bootstrap_servers=settings.bootstrap_servers, max_request_size=2 * limit)) as producer:
        sent = [
            producer.send(
                name,
                record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
                timestamp_ms=record.timestamp,
            )
            for record in records
        ]
        producer.flush(timeout=_DEADLINE_SECONDS)
        acknowledged = [future.get(timeout=_DEADLINE_SECONDS) for future in sent]
        return [(metadata.partition, metadata.offset) for metadata in acknowledged]


def read_all(
    settings: Settings,
    topic: Topic,
    isolation: Isolation = "read_committed",
    deadline_seconds: float = _DEADLINE_SECONDS,
) -> list[Stored]:
    """Everything `topic` holds now, in order of partition and offset.

    The end is the end offset at the call (for `read_committed` the last stable offset) and is reached by *position*, so
    that transaction markers and compacted gaps count. Raises TimeoutError naming the partitions that lag.
    """
    name = topic.full_name(settings.topic_prefix)
    consumer = KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level=isolation,
        fetch_max_wait_ms=100,
    )
    with closing(consumer):
        numbers = consumer.partitions_for_topic(name)
        if not numbers:
            raise LookupError(f"topic {name} does not exist")
        partitions = [TopicPartition(name, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        found: list[Stored] = []
        deadline = time.monotonic() + deadline_seconds
        while behind := {p: end for p, end in ends.items() if consumer.position(p) < end}:
            if time.monotonic() > deadline:
                where = ", ".join(f"{p.partition} at {consumer.position(p)} of {end}" for p, end in behind.items())
                raise TimeoutError(f"{name} not read to its end in {deadline_seconds:g} s: partition {where}")
            for partition, records in consumer.poll(timeout_ms=200).items():
                found += [
                    Stored(
                        record.partition,
                        record.offset,
                        record.key,
                        record.value,
                        tuple((header[0], header[1]) for header in record.headers),
                        record.timestamp,
                    )
                    for record in records
                    if record.offset < ends[partition]
                ]
    return sorted(found, key=lambda record: (record.partition, record.offset))


def end_offsets(settings: Settings, topic: Topic, isolation: Isolation = "read_uncommitted") -> Mapping[int, int]:
    """Partition to its high watermark, or its last stable offset with `read_committed`."""
    name = topic.full_name(settings.topic_prefix)
    consumer = KafkaConsumer(bootstrap_servers=settings.bootstrap_servers, group_id=None, isolation_level=isolation)
    with closing(consumer):
        partitions = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]
        return {partition.partition: end for partition, end in consumer.end_offsets(partitions).items()}


def committed(settings: Settings, topic: Topic, group: str | None = None) -> Mapping[int, int]:
    """Partition to committed offset of `group` (default the settings'); partitions without one are left out."""
    group = group or settings.group
    name = topic.full_name(settings.topic_prefix)
    with closing(admin(settings)) as client:
        offsets = _once_there_is_a_coordinator(lambda: client.list_group_offsets({group: None})[group])
    return {p.partition: found.offset for p, found in offsets.items() if p.topic == name and found.offset >= 0}


def _once_there_is_a_coordinator(ask: Callable[[], Result]) -> Result:
    """On a new broker the first question about a group only starts the creation of the topic that answers it."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        try:
            return ask()
        except (CoordinatorNotAvailableError, NotCoordinatorError, CoordinatorLoadInProgressError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def lag(settings: Settings, topic: Topic, group: str | None = None) -> int:
    """Records of `topic` (and markers) that `group` has not committed yet."""
    done = committed(settings, topic, group)
    return sum(end - done.get(partition, 0) for partition, end in end_offsets(settings, topic).items())


def wait_until(
    predicate: Callable[[], Result],
    deadline_seconds: float = _DEADLINE_SECONDS,
    *,
    what: str | Callable[[], str] = "",
    every_seconds: float = 0.1,
) -> Result:
    """Ask `predicate` until its answer is truthy, and return that; TimeoutError with `what` and the last answer."""
    deadline = time.monotonic() + deadline_seconds
    while not (answer := predicate()):
        if time.monotonic() > deadline:
            told = what() if callable(what) else what
            raise TimeoutError(f"not in {deadline_seconds:g} s: {told or predicate} (last answer: {answer!r})")
        time.sleep(every_seconds)
    return answer
