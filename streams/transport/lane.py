"""One lane: the task that owns one input partition's producer, state and order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aiokafka.errors import ProducerFenced

from schemas.cloudevents import TRACEPARENT, EventType, HeaderTemplate, header
from schemas.dead_letter import dead_letter_headers
from streams import __version__
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched, Reason, Rejected, Removed
from streams.metrics import LaneMetrics
from streams.state.view import PartitionState
from streams.transport import failpoints
from streams.transport.batch import InputRecord, RecordBatch
from streams.transport.dlq_limit import DlqLimit, Tripped
from streams.transport.lease import Lease
from streams.transport.outbox import Draft, Outbox, record_fits
from streams.transport.partitioning import count_elsewhere
from streams.transport.pipeline import Pipeline

log = logging.getLogger(__name__)

SLICE_SECONDS = 0.010
"""Longest stretch of enriching before other lanes and heartbeats get their turn."""
FUTURE_TOLERANCE_MS = 60_000
"""How far a record's time may be ahead of this clock before it is clamped; brokers refuse more than an hour."""

UNQUESTIONED_BYTES = 900_000
"""An enriched value up to here fits its topic with any key and the headers lotrisk writes."""
TRACEPARENT_MAX_BYTES = 512
"""W3C writes 55; what is longer is not passed through."""


@dataclass(slots=True)
class _Tally:
    out: int = 0
    tombstones: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)


class _Turn:
    """One of the places at which lanes enrich; given back once."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns: asyncio.Semaphore | None = turns

    def over(self) -> None:
        """Let the next lane enrich."""
        if self._turns is not None:
            self._turns.release()
            self._turns = None


@dataclass(frozen=True, slots=True)
class LanePlace:
    """Names and numbers that stay the same for a lane."""

    prefix: str
    topic_id: str
    partition: int
    partitions: int
    pipeline: Pipeline

    @property
    def source(self) -> str:
        """Full name of the input topic."""
        return self.pipeline.source.full_name(self.prefix)


class Lane:
    """Works on the batches of one partition, one after the other.

    A batch is finished when everything it led to is acknowledged and, in exactly once, committed with its offset. Any
    other end of a batch is told to `fatal`, save two: the partition was taken away, or too many rejections paused it.
    """

    def __init__(
        self,
        place: LanePlace,
        *,
        lease: Lease,
        turns: asyncio.Semaphore,
        outbox: Outbox,
        state: PartitionState,
        context: Callable[[], Context],
        limit: DlqLimit,
        metrics: LaneMetrics,
        seal: Callable[[RecordBatch], None],
        pause: Callable[[str], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self.place = place
        self.lease = lease
        self.outbox = outbox
        self.state = state
        self.metrics = metrics
        self.finished_offset: int | None = None
        self.paused_because: str | None = None
        self._turns = turns
        self._context = context
        self._limit = limit
        self._seal = seal
        self._pause = pause
        self._fatal = fatal
        self._inbox: RecordBatch | None = None
        self._in_work: RecordBatch | None = None
        self._arrived = asyncio.Event()
        self._source = place.source
        self._enriched = place.pipeline.enriched.full_name(place.prefix)
        self._dead = place.pipeline.dead_letters.full_name(place.prefix)
        self._enriched_headers = self._template(place.pipeline.enriched_event)
        self._removed_headers = self._template(place.pipeline.removed_event)
        self._task: asyncio.Task[None] | None = None

    def _template(self, event: EventType) -> HeaderTemplate:
        return HeaderTemplate(event, self._source, self.place.topic_id, self.place.partition)

    def start(self) -> None:
        """Begin to work on what is offered."""
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"lane {self._source}[{self.place.partition}]"
        )

    async def end(self) -> None:
        """Cancel what is left of the lane and wait until it is gone; the lease is closed."""
        while self._task is not None and not self._task.done():
            # More than once: before Python 3.12 wait_for swallows a cancellation that meets its finished work.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.5)

    def offer(self, batch: RecordBatch) -> None:
        """The next batch; it stays open for joining until the lane takes it."""
        self._inbox = batch
        self._arrived.set()

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is in work."""
        return self._inbox is None and self.lease.idle

    def observe_load(self, waits: RecordBatch | None) -> None:
        """Show how much is fetched and not committed: the batch in work and the one that waits for it."""
        batches = [batch for batch in (self._in_work, waits) if batch is not None]
        self.metrics.in_flight_records = sum(len(batch) for batch in batches)
        self.metrics.in_flight_bytes = sum(batch.bytes for batch in batches)

    async def _run(self) -> None:
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                if self._inbox is None:
                    continue
                # Until its turn comes the batch waits and is joined, and a revoke need not wait for it.
                await self._turns.acquire()
                enriching = _Turn(self._turns)
                batch, self._inbox = self._inbox, None
                if batch is None or not self.lease.begin():
                    enriching.over()
                    continue
                try:
                    self._seal(batch)
                    self._in_work = batch
                    await self._work(batch, enriching)
                finally:
                    enriching.over()
                    self._in_work = None
                    self.lease.end()
                if self.paused_because is not None:
                    return
        except asyncio.CancelledError:
            raise
        except ProducerFenced as error:
            self.metrics.fenced()
            if self.lease.allows_sending:
                # Fenced, or timed out, while the partition is ours: nothing can be trusted from here.
                self._fatal(error)
            log.info("%s[%d]: a newer owner has the partition", self._source, self.place.partition)
        except Exception as error:
            if self.lease.allows_sending:
                self._fatal(error)
            log.warning("%s[%d]: gave up on a revoked partition: %r", self._source, self.place.partition, error)

    async def _work(self, batch: RecordBatch, enriching: _Turn) -> None:
        started = time.perf_counter()
        await failpoints.reach("batch.begun")
        draft = self.outbox.draft()
        tally = _Tally()
        tripped = await self._enrich(batch, draft, tally)
        enriching.over()
        if tripped is not None:
            self.paused_because = tripped.reason
            self.metrics.paused = True
            log.error(
                "%s[%d] is paused at offset %d: %s. Nothing of this batch was published or committed; mend the feed or "
                "raise LOTRISK_DLQ_MAX_CONSECUTIVE / LOTRISK_DLQ_MAX_PERCENT, then restart the worker.",
                self._source, self.place.partition, batch.first_offset, tripped.reason,
            )  # fmt: skip
            self._pause(tripped.reason)
            return
        if not self.lease.allows_sending:
            return
        next_offset = batch.last_offset + 1
        sent = time.perf_counter()
        try:
            await self.outbox.publish(
                draft,
                self.place.partition,
                last=self._enriched,
                offsets={(self._source, self.place.partition): next_offset},
            )
        except BaseException:
            # A cancellation too: the batch was given up with its transaction.
            if self.outbox.transactional_id is not None:
                self.metrics.transaction_aborted()
            raise
        await failpoints.reach("batch.committed")
        self.state.apply({}, next_offset)
        self.finished_offset = next_offset
        now = time.perf_counter()
        if self.outbox.transactional_id is not None:
            self.metrics.transaction(now - sent)
        self.metrics.batch(
            records=len(batch),
            size_bytes=batch.bytes,
            seconds=now - started,
            out=tally.out,
            tombstones=tally.tombstones,
            dead_letters=tally.dead_letters,
            notes=tally.notes,
            timestamps_ms=[record.timestamp for record in batch.records],
        )
        await failpoints.reach("batch.applied")

    async def _enrich(self, batch: RecordBatch, draft: Draft, tally: _Tally) -> Tripped | None:
        """Enrich every record into the draft; no turn of the loop longer than a slice."""
        context = self._context()
        book = str(context.book.number)
        enrich = self.place.pipeline.enrich
        headers_of = self._enriched_headers.headers
        now_ms = int(time.time() * 1000)
        accepted = 0
        turn_ends = time.perf_counter() + SLICE_SECONDS
        for number, record in enumerate(batch.records, 1):
            outcome = enrich(record.key, record.value, context)
            if type(outcome) is Enriched:
                key, value, notes = outcome
                headers = headers_of(record.offset, book, record.timestamp, _trace(record))
                if len(value) > UNQUESTIONED_BYTES and not record_fits(key, value, headers):
                    outcome = _too_large(value)
                else:
                    draft.add(self._enriched, key, value, headers, _output_time(record, now_ms, tally))
                    tally.out += 1
                    for note in notes:
                        tally.notes[note] += 1
            elif isinstance(outcome, Removed):
                headers = self._removed_headers.headers(record.offset, book, record.timestamp, _trace(record))
                draft.add(self._enriched, outcome.key, None, headers, _output_time(record, now_ms, tally))
                tally.tombstones += 1
            if isinstance(outcome, Rejected):
                self._limit.accepted(accepted)
                accepted = 0
                self._add_dead_letter(draft, record, outcome, now_ms, tally)
                tripped = self._limit.rejected()
                if tripped is not None:
                    return tripped
            else:
                accepted += 1
            if not number % 16 and time.perf_counter() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = time.perf_counter() + SLICE_SECONDS
        self._limit.accepted(accepted)
        keys = [record.key for record in batch.records if record.key is not None]
        if misplaced := count_elsewhere(keys, self.place.partition, self.place.partitions):
            tally.notes["wrong_partition"] += misplaced
        return None

    def _add_dead_letter(
        self, draft: Draft, record: InputRecord, rejected: Rejected, now_ms: int, tally: _Tally
    ) -> None:
        headers = dead_letter_headers(
            record.headers,
            reason=rejected.reason.value,
            detail=rejected.detail,
            topic=self._source,
            partition=self.place.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp,
            version=__version__,
        )
        # Retention of dead letters counts from now, not from the record's own time.
        draft.add(self._dead, record.key, record.value, headers, now_ms)
        tally.dead_letters[rejected.reason.value] += 1


def _output_time(record: InputRecord, now_ms: int, tally: _Tally) -> int:
    timestamp = record.timestamp
    if 0 <= timestamp <= now_ms + FUTURE_TOLERANCE_MS:
        return timestamp
    if timestamp > 0:
        tally.notes["timestamp_clamped"] += 1
    return now_ms


def _too_large(value: bytes) -> Rejected:
    return Rejected(
        Reason.TOO_LARGE, f"the enriched record has {len(value):,} bytes, more than its topic takes: shorten the record"
    )


def _trace(record: InputRecord) -> bytes | None:
    trace = header(record.headers, TRACEPARENT) if record.headers else None
    return trace if trace is None or len(trace) <= TRACEPARENT_MAX_BYTES else None
