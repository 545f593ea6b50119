"""Following `risk.flags` with kafka-python: read committed, from the positions that stand beside the effects.

No consumer group: the positions are in the reader's own store, where they change together with what was done, and the
brokers' copy of them could only disagree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from streams.connection import kafka_python_options
from streams.consumers.flag_store import FlagStore, Outcome, Record, StoreError
from streams.settings import Settings
from streams.topics import FLAGS
from streams.transport.reading import how_to_mend, why_unseen

POLL_MS = 500
BATCH_RECORDS = 500
"""Most records of one transaction of the store: what is done again after a crash."""


class NoFlagsError(RuntimeError):
    """There is no topic of flags."""


def follow(settings: Settings, store: FlagStore, *, to_end: bool = False) -> Iterator[Counter[Outcome]]:
    """Read flags into `store` for ever, or to where the topic ends now; yields what became of each batch.

    A batch may be empty: nothing came for half a second.

    Raises:
        NoFlagsError: the topic does not exist.
        StoreError: the store is of another topic, or what it would read next has been deleted by retention.
        kafka.errors.KafkaError: the brokers are away, or refuse.
    """
    topic = FLAGS.full_name(settings.topic_prefix)
    topic_id, numbers = _describe(settings, topic)
    held = store.positions(topic, topic_id)
    consumer = KafkaConsumer(
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        # A position that is gone must be heard of, not jumped over.
        auto_offset_reset="none",
        max_poll_records=BATCH_RECORDS,
        **kafka_python_options(settings),
    )
    with closing(consumer):
        partitions = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(partitions)
        first = consumer.beginning_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, held.get(partition.partition, first[partition]))
        ends = consumer.end_offsets(partitions) if to_end else {}
        while not to_end or any(consumer.position(partition) < end for partition, end in ends.items()):
            try:
                polled = consumer.poll(timeout_ms=POLL_MS)
            except OffsetOutOfRangeError as error:
                raise StoreError(
                    f"{store.path}: {topic} no longer holds what comes next ({error}); "
                    "move the file away to read from the beginning"
                ) from error
            records = [
                Record(one.partition, one.offset, one.key, one.value, one.headers)
                for batch in polled.values()
                for one in batch
            ]
            if not records:
                yield Counter()
                continue
            yield store.take(records, {one.partition: consumer.position(one) for one in partitions})


def _describe(settings: Settings, topic: str) -> tuple[str, list[int]]:
    """The topic's id and its partitions."""
    with closing(KafkaAdminClient(**kafka_python_options(settings))) as admin:
        [found] = admin.describe_topics([topic])
    if problem := why_unseen(topic, found["error_code"]):
        raise NoFlagsError(f"{problem}. {how_to_mend([problem])}.")
    return str(found["topic_id"]), sorted(one["partition_index"] for one in found["partitions"])
