"""A feed file as a full list: what is on the topic for the same dealer and not in the file has left the lot.

A dealer is only touched when the file holds a good record of it. A line whose record is legible but bad keeps the
record that is there: a typo in a price doesn't sell a car.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.connection import kafka_python_options
from streams.feeds.kind import Kind
from streams.feeds.publish import PublishError, unreachable
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


def removals(
    kind: Kind,
    snapshot: Snapshot,
    on_topic: Iterable[bytes],
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
    held: dict[str, int] = {}
    gone: dict[str, list[str]] = {}
    for key in on_topic:
        dealer_id, _, ident = key.decode("utf-8", "replace").partition(":")
        if dealer_id not in snapshot.dealers:
            continue
        held[dealer_id] = held.get(dealer_id, 0) + 1
        if key not in snapshot.listed:
            gone.setdefault(dealer_id, []).append(ident)
    too_many = [
        f"{dealer_id}: {len(idents):,} of {held[dealer_id]:,} {kind.value}"
        for dealer_id, idents in sorted(gone.items())
        if len(idents) * 100 > max_removal_percent * held[dealer_id]
    ]
    if too_many and not force:
        raise SnapshotRefusedError(
            f"the snapshot would remove {'; '.join(too_many)}, more than {max_removal_percent:g}%; is the file the "
            "dealer's full list? If it is, repeat with --force; nothing was published"
        )
    return [
        FeedRecord(kind, 0, dealer_id, ident, None) for dealer_id in sorted(gone) for ident in sorted(gone[dealer_id])
    ]


def current_keys(settings: Settings, kind: Kind, dealers: Iterable[str]) -> set[bytes]:
    """The keys of these dealers that stand on the input topic now: written and not followed by a tombstone.

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
            bootstrap_timeout_ms=15_000,
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


def _read_to(consumer: KafkaConsumer, ends: Mapping[TopicPartition, int], prefixes: tuple[bytes, ...]) -> set[bytes]:
    keys: set[bytes] = set()
    ahead = dict(ends)
    moved = time.monotonic()
    while ahead:
        polled = consumer.poll(timeout_ms=500, max_records=10_000)
        for records in polled.values():
            for record in records:
                if record.key is not None and record.key.startswith(prefixes):
                    (keys.add if record.value is not None else keys.discard)(record.key)
        ahead = {partition: end for partition, end in ahead.items() if consumer.position(partition) < end}
        if polled:
            moved = time.monotonic()
        elif ahead and time.monotonic() - moved > _STALLED_SECONDS:
            behind = ", ".join(f"{partition.partition} at {consumer.position(partition)} of {end}"
                               for partition, end in ahead.items())  # fmt: skip
            raise PublishError(f"the topic gave nothing for {_STALLED_SECONDS:.0f} seconds; partitions {behind}")
    return keys
