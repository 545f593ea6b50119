"""A feed file as a full list: what is on the topic for the same dealer and not in the file has left the lot.

A dealer is only touched when the file holds a good record of it. A line whose record is legible but bad keeps the
record that is there: a typo in a price doesn't sell a car.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.connection import kafka_python_options
from streams.feeds.kind import Kind
from streams.feeds.publish import BOOTSTRAP_TIMEOUT_MS, PublishError, unreachable
from streams.feeds.records import FeedRecord
from streams.settings import Settings

DEFAULT_MAX_REMOVAL_PERCENT = 50.0
_STALLED_SECONDS = 60.0


class SnapshotRefusedError(ValueError):
    """A snapshot that would remove too much; the message has the counts and the way round."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a file said: `listed` keys (good and bad lines) and `dealers` with at least one good record."""

    listed: frozenset[bytes]
    dealers: frozenset[str]


class Standing(NamedTuple):
    """A key on an input topic and the partition it lies in: a producer may have put it elsewhere than its key says."""

    key: bytes
    partition: int


def removals(
    kind: Kind,
    snapshot: Snapshot,
    on_topic: Iterable[Standing],
    max_removal_percent: float = DEFAULT_MAX_REMOVAL_PERCENT,
    force: bool = False,
) -> list[FeedRecord]:
    """The tombstones of the records on the topic that the file doesn't list, by dealer and key.

    Raises:
        SnapshotRefusedError: no good record in the file, or more than `max_removal_percent` of a dealer's records would
            go and `force` is not set.
    """
    if not snapshot.dealers:
        raise SnapshotRefusedError(
            "no good record in the file: a snapshot of it would empty the lot; nothing was published"
        )
    held: dict[str, set[bytes]] = {}
    gone: dict[str, set[bytes]] = {}
    tombstones = []
    for standing in sorted(on_topic):
        dealer_id, _, ident = standing.key.decode("utf-8", "replace").partition(":")
        if dealer_id not in snapshot.dealers:
            continue
        held.setdefault(dealer_id, set()).add(standing.key)
        if standing.key not in snapshot.listed:
            gone.setdefault(dealer_id, set()).add(standing.key)
            tombstones.append(FeedRecord(kind, 0, dealer_id, ident, None, standing.partition))
    too_many = [
        f"{dealer_id}: {len(keys):,} of {len(held[dealer_id]):,} {kind.value}"
        for dealer_id, keys in sorted(gone.items())
        if len(keys) * 100 > max_removal_percent * len(held[dealer_id])
    ]
    if too_many and not force:
        raise SnapshotRefusedError(
            f"the snapshot would remove {'; '.join(too_many)}, more than {max_removal_percent:g}%; is the file the "
            "dealer's full list? If it is, repeat with --force; nothing was published"
        )
    return tombstones


def standing_records(settings: Settings, kind: Kind, dealers: Iterable[str]) -> set[Standing]:
    """The records of these dealers that stand on the input topic now: written and not followed by a tombstone.

    Reads the compacted topic once, each partition from its beginning to the end it had at the start, by position.

    Raises:
        PublishError: Kafka doesn't answer, or gives nothing for a minute before the end.
    """
    prefixes = tuple(f"{dealer_id}:".encode() for dealer_id in dealers)
    topic = kind.topic.full_name(settings.topic_prefix)
    try:
        consumer = KafkaConsumer(
            **kafka_python_options(settings),
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
        )
    except KafkaError as error:
        raise unreachable(settings, error) from error
    try:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        return _read_to(consumer, consumer.end_offsets(partitions), prefixes)
    except KafkaError as error:
        raise PublishError(f"{topic} can't be read for the snapshot: {error}") from error
    finally:
        consumer.close()


def _read_to(consumer: KafkaConsumer, ends: Mapping[TopicPartition, int], prefixes: tuple[bytes, ...]) -> set[Standing]:
    found: set[Standing] = set()
    ahead = dict(ends)
    moved = time.monotonic()
    while ahead:
        polled = consumer.poll(timeout_ms=500, max_records=10_000)
        for records in polled.values():
            for record in records:
                if record.key is not None and record.key.startswith(prefixes):
                    standing = Standing(record.key, record.partition)
                    (found.add if record.value is not None else found.discard)(standing)
        ahead = {partition: end for partition, end in ahead.items() if consumer.position(partition) < end}
        if polled:
            moved = time.monotonic()
        elif ahead and time.monotonic() - moved > _STALLED_SECONDS:
            behind = ", ".join(f"{partition.partition} at {consumer.position(partition)} of {end}"
                               for partition, end in ahead.items())  # fmt: skip
            raise PublishError(f"the topic gave nothing for {_STALLED_SECONDS:.0f} seconds; partitions {behind}")
    return found
