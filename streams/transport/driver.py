"""The record-batch Faust driver: one Faust message is a `RecordBatch` of one partition.

It plugs in through the entry-point group `faust.transports` under the scheme `lotrisk://`. Offsets are the lanes' own
business: Faust's acks and gaps are switched off here. This is the only file that touches private members of Faust's
consumer and of aiokafka's; `tests/unit/transport/test_driver_guards.py` fails when one of them changes upstream.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

import aiokafka
from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.tables.recovery import RebalanceAgain
from faust.transport.drivers import aiokafka as stock
from faust.types import TP, ConsumerMessage

from streams import failpoints
from streams.connection import aiokafka_options
from streams.settings import ProcessingGuarantee, Settings
from streams.transport import wire
from streams.transport.batch import InputRecord, RecordBatch
from streams.transport.committed import heed_refusals
from streams.transport.reconnecting import pace_reconnects

if TYPE_CHECKING:
    from streams.transport.lanes import Lanes

log = logging.getLogger(__name__)

SUPPORTED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}
"""The releases whose private members this driver was written against."""

FETCH_MAX_WAIT_MS = 100
"""Longest poll of the broker; Faust's 1,500 would hold back a partition whose neighbours are idle."""
GATHER_MS, GATHER_BYTES = 20, 65_536
"""In exactly once, while records come: how long the broker gathers, and how much, before it answers a fetch. A lane
takes its next batch tens of milliseconds later anyway, and an answer costs as much for one record as for a hundred."""
HEARTBEAT_SECONDS = 2.0
"""Longest pause between heartbeats: by one of them a member learns that others came or went."""
LEAVE_SECONDS = 3.0
"""How long a worker that stops tries to leave the group."""
POLL_RECORDS = 1000
"""Most records fetched at a time: by so many a batch may grow beyond its share."""
FETCH_SECONDS = 0.2
"""Longest wait for records; a seek waits for the fetch under way."""
NEVER_IDLE_MS = 2**31 - 1
"""A worker whose lanes are all paused asks for no records and stays in the group: progress is watched, not polls."""


class Host(Protocol):
    """What the driver needs of the Faust app it serves."""

    settings: Settings
    lanes: Lanes
    consumer_generation_id: int
    conf: Any


def check_versions() -> None:
    """Refuse to run on a Faust or aiokafka whose insides this driver does not know.

    Raises:
        RuntimeError: another release is installed; the message says which is needed.
    """
    for name, wanted in SUPPORTED.items():
        found = version(name)
        if found != wanted:
            raise RuntimeError(
                f"{name} {found} is installed, lotrisk's transport needs {wanted}: install the locked set"
            )


class ConsumerThread(stock.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust ships no types
    """The thread that owns the aiokafka consumer, with lotrisk's own options."""

    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        app = cast(Host, self.app)
        conf = app.conf
        settings = app.settings

        class Sticky(StickyPartitionAssignor):  # type: ignore[misc]  # aiokafka ships no types
            """The sticky assignor keeps its memory on the class: one class a consumer."""

        self._assignor = Sticky
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            partition_assignment_strategy=[Sticky],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=min(settings.max_batch_records, POLL_RECORDS),
            max_partition_fetch_bytes=1_048_576,
            fetch_max_bytes=8 * 1_048_576,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(settings.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(min(settings.session_timeout_seconds / 5, HEARTBEAT_SECONDS) * 1000),
            rebalance_timeout_ms=int(settings.rebalance_timeout_seconds * 1000),
            max_poll_interval_ms=NEVER_IDLE_MS,
            metadata_max_age_ms=30_000,
            **aiokafka_options(settings),
        )

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Mapping[TopicPartition, list[InputRecord]]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            found = await wire.fetched(fetcher, active_partitions, timeout or 0.0, max_records or POLL_RECORDS)
        if cast(Host, self.app).settings.processing_guarantee is ProcessingGuarantee.EXACTLY_ONCE:
            gathers = bool(found)
            fetcher._fetch_min_bytes = GATHER_BYTES if gathers else 1
            fetcher._fetch_max_wait_ms = GATHER_MS if gathers else FETCH_MAX_WAIT_MS
        return found

    def close(self) -> None:
        """Faust calls this when a rebalance meets a stop: it would close the connections, and the group not be left."""

    async def on_thread_stop(self) -> None:
        """Leave the group before anything else: a join under way may wait for other members, and the stop for it."""
        if self._consumer is not None and self._consumer._coordinator is not None:
            await self._leave_group(self._consumer)
        await super().on_thread_stop()

    async def _leave_group(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        coordinator = consumer._coordinator
        coordinator._coordination_task.cancel()
        await asyncio.wait([coordinator._coordination_task])
        if coordinator.coordinator_id is None or not coordinator.member_id:
            return
        # The coordinator's own connection is busy as long as a join waits.
        request = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
        try:
            await asyncio.wait_for(
                consumer._client.send(coordinator.coordinator_id, request, group=ConnectionGroup.DEFAULT), LEAVE_SECONDS
            )
        except (TimeoutError, KafkaError) as error:
            log.warning("the group was not left, it waits for the session to end: %r", error)
        coordinator.generation = -1  # none, as aiokafka has it: it need not leave again

    async def committed_and_seek(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Seek each partition to its committed offset, or to the beginning; return where they stand."""
        return cast(dict[TP, int], await self.call_thread(self._committed_and_seek, list(partitions)))

    async def _committed_and_seek(self, partitions: Sequence[TP]) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        assignment = consumer._subscription.subscription.assignment
        found = {TopicPartition(tp.topic, tp.partition): 0 for tp in partitions}
        for topic_partition in found:
            found[topic_partition] = await consumer.committed(topic_partition) or 0
        if consumer._subscription.subscription.assignment is not assignment:
            # What was read may be older than the new owner's first step; that owner's own seek has the truth.
            raise RebalanceAgain
        positions: dict[TP, int] = {}
        beginnings = []
        for topic_partition, committed in found.items():
            tp = TP(topic_partition.topic, topic_partition.partition)
            if committed:
                consumer.seek(topic_partition, committed)
                positions[tp] = committed
            else:
                beginnings.append(topic_partition)
        if beginnings:
            await consumer.seek_to_beginning(*beginnings)
            for topic_partition in beginnings:
                tp = TP(topic_partition.topic, topic_partition.partition)
                positions[tp] = await consumer.position(topic_partition)
        return positions


class Consumer(stock.Consumer):  # type: ignore[misc]  # Faust ships no types
    """Faust's consumer with batches for messages and lanes for offsets."""

    app: Host

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        check_versions()
        pace_reconnects()
        heed_refusals()
        super().__init__(*args, **kwargs)
        self._open: dict[TP, RecordBatch] = {}
        self._full: set[TP] = set()
        self._room = asyncio.Event()
        self._fetching = asyncio.Lock()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- fetching and joining

    async def _wait_next_records(self, timeout: float) -> Any:
        """Faust sleeps a second when every partition is full; wait for room instead."""
        if self.flow_active and not self._get_active_partitions() and self._full:
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), timeout)
            except TimeoutError:
                return None, self._active_partitions
        return await super()._wait_next_records(timeout)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[RecordBatch]]:
        """Join what was fetched to the batches that wait; return only the new ones.

        A fetch and a seek exclude each other: a fetch begun before a rebalance may take what arrives after it, which is
        thrown away here, and only a seek that comes later makes sure that it is read again.
        """
        async with self._fetching:
            generation = self.app.consumer_generation_id
            fetched: Mapping[TP, list[InputRecord]] = await super()._getmany(
                active_partitions=active_partitions, timeout=min(timeout, FETCH_SECONDS)
            )
            if generation != self.app.consumer_generation_id or not self.flow_active:
                return {}
            fresh: dict[TP, list[RecordBatch]] = {}
            for topic_partition, records in fetched.items():
                tp = TP(topic_partition.topic, topic_partition.partition)
                batch = self._open.get(tp)
                if batch is None:
                    batch = self._open[tp] = RecordBatch(tp, generation)
                    fresh[tp] = [batch]
                batch.join(records)
                if self.app.lanes.is_full(batch):
                    self._full.add(tp)
                    self.on_buffer_full(tp)
                    self.app.lanes.filled(tp)
            return fresh

    def _to_message(self, tp: TP, record: RecordBatch) -> ConsumerMessage:
        return ConsumerMessage(
            record.topic,
            record.partition,
            record.last_offset,
            record.records[0].timestamp / 1000,
            0,
            [],
            None,
            record,
            None,
            0,
            record.bytes,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def seal(self, batch: RecordBatch) -> None:
        """A lane takes the batch: nothing joins it any more, and its partition may be fetched again."""
        batch.sealed = True
        if self._open.get(batch.tp) is batch:
            del self._open[batch.tp]
        if batch.tp in self._full:
            self._full.discard(batch.tp)
            self.on_buffer_drop(batch.tp)
            self._room.set()

    def hold(self, tp: TP) -> None:
        """Fetch no more of a partition whose lane is paused."""
        self._open.pop(tp, None)
        self._full.add(tp)
        self.on_buffer_full(tp)

    def _forget_batches(self) -> None:
        self._open.clear()
        self._full.clear()
        self._buffered_partitions.clear()
        self._room.set()

    def waiting(self, tp: TP) -> RecordBatch | None:
        """The batch of a partition that was fetched and that no lane has taken yet."""
        return self._open.get(tp)

    def reached(self, tp: TP) -> tuple[int | None, int | None]:
        """Position of the next fetch and end of the partition, as last heard from the broker."""
        topic_partition = TopicPartition(tp.topic, tp.partition)
        assignment = cast(ConsumerThread, self._thread)._ensure_consumer()._subscription.subscription.assignment
        if topic_partition not in assignment.tps:
            return None, None
        state = assignment.state_value(topic_partition)
        return (state._position, state.highwater)

    # -- offsets

    def ack(self, message: Any) -> bool:
        """Mark only: a batch is finished when its lane says so."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets of batches aren't consecutive, and nobody asks."""

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        """What the lanes finished; in exactly once offsets move only inside the transactions."""
        return self._newer(self.app.lanes.finished_offsets())

    def _newer(self, offsets: Mapping[TP, int]) -> dict[TP, int]:
        if self.app.settings.processing_guarantee is ProcessingGuarantee.EXACTLY_ONCE:
            return {}
        return {tp: offset for tp, offset in offsets.items() if offset > (self._committed_offset[tp] or 0)}

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        assigned = self.assignment()
        ours = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        if not ours or not await self._commit(ours):
            return False
        self._committed_offset.update(ours)
        self.app.lanes.committed(ours)
        return True

    # -- rebalances

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the batches in work finish within a bound, then close; only then the group goes on."""
        await self.drain()
        await super().on_partitions_revoked(revoked)

    async def drain(self) -> None:
        """Let the batches in work finish within a bound, close every lease, commit what was finished."""
        finished = await self.app.lanes.revoke()
        self._forget_batches()
        await self._commit_offsets(self._newer(finished))

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Only bookkeeping: no heartbeat is sent until this returns."""
        self._forget_batches()
        await super().on_partitions_assigned(assigned, generation_id)
        await failpoints.reach("assigned")

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, but never before every assigned partition is leased in this generation.

        Raises:
            RebalanceAgain: the leases of this generation aren't open yet, or were taken away meanwhile.
        """
        async with self._fetching:
            generation = self.app.consumer_generation_id
            assigned = {TP(tp.topic, tp.partition) for tp in self.assignment()}
            if not self.app.lanes.are_leased(assigned, generation):
                raise RebalanceAgain(f"generation {generation}: partitions are not leased yet")
            await failpoints.reach("seek.before")
            self._forget_batches()
            positions = await cast(ConsumerThread, self._thread).committed_and_seek(assigned)
            await failpoints.reach("seek.after")
            if not self.app.lanes.are_leased(assigned, generation):
                raise RebalanceAgain(f"generation {generation}: partitions were revoked during the seek")
            self._read_offset.update(dict(positions))
            self._committed_offset.update(dict(positions))
            self.app.lanes.positioned(positions)


class Producer(stock.Producer):  # type: ignore[misc]  # Faust ships no types
    """Faust starts one; lotrisk sends through its lanes, so this one only has to be able to connect."""

    def _settings_auth(self) -> Mapping[str, Any]:
        options = aiokafka_options(cast(Host, self.app).settings)
        return {name: value for name, value in options.items() if name != "bootstrap_servers"}


class Transport(stock.Transport):  # type: ignore[misc]  # Faust ships no types
    """Faust transport `lotrisk://`: aiokafka underneath, record batches above."""

    Consumer: ClassVar[type] = Consumer
    Producer: ClassVar[type] = Producer
