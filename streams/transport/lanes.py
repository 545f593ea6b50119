"""All lanes of this worker, and the order in which they are given up and taken on.

    revoked:  leases drain, bounded, then close            (in the consumer's callback: the group waits for it)
    complete: old lanes end, new producers start in parallel (InitProducerId), state is restored, leases open
    seek:     only now are the committed offsets read

A new owner's producer starts before the committed offset is read: that settles and fences what the old owner left, and
only then does the offset tell the truth.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from faust.types import TP

from streams import failpoints
from streams.enrich.context import Context
from streams.instruments import Metrics
from streams.settings import ProcessingGuarantee, Settings
from streams.state.partition import Place, RocksState
from streams.state.store import StateStore
from streams.state.view import EveryRecordNew, PartitionState
from streams.transport.batch import RecordBatch
from streams.transport.dlq_limit import DlqLimit
from streams.transport.lane import Lane
from streams.transport.lease import Lease
from streams.transport.outbox import Outbox
from streams.transport.pace import Pace
from streams.transport.pipeline import Pipeline
from streams.transport.rater import LanePlace
from streams.transport.rerating import RerateSlot
from streams.transport.settling import Settling
from streams.transport.totals import groups_told

if TYPE_CHECKING:
    from streams.enrich.totals import Totals
    from streams.tracing import Tracing

log = logging.getLogger(__name__)

ENRICHING_AT_ONCE = 2
"""Lanes that enrich at one time; the others' batches wait and are joined. All share one processor: with a backlog
everywhere the first commit would else come only when the last lane was through, with all their batches held."""


class Fetching(Protocol):
    """What lanes tell the consumer."""

    def seal(self, batch: RecordBatch) -> None: ...
    def hold(self, tp: TP) -> None: ...
    def waiting(self, tp: TP) -> RecordBatch | None: ...
    def reached(self, tp: TP) -> tuple[int | None, int | None]: ...


class Lanes:
    """The lanes of the assigned partitions, one generation of the group at a time."""

    def __init__(
        self,
        settings: Settings,
        pipelines: Iterable[Pipeline],
        *,
        context: Callable[[], Context],
        metrics: Metrics,
        fatal: Callable[[BaseException], None],
        states: StateStore | None = None,
        since: Callable[[], datetime] | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """`states` None means that nothing is remembered: every record is new, and a new book rates none again.

        `since` tells when the book in force came about.
        """
        self._settings = settings
        self._pipelines = {pipeline.source.full_name(settings.topic_prefix): pipeline for pipeline in pipelines}
        self._context = context
        self._metrics = metrics
        self._fatal = fatal
        self._states = states
        self._since = since
        self._tracing = tracing
        self._lanes: dict[TP, Lane] = {}
        self._sharing = 1
        self._leased: tuple[int, frozenset[TP]] | None = None
        self._lock = asyncio.Lock()
        self._turns = asyncio.Semaphore(ENRICHING_AT_ONCE)
        self._slot = RerateSlot()
        self._pace = Pace()
        self._revocations = 0
        self._exactly_once = settings.processing_guarantee is ProcessingGuarantee.EXACTLY_ONCE
        self.topic_ids: Mapping[str, str] = {}
        self.partition_counts: Mapping[str, int] = {}
        self.fetching: Fetching | None = None

    def __getitem__(self, tp: TP) -> Lane:
        return self._lanes[tp]

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def assigned(self) -> frozenset[TP]:
        """The partitions leased now."""
        return self._leased[1] if self._leased else frozenset()

    @property
    def is_leased(self) -> bool:
        """Whether the group has given this worker its partitions; none is an answer too."""
        return self._leased is not None

    @property
    def paused(self) -> Mapping[TP, str]:
        """The paused partitions and why."""
        return {tp: lane.paused_because for tp, lane in self._lanes.items() if lane.paused_because is not None}

    # -- what the agents and the driver call

    def submit(self, batch: RecordBatch) -> None:
        """Hand a batch to the lane of its partition; one of an earlier generation is dropped, it will be read again."""
        lane = self._lanes.get(batch.tp)
        if lane is not None and lane.lease.generation == batch.generation:
            lane.offer(batch)

    def filled(self, tp: TP) -> None:
        """The batch that waits for a partition's lane is full."""
        lane = self._lanes.get(tp)
        if lane is not None:
            lane.filled()

    def is_full(self, batch: RecordBatch) -> bool:
        """Whether a waiting batch is large enough for its partition not to be fetched for now."""
        settings, lanes = self._settings, self._sharing
        pipeline = self._pipelines.get(batch.topic)
        if pipeline is not None and pipeline.join is not None:
            # Parts of groups wait until all have come that one new book leads to: they are few, and not cut short.
            return len(batch) >= settings.max_waiting_records or batch.bytes >= settings.max_batch_bytes
        return len(batch) >= min(
            settings.max_batch_records, settings.max_waiting_records // lanes
        ) or batch.bytes >= min(settings.max_batch_bytes, settings.max_waiting_bytes // lanes)

    def finished_offsets(self) -> dict[TP, int]:
        """The next offset of each leased partition whose batches are acknowledged up to there."""
        return {
            tp: lane.finished_offset
            for tp, lane in self._lanes.items()
            if lane.finished_offset is not None and lane.lease.allows_sending
        }

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """Offsets were committed (at least once)."""
        now = self._metrics.clock()
        for tp, offset in offsets.items():
            lane = self._lanes.get(tp)
            if lane is not None:
                lane.metrics.progress.update(now=now, committed=offset)

    def positioned(self, positions: Mapping[TP, int]) -> None:
        """The consumer was sought to these offsets."""
        self.committed(positions)

    def observe_progress(self) -> None:
        """Take in how far the partitions are and where they end; called every second or so."""
        if self.fetching is None:
            return
        now = self._metrics.clock()
        for tp, lane in self._lanes.items():
            waits = self.fetching.waiting(tp)
            lane.observe_load(waits)
            position, end = self.fetching.reached(tp)
            committed = lane.finished_offset if self._exactly_once else None
            if position is not None and end is not None and position >= end and waits is None and lane.idle:
                # Read to the end and nothing in work: what is left there are markers of transactions, not records.
                end = lane.metrics.progress.committed if committed is None else committed
            lane.metrics.progress.update(now=now, committed=committed, end=end)

    def are_leased(self, partitions: Iterable[TP], generation: int) -> bool:
        """Whether every one of `partitions` is leased in this generation."""
        return self._leased is not None and self._leased[0] == generation and self._leased[1] >= set(partitions)

    # -- the order of a rebalance

    async def revoke(self) -> dict[TP, int]:
        """Drain every lease within the bound, then close it. The group waits for this.

        Returns the next offset of each partition that has finished batches; nobody else may commit them from here on.
        """
        self._revocations += 1
        self._leased = None
        await failpoints.reach("revoke.draining")
        bound = min(self._settings.drain_seconds, self._settings.rebalance_timeout_seconds / 3)
        lanes = dict(self._lanes)
        finished = await asyncio.gather(*(lane.lease.drain(bound) for lane in lanes.values()))
        cut_short = [tp for tp, done in zip(lanes, finished, strict=True) if not done]
        if cut_short:
            log.warning("revoked with batches still in work after %.1f s, given up: %s", bound, cut_short)
            # What they have not sent yet stays unsent: in at least once nothing else would keep them from it.
            await asyncio.gather(*(lanes[tp].end() for tp in cut_short))
        await failpoints.reach("revoke.closed")
        return {tp: lane.finished_offset for tp, lane in lanes.items() if lane.finished_offset is not None}

    async def lease(self, assigned: Iterable[TP], generation: int, current: Callable[[], int]) -> None:
        """Take on `assigned` in `generation`; nothing happens where that was done already.

        `current` tells the group's generation now: when a further rebalance overtakes this one, it gives up early.
        """
        partitions = frozenset(assigned)
        revocations = self._revocations

        def overtaken() -> bool:
            # A revoke comes before the next generation is known.
            return current() != generation or self._revocations != revocations

        async with self._lock:
            if self._leased == (generation, partitions) or overtaken():
                return
            self._leased = None
            await self._end_all()
            if self._states is not None:
                self._states.close_except([(tp.topic, tp.partition) for tp in partitions])
            await failpoints.reach("lease.lanes_stopped")
            lanes = {tp: self._new_lane(tp, generation) for tp in sorted(partitions)}
            started = await asyncio.gather(*(lane.outbox.start() for lane in lanes.values()), return_exceptions=True)
            failures = [result for result in started if isinstance(result, BaseException)]
            await failpoints.reach("lease.producers_started")
            if not failures and not overtaken():
                await self._restore(lanes, overtaken)
                await failpoints.reach("lease.state_restored")
            if failures or overtaken():
                await self._release(lanes)
                if failures and not overtaken():
                    raise failures[0]
                return
            self._lanes = lanes
            # Parts of groups are few: their lanes leave the room to those of the inputs.
            self._sharing = max(1, sum(lane.place.pipeline.join is None for lane in lanes.values()))
            for lane in lanes.values():
                lane.start()
            self._leased = (generation, partitions)
            await failpoints.reach("lease.opened")

    async def close(self) -> None:
        """The worker stops: let what is in work finish, then end the lanes and their producers."""
        await self.revoke()
        async with self._lock:
            await self._end_all()
            if self._states is not None:
                self._states.close()

    def book_changed(self) -> None:
        """A new book is in force: every lane brings what it holds up to it."""
        for lane in self._lanes.values():
            lane.book_changed()

    async def _end_all(self) -> None:
        lanes, self._lanes = self._lanes, {}
        await asyncio.gather(*(lane.end() for lane in lanes.values()))
        await self._release(lanes)

    async def _release(self, lanes: Mapping[TP, Lane]) -> None:
        for tp in lanes:
            self._metrics.release(tp.topic, tp.partition)
        await asyncio.gather(*(lane.outbox.stop() for lane in lanes.values()))

    def _new_lane(self, tp: TP, generation: int) -> Lane:
        settings = self._settings
        place = LanePlace(
            prefix=settings.topic_prefix,
            topic_id=self.topic_ids[tp.topic],
            partition=tp.partition,
            partitions=self.partition_counts[tp.topic],
            pipeline=self._pipelines[tp.topic],
        )
        fetching = self.fetching
        assert fetching is not None, "the consumer registers itself before any partition is assigned"

        def pause(_: str) -> None:
            fetching.hold(tp)

        return Lane(
            place,
            lease=Lease(generation),
            turns=self._turns,
            slot=self._slot,
            pace=self._pace,
            outbox=Outbox(settings, f"{settings.group}-{tp.topic}-{tp.partition}" if self._exactly_once else None),
            state=self._state(tp, place),
            context=self._context,
            since=self._since,
            limit=DlqLimit(settings.dlq_max_consecutive, settings.dlq_max_percent),
            metrics=self._metrics.lane(tp.topic, tp.partition),
            seal=fetching.seal,
            pause=pause,
            fatal=self._fatal,
            is_full=self.is_full,
            settling=None if place.pipeline.join is None else Settling(self._adding()),
            tracing=self._tracing,
        )

    def _adding(self) -> set[str]:
        """The input partitions that add to groups, on whatever worker."""
        return {
            f"{topic}/{partition}"
            for topic, pipeline in self._pipelines.items()
            if pipeline.totals is not None
            for partition in range(self.partition_counts[topic])
        }

    def _state(self, tp: TP, place: LanePlace) -> PartitionState:
        if self._states is None:
            return EveryRecordNew()
        return self._states.state(Place(place.source, place.enriched, tp.partition, place.pipeline.owned))

    async def _restore(self, lanes: Mapping[TP, Lane], overtaken: Callable[[], bool]) -> None:
        """Bring the views of all partitions to the end together; their producers have started before."""
        if self._states is not None:
            await self._states.restore(
                [state for lane in lanes.values() if isinstance(state := lane.state, RocksState)], overtaken
            )
            if not overtaken():
                await self._expect_totals(lanes)

    async def _expect_totals(self, lanes: Mapping[TP, Lane]) -> None:
        """Where a state was built or brought on from its topic: ask which totals of it stand, to tell of all anew."""
        unsure: dict[str, dict[tuple[str, int], Totals]] = {}
        for tp, lane in lanes.items():
            totals, topic = lane.state.totals, lane.place.pipeline.totals
            if totals is not None and topic is not None and totals.told is None:
                name = topic.full_name(self._settings.topic_prefix)
                unsure.setdefault(name, {})[tp.topic, tp.partition] = totals
        for name, sums in unsure.items():
            stands = await groups_told(self._settings, name, sums.keys())
            for source, totals in sums.items():
                totals.expect(stands.get(source, ()))
