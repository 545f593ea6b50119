"""Bringing states to the end of their enriched partitions, all of one assignment together, by one consumer.

The end is the last stable offset, taken after the lanes' producers have started: that has settled what an earlier owner
left. Reached is it when the consumer's *position* has come there, since what stands at the end may be no record at all:
markers, an aborted transaction, a gap left by compaction.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams import failpoints
from streams.connection import aiokafka_options, kafka_python_options
from streams.settings import ProcessingGuarantee, Settings
from streams.state.codec.checkpoint import Checkpoint
from streams.state.errors import StateDamagedError, StateError, StateLockedError
from streams.state.verdict import EnrichedPartition, Rebuilt, why_rebuild

if TYPE_CHECKING:
    from streams.state.partition import RocksState
    from streams.state.rocks import Memory
    from streams.state.slices import PublishedRecord

log = logging.getLogger(__name__)

STALLED_SECONDS: Final = 30.0
"""Give up when no position moves for this long."""
LOCK_WAIT_SECONDS: Final = 10.0
"""Another worker on this machine gives a partition's directory up only when its own rebalance is complete."""
LOG_EVERY_SECONDS: Final = 5.0
_LOCK_RETRY_SECONDS: Final = 0.2
_RETENTION: Final = "delete.retention.ms"
_SLICE_RECORDS: Final = 1000
_FETCH_BYTES: Final = 16 * 1024 * 1024
_PARTITION_FETCH_BYTES: Final = 2 * 1024 * 1024
_FILLED_AT_ONCE: Final = 2
"""New states that are filled side by side: one is fetched while the other is taken in. The fewer they are, the larger
the files that they share the write buffers for."""


@dataclass(frozen=True, slots=True)
class RestoreProgress:
    """How far one partition's restore is. `remaining` counts offsets, so gaps and markers too; `rate` is records/s."""

    source: str
    partition: int
    restored: int
    remaining: int
    seconds: float
    rebuilt: Rebuilt | None
    done: bool

    @property
    def rate(self) -> float:
        """Records a second since the restore began."""
        return self.restored / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True)
class _Course:
    """One partition on its way to `end`: read up to `read`, taken in up to `position`.

    `fills`: from nothing.
    """

    state: RocksState
    topic_id: str
    read: int
    position: int
    end: int
    began_ms: int
    saved_at_ms: int
    rebuilt: Rebuilt | None
    fills: bool
    restored: int = 0
    ignored: int = 0
    started: float = field(default_factory=time.perf_counter)

    def checkpoint(self, position: int) -> Checkpoint:
        # Until the end is reached, what was read first is as old as the checkpoint the restore began from.
        saved_at_ms = self.began_ms if position >= self.end else self.saved_at_ms
        return Checkpoint(self.state.place.enriched, self.topic_id, position, saved_at_ms)

    def progress(self) -> RestoreProgress:
        remaining = max(0, self.end - self.position)
        return RestoreProgress(
            self.state.place.source,
            self.state.place.partition,
            self.restored,
            remaining,
            time.perf_counter() - self.started,
            self.rebuilt,
            remaining == 0,
        )


class _Slice(NamedTuple):
    """Records of one partition, read up to `position`."""

    course: _Course
    records: Sequence[PublishedRecord]
    position: int


class Restorer:
    """Restores states from the enriched topics. `progress` is told about each partition, slice by slice."""

    def __init__(
        self,
        settings: Settings,
        *,
        memory: Memory,
        now_ms: Callable[[], int],
        progress: Callable[[RestoreProgress], None] = lambda _: None,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._exactly_once = settings.processing_guarantee is ProcessingGuarantee.EXACTLY_ONCE
        self._now_ms = now_ms
        self._progress = progress
        self._lock_wait_seconds = lock_wait_seconds

    async def restore(self, states: Sequence[RocksState], overtaken: Callable[[], bool] = lambda: False) -> None:
        """Open `states` and bring them to the end of their partitions.

        Once `overtaken`, it ends early: the partitions are being given away, and the next owner waits for their files.
        What was taken in by then stays, and the next restore goes on from there.

        Raises:
            StateError: a directory can't be used, or an enriched topic does not exist.
            TimeoutError: the end was not reached although nothing moved for half a minute.
            KafkaError: the brokers can't be reached.
        """
        if not states:
            return
        began = time.perf_counter()
        damaged = {state.place: await self._open(state) for state in states}
        topics = sorted({state.place.enriched for state in states})
        described = await asyncio.to_thread(_describe, self._settings, topics)
        consumer = AIOKafkaConsumer(
            group_id=None,
            client_id=f"{self._settings.group}-restore",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
            fetch_max_wait_ms=100,
            **aiokafka_options(self._settings),
        )
        await consumer.start()
        try:
            by_partition = {TopicPartition(state.place.enriched, state.place.partition): state for state in states}
            consumer.assign(list(by_partition))
            began_ms = self._now_ms()
            ends = await consumer.end_offsets(list(by_partition))
            begins = await consumer.beginning_offsets(list(by_partition))
            courses: dict[TopicPartition, _Course] = {}
            for tp, state in by_partition.items():
                topic_id, retention_ms = described[tp.topic]
                found = EnrichedPartition(tp.topic, topic_id, retention_ms, begins[tp], ends[tp])
                courses[tp] = self._begin(state, found, began_ms, damaged[state.place])
                await asyncio.sleep(0)
            await failpoints.reach("state.opened")
            with self._memory.filling():
                await self._follow(consumer, courses, began, overtaken)
        finally:
            await consumer.stop()

    async def _open(self, state: RocksState) -> Rebuilt | None:
        """Open the files; waits for another worker to let go of them. Says whether they had to be thrown away."""
        deadline = time.monotonic() + self._lock_wait_seconds
        while True:
            try:
                state.open()
            except StateLockedError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_LOCK_RETRY_SECONDS)
            except StateDamagedError as error:
                log.warning("%s", error)
                state.reset()
                return Rebuilt.DAMAGED
            else:
                if not state.is_unfinished:
                    return None
                log.warning("%s: thrown away (%s): it was not filled to the end", state.directory, Rebuilt.UNFINISHED)
                state.reset()
                return Rebuilt.UNFINISHED

    def _begin(self, state: RocksState, found: EnrichedPartition, began_ms: int, rebuilt: Rebuilt | None) -> _Course:
        state.marker_ms = found.delete_retention_ms // 2
        checkpoint = state.checkpoint
        if checkpoint is not None:
            why = why_rebuild(checkpoint, found, began_ms, exactly_once=self._exactly_once)
            if why is not None:
                log.warning("%s: thrown away (%s): %s, topic %s", state.directory, why, checkpoint, found)
                state.reset()
                checkpoint, rebuilt = None, why
        position = checkpoint.position if checkpoint is not None else 0
        saved_at_ms = checkpoint.saved_at_ms if checkpoint is not None else began_ms
        position = max(position, found.begin)
        fills = checkpoint is None or state.is_filling
        return _Course(state, found.topic_id, position, position, found.end, began_ms, saved_at_ms, rebuilt, fills)

    async def _follow(
        self,
        consumer: AIOKafkaConsumer,
        courses: dict[TopicPartition, _Course],
        began: float,
        overtaken: Callable[[], bool],
    ) -> None:
        pending: set[TopicPartition] = set()
        to_fill: deque[TopicPartition] = deque()
        for tp, course in courses.items():
            if course.position < course.end:
                consumer.seek(tp, course.position)
                if course.fills:
                    to_fill.append(tp)
                    consumer.pause(tp)
                else:
                    pending.add(tp)
            else:
                consumer.pause(tp)
                course.state.take_in((), course.checkpoint(course.position))
                course.state.end_filling()
            self._progress(course.progress())
        loop = asyncio.get_running_loop()
        moved = told = loop.time()
        taking: asyncio.Task[None] | None = None
        try:
            while (pending or to_fill) and not overtaken():
                while to_fill and sum(courses[tp].fills for tp in pending) < _FILLED_AT_ONCE:
                    tp = to_fill.popleft()
                    courses[tp].state.begin_filling()
                    consumer.resume(tp)
                    pending.add(tp)
                batches = await consumer.getmany(*pending, timeout_ms=200, max_records=_SLICE_RECORDS)
                arrived: list[_Slice] = []
                for tp in list(pending):
                    course = courses[tp]
                    position = await consumer.position(tp)
                    if position == course.read:
                        continue
                    course.read = position
                    arrived.append(_Slice(course, batches.get(tp, ()), position))
                    if position >= course.end:
                        pending.discard(tp)
                        consumer.pause(tp)
                if arrived:
                    moved = loop.time()
                if taking is not None:
                    before = loop.time()
                    await asyncio.shield(taking)
                    # A slow disk is no broker that stands still.
                    moved += loop.time() - before
                # Meanwhile the next slices are fetched and decompressed.
                taking = loop.create_task(self._take_in(arrived))
                if loop.time() - told > LOG_EVERY_SECONDS:
                    told = loop.time()
                    _log(courses.values(), began)
                if pending and loop.time() - moved > STALLED_SECONDS:
                    where = ", ".join(
                        f"{tp.topic}[{tp.partition}] at {courses[tp].read} of {courses[tp].end}"
                        for tp in sorted(pending)
                    )
                    raise TimeoutError(f"state not restored: nothing moved for {STALLED_SECONDS:.0f} s: {where}")
            if taking is not None:
                await asyncio.shield(taking)
            for course in courses.values():
                # Of those that were overtaken: the next owner goes on from there.
                await asyncio.to_thread(course.state.end_filling)
        finally:
            # A thread can't be stopped, and nobody may close a state that it writes to.
            if taking is not None:
                await asyncio.wait([taking])
        _log(courses.values(), began)

    async def _take_in(self, slices: Iterable[_Slice]) -> None:
        """Take slices in, beside the loop: heartbeats and the next fetch go on."""
        for course, records, position in slices:
            checkpoint = course.checkpoint(position)
            course.ignored += await asyncio.to_thread(course.state.take_in, records, checkpoint)
            if position >= course.end:
                await asyncio.to_thread(course.state.end_filling)
            course.restored += len(records)
            course.position = position
            await failpoints.reach("state.slice")
            self._progress(course.progress())


def _log(courses: Collection[_Course], began: float) -> None:
    """`began`: when the restore did, by `time.perf_counter`: opening the files is part of it."""
    restored = sum(course.restored for course in courses)
    remaining = sum(course.progress().remaining for course in courses)
    seconds = time.perf_counter() - began
    rate = restored / seconds if seconds > 0 else 0.0
    log.info(
        "state: %d partitions, %d records restored in %.1f s (%.0f/s), %d ignored, %d offsets to go%s",
        len(courses), restored, seconds, rate, sum(course.ignored for course in courses), remaining,
        f", about {remaining / rate:.0f} s" if remaining and rate else "",
    )  # fmt: skip


def _describe(settings: Settings, topics: Sequence[str]) -> dict[str, tuple[str, int]]:
    with closing(KafkaAdminClient(**kafka_python_options(settings))) as admin:
        return describe(admin, topics)


def describe(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Topic id and `delete.retention.ms` of each topic, as they are now: a topic may have been made anew.

    Raises:
        StateError: a topic doesn't exist, or its configuration may not be read.
    """
    described = {topic["name"]: topic for topic in admin.describe_topics(topics) if not topic.get("error_code")}
    missing = [topic for topic in topics if topic not in described]
    if missing:
        raise StateError(
            f"topics don't exist, or this user may not see them: {', '.join(missing)}. Run `lotrisk topics apply`, or "
            "allow the worker's user Describe on them"
        )
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    configs = admin.describe_configs(resources, config_filter="all").get("topic", {})
    # A broker that refuses says so topic by topic, and the client leaves their configuration empty.
    refused = [topic for topic in topics if _RETENTION not in configs.get(topic, {})]
    if refused:
        raise StateError(
            f"{_RETENTION} of {', '.join(refused)} can't be read, without which an old state can't be told from a good "
            "one: allow the worker's user DescribeConfigs on them"
        )
    return {topic: (str(described[topic]["topic_id"]), int(configs[topic][_RETENTION]["value"])) for topic in topics}
