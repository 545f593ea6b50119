"""One lane's way out: a producer and the batches it builds, in one object, so that no batch leaves by another producer.

With a transactional id, one `Draft` is one transaction: records and offsets together, or nothing. Without, the records
that must stand before the enriched ones (flags, dead letters) are acknowledged first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.producer import sender as aiokafka_sender

from streams import failpoints
from streams.connection import aiokafka_options
from streams.settings import Settings
from streams.topics import OUTPUT_MAX_BYTES
from streams.transport.batch import Headers
from streams.transport.records import Records, Stamp
from streams.transport.wire import BATCH_BYTES, OutgoingBatch

log = logging.getLogger(__name__)

BATCH_OVERHEAD_BYTES = 512
"""More than what a batch has beside a single record."""
EnrichedRecord = tuple[
    Stamp, bytes, bytes, bytes, str, int, int | None, bytes, int, int, int, bytes | None, bytes
]  # fmt: skip
"""The arguments of `Records.add_enriched`."""

REFUSED_SECONDS = 0.002
"""Pause before a transaction's first request is repeated. Kafka answers a commit before its markers are written, and
refuses its next transaction until they are, a few milliseconds later; aiokafka alone waits 20 ms each time."""
aiokafka_sender.BACKOFF_OVERRIDE = REFUSED_SECONDS

T = TypeVar("T")


class DeliveryError(RuntimeError):
    """The broker did not take what was sent, in time or at all; the lane's producer is finished."""


class Landed(NamedTuple):
    """Where a draft's records of its last topic came to stand: the first one's offset, and the one after the last."""

    first: int
    position: int


class Draft:
    """Records of one lane's batch, built and not yet sent; made by `Outbox.draft`. `step` begins failpoints' names."""

    def __init__(self, *, transactional: bool, step: str = "batch") -> None:
        self._transactional = transactional
        self.step = step
        self._open: dict[str, OutgoingBatch] = {}
        self._batches: dict[str, list[OutgoingBatch]] = {}
        self._elsewhere: dict[tuple[str, int], list[OutgoingBatch]] = {}
        self.records = 0

    def add(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int) -> None:
        """Append one record for `topic`; a full batch is closed and the next begun."""
        batch = self._open.get(topic)
        if batch is None or not batch.add(key, value, headers, timestamp_ms):
            self._begin(topic).add(key, value, headers, timestamp_ms)
        self.records += 1

    def add_enriched(self, topic: str, record: EnrichedRecord) -> None:
        """Append an enriched record for `topic`: the arguments of `Records.add_enriched`."""
        batch = self._open.get(topic)
        if batch is None or not batch.add_enriched(*record):
            self._begin(topic).add_enriched(*record)
        self.records += 1

    def _begin(self, topic: str) -> OutgoingBatch:
        """The next batch of a topic. Its first record is taken whatever its size; `fits` was asked before."""
        full = self._open.get(topic)
        if full is not None:
            full.close()
        batch = self._open[topic] = OutgoingBatch(transactional=self._transactional)
        self._batches.setdefault(topic, []).append(batch)
        return batch

    def add_to(
        self, partition: int, topic: str, key: bytes, value: bytes | None, headers: Headers, timestamp_ms: int
    ) -> None:
        """Append one record for another partition than the lane's."""
        batches = self._elsewhere.setdefault((topic, partition), [])
        if not batches or not batches[-1].add(key, value, headers, timestamp_ms):
            if batches:
                batches[-1].close()
            batches.append(OutgoingBatch(transactional=self._transactional))
            batches[-1].add(key, value, headers, timestamp_ms)
        self.records += 1

    async def elsewhere(self) -> list[tuple[str, int, OutgoingBatch]]:
        """The batches for other partitions than the lane's, ready to be sent."""
        found: list[tuple[str, int, OutgoingBatch]] = []
        for (topic, partition), batches in self._elsewhere.items():
            batches[-1].close()
            for batch in batches:
                await batch.ready()
                found.append((topic, partition, batch))
        return found

    async def batches(self, *, last: str) -> tuple[list[tuple[str, OutgoingBatch]], list[tuple[str, OutgoingBatch]]]:
        """The batches, ready to be sent: those that go first, and those of the topic `last`."""
        first: list[tuple[str, OutgoingBatch]] = []
        final: list[tuple[str, OutgoingBatch]] = []
        for batch in self._open.values():
            batch.close()
        for topic, batches in self._batches.items():
            for batch in batches:
                await batch.ready()
                (final if topic == last else first).append((topic, batch))
        return first, final


def fits(append: Callable[[Records], object]) -> bool:
    """Whether an output topic takes the record that `append` adds: one that it refuses takes its batch and its
    producer with it."""
    trial = Records(0)
    append(trial)
    return BATCH_OVERHEAD_BYTES + trial.size <= OUTPUT_MAX_BYTES


class Outbox:
    """A producer for one input partition; `transactional_id` None means at least once."""

    def __init__(self, settings: Settings, transactional_id: str | None) -> None:
        self._limit = settings.transaction_timeout_seconds * 0.8
        self._group = settings.group
        self.transactional_id = transactional_id
        more: dict[str, Any] = (
            {"enable_idempotence": True}
            if transactional_id is None
            else {
                "transactional_id": transactional_id,
                "transaction_timeout_ms": int(settings.transaction_timeout_seconds * 1000),
            }
        )
        self._producer = AIOKafkaProducer(
            client_id=f"{settings.group}-lane",
            acks="all",
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            max_request_size=OUTPUT_MAX_BYTES,
            request_timeout_ms=int(self._limit * 1000),
            linger_ms=0,
            **more,
            **aiokafka_options(settings),
        )

    async def start(self) -> None:
        """Connect; with a transactional id, settle and fence whatever an earlier owner left (InitProducerId)."""
        await self._within(self._producer.start(), "start of the producer")

    async def stop(self) -> None:
        """Disconnect. Only after the lane has ended: a stop under a running transaction would leave it waiting."""
        try:
            await asyncio.wait_for(self._producer.stop(), self._limit)
        except (TimeoutError, KafkaError) as error:
            log.warning("producer %s did not stop cleanly: %r", self.transactional_id, error)

    def draft(self, step: str = "batch") -> Draft:
        """An empty draft, to be published through this outbox only; `step` is `batch` or `rerate`."""
        return Draft(transactional=self.transactional_id is not None, step=step)

    async def publish(
        self, draft: Draft, partition: int, *, last: str, offsets: Mapping[tuple[str, int], int]
    ) -> Landed | None:
        """Send the draft to `partition` of its topics, the topic `last` last, and commit `offsets` with it.

        `offsets` are the next ones to read, by topic and partition; used with a transactional id only, where the
        caller otherwise commits them afterwards. Returns where the records of `last` stand, None without any.

        Raises:
            DeliveryError: something wasn't acknowledged, or not in time; nothing may be sent through this outbox again.
            ProducerFenced: a newer owner has the partition.
        """
        ours, enriched = await draft.batches(last=last)
        first = [*await draft.elsewhere(), *((topic, partition, batch) for topic, batch in ours)]
        final = [(topic, partition, batch) for topic, batch in enriched]
        if self.transactional_id is None:
            await self._within(self._send(first, draft.step), "delivery")
            landed = await self._within(self._send(final, draft.step), "delivery")
            await failpoints.reach(draft.step + ".delivered")
        else:
            landed = await self._within(self._transaction(first, final, offsets, draft.step), "transaction")
        if not final:
            return None
        return Landed(landed[0], landed[-1] + final[-1][2].record_count())

    async def _transaction(
        self,
        first: list[tuple[str, int, OutgoingBatch]],
        final: list[tuple[str, int, OutgoingBatch]],
        offsets: Mapping[tuple[str, int], int],
        step: str,
    ) -> list[int]:
        await self._producer.begin_transaction()
        landed = await self._send(first + final, step)
        await failpoints.reach(step + ".delivered")
        if offsets:
            await self._producer.send_offsets_to_transaction(
                {TopicPartition(topic, number): offset for (topic, number), offset in offsets.items()}, self._group
            )
        await failpoints.reach(step + ".offsets_sent")
        await self._producer.commit_transaction()
        return landed[len(first) :]

    async def _send(self, batches: list[tuple[str, int, OutgoingBatch]], step: str) -> list[int]:
        """Send and await every delivery; the offset of each batch's first record."""
        futures = [
            await self._producer.send_batch(batch, topic, partition=partition) for topic, partition, batch in batches
        ]
        await failpoints.reach(step + ".sent")
        # A failed batch doesn't fail the transaction, so every one is looked at.
        results = await asyncio.gather(*futures, return_exceptions=True)
        landed: list[int] = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            landed.append(result.offset)
        return landed

    async def _within(self, work: Awaitable[T], what: str) -> T:
        try:
            return await asyncio.wait_for(work, self._limit)
        except TimeoutError as error:
            raise DeliveryError(f"{what} took longer than {self._limit:.0f} s") from error
