"""One lane: the task that owns one input partition's producer, state and order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from aiokafka.errors import ProducerFenced

from streams import failpoints
from streams.enrich.context import Context
from streams.instruments import LaneMetrics
from streams.state.view import PartitionState
from streams.transport.batch import RecordBatch
from streams.transport.dlq_limit import DlqLimit, Tripped
from streams.transport.lease import Lease
from streams.transport.outbox import Outbox
from streams.transport.pace import Pace
from streams.transport.rater import BookBehindError, Findings, LanePlace, Rater
from streams.transport.rerating import RerateSlot, Rerating
from streams.transport.settling import LOOK_SECONDS, Settling
from streams.transport.totals import LaneTotals

if TYPE_CHECKING:
    from streams.tracing import Tracing

log = logging.getLogger(__name__)

DEAD_LETTERS_LOGGED = 5
"""Dead letters of a batch that have a log line each."""
BOOK_WAIT_SECONDS = 0.2
BOOK_PATIENCE = 150
"""How often a newer book is waited for that another worker has already rated records under: half a minute in all."""

REST_TIMES, MOST_REST_SECONDS = 2.0, 0.080
"""After a transaction a lane lets its next batch grow for twice as long as that took, and not longer than this: lanes
that are always in a transaction take all of the processor for small ones."""


class _Turn:
    """One of the places at which lanes enrich, and with it the slot of re-rating; given back once."""

    def __init__(self, turns: asyncio.Semaphore, slot: RerateSlot | None) -> None:
        self._turns = turns
        self._slot = slot
        self._has_place = False

    async def begin(self) -> None:
        """Wait for a place."""
        await self._turns.acquire()
        self._has_place = True

    def over(self) -> None:
        """Let the next lane enrich."""
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.free()
        if self._has_place:
            self._has_place = False
            self._turns.release()


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
        slot: RerateSlot,
        pace: Pace,
        outbox: Outbox,
        state: PartitionState,
        context: Callable[[], Context],
        since: Callable[[], datetime] | None,
        limit: DlqLimit,
        metrics: LaneMetrics,
        seal: Callable[[RecordBatch], None],
        pause: Callable[[str], None],
        fatal: Callable[[BaseException], None],
        is_full: Callable[[RecordBatch], bool],
        settling: Settling | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """`settling`, for a lane of groups: what they wait for. `is_full`: whether nothing joins a batch any more."""
        self.place = place
        self.lease = lease
        self.outbox = outbox
        self.state = state
        self.metrics = metrics
        self.finished_offset: int | None = None
        self.paused_because: str | None = None
        self._turns = turns
        self._slot = slot
        self._pace = pace
        self._context_in_force = context
        self._settling = settling
        self._is_full = is_full
        self._behind: frozenset[str] = frozenset()
        self._since = since
        self._seal = seal
        self._pause = pause
        self._fatal = fatal
        self._inbox: RecordBatch | None = None
        self._in_work: RecordBatch | None = None
        self._arrived = asyncio.Event()
        self._source = place.source
        self._enriched = place.enriched
        self._rater = Rater(place, state, limit, tracing)
        self._totals = LaneTotals(place, state, metrics)
        self._rerating = Rerating(state, self._rater, metrics, place.pipeline.unmoved)
        self._rests_until = 0.0
        self._waited = 0
        """How often a newer book was waited for."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work on what is offered."""
        self._totals.show()
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

    def book_changed(self) -> None:
        """A new book is in force: what is held has to be brought up to it."""
        self._rerating.due()
        self._totals.rerating()
        self._arrived.set()

    async def _run(self) -> None:
        try:
            while True:
                if not await self._next():
                    continue
                if self._inbox is not None:
                    await self._gather()
                rerates = self._inbox is None and not self._is_rated()
                if rerates and not self._slot.take(self._arrived.set):
                    await self._arrived.wait()
                    continue
                await self._take_turn(slotted=rerates)
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

    async def _gather(self) -> None:
        """Let the batch that waits grow for a moment: a transaction costs as much for one record as for a thousand."""
        while not (self.lease.is_over or self._inbox is None or self._is_full(self._inbox)):
            left = self._rests_until - time.monotonic()
            if left <= 0:
                return
            self._arrived.clear()
            await self._sign(left)

    async def _sign(self, seconds: float | None) -> None:
        """Wait until something may have changed, or for so long."""
        timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._arrived.set)
        await self._arrived.wait()
        if timer is not None:
            timer.cancel()

    def filled(self) -> None:
        """The batch that waits is full."""
        self._arrived.set()

    async def _take_turn(self, *, slotted: bool) -> None:
        """Work on the batch that waits, or else on a slice of re-rating if the slot for it was taken, or on totals."""
        # Until its turn comes the batch waits and is joined, and a revoke need not wait for it.
        turn = _Turn(self._turns, self._slot if slotted else None)
        try:
            await turn.begin()
            if self._must_settle():
                return
            batch, self._inbox = self._inbox, None
            if not self.lease.begin():
                return
            try:
                self._settle()
                if batch is not None:
                    self._seal(batch)
                    self._in_work = batch
                    await self._work(batch, turn)
                elif slotted:
                    await self._rerate(turn)
                else:
                    await self._tell(turn)
            finally:
                self._in_work = None
                self.lease.end()
        finally:
            turn.over()

    def _context(self) -> Context:
        """The context in force; of groups with the partitions that are behind."""
        context = self._context_in_force()
        return context.waiting_for(self._behind) if self._behind else context

    def _settle(self) -> None:
        """Groups are judged now: by what has come, whoever is behind."""
        if self._settling is None:
            return
        behind = self._settling.behind(self._context_in_force().book.number)
        if behind and behind != self._behind:
            log.warning(
                "%s[%d]: groups are judged, with low confidence, while records of %s are not right under the book yet",
                self._source, self.place.partition, ", ".join(sorted(behind)),
            )  # fmt: skip
        self._behind = behind

    def _must_settle(self) -> bool:
        """Whether this is a lane of groups, and not all that adds to them is right under the book in force."""
        settling, inbox = self._settling, self._inbox
        if settling is None or self.lease.is_over:
            return False
        settling.look(inbox)
        if inbox is not None and self._is_full(inbox):
            return False
        return settling.seconds_left(self._context_in_force().book.number) > 0

    async def _next(self) -> bool:
        """Wait until there is a batch, held records below the book in force, or totals to tell; in this order."""
        while self._must_settle():
            # Records join a batch that waits without a sign.
            await asyncio.sleep(LOOK_SECONDS)
        left = self._totals_left()
        if self._inbox is None and self._is_rated() and (left is None or left > 0):
            await self._sign(left)
        self._arrived.clear()
        if self._inbox is None and not self._is_rated():
            # Other lanes and their live batches first.
            await asyncio.sleep(0)
        if self._inbox is not None or not self._is_rated():
            return True
        left = self._totals_left()
        return left is not None and left <= 0

    def _totals_left(self) -> float | None:
        """Seconds until it is time to tell of totals; None where there is nothing to tell, or nobody to do it."""
        return None if self.lease.is_over else self._totals.seconds_left()

    def _is_rated(self) -> bool:
        return self._rerating.is_at(self._context().book.number) or self.lease.is_over

    async def _work(self, batch: RecordBatch, turn: _Turn) -> None:
        started = time.perf_counter()
        await failpoints.reach("batch.begun")
        found = await self._rate(batch)
        slice_ = None if isinstance(found, Tripped) else await self._rerate_besides(found)
        turn.over()
        if isinstance(found, Tripped):
            self.paused_because = found.reason
            self.metrics.paused = True
            log.error(
                "%s[%d] is paused at offset %d: %s. Nothing of this batch was published or committed; mend the feed or "
                "raise LOTRISK_DLQ_MAX_CONSECUTIVE / LOTRISK_DLQ_MAX_PERCENT, then restart the worker.",
                self._source, self.place.partition, batch.first_offset, found.reason,
            )  # fmt: skip
            self._pause(found.reason)
            return
        if not self.lease.allows_sending:
            return
        next_offset = batch.last_offset + 1
        await self._publish(found, {(self._source, self.place.partition): next_offset}, slice_)
        self.finished_offset = next_offset
        seconds = time.perf_counter() - started
        self._pace.took(seconds)
        self.metrics.batch(
            records=len(batch),
            size_bytes=batch.bytes,
            seconds=seconds,
            out=found.out,
            unchanged=found.unchanged,
            superseded=found.superseded,
            tombstones=found.tombstones,
            dead_letters=found.dead_letters,
            notes=found.notes,
            timestamps_ms=[record.timestamp for record in batch.records],
        )

    async def _rate(self, batch: RecordBatch) -> Findings | Tripped:
        """Rate a batch; where its records are held under a newer book, wait until ours has come."""
        while True:
            try:
                found = await self._rater.rate(batch, self.outbox.draft(), self._context())
            except BookBehindError as behind:
                await self._wait_for_book(behind)
            else:
                self._waited = 0
                return found

    async def _wait_for_book(self, behind: BookBehindError) -> None:
        """Give the newer book a moment to come; raises `behind` where it will not, or has not for half a minute."""
        if behind.is_older_release or self._waited >= BOOK_PATIENCE:
            raise behind
        if not self._waited:
            log.info("%s[%d]: %s", self._source, self.place.partition, behind)
        self._waited += 1
        await asyncio.sleep(BOOK_WAIT_SECONDS)

    async def _publish(
        self, found: Findings, offsets: dict[tuple[str, int], int], slice_: Findings | None = None
    ) -> None:
        """Send what was found, and take it into the state once it is committed; `slice_` stands in the same draft."""
        step = found.draft.step
        self._totals.worked()
        told = await self._totals.add_due(found.draft, str(found.book))
        sent = time.perf_counter()
        try:
            landed = await self.outbox.publish(found.draft, self.place.partition, last=self._enriched, offsets=offsets)
        except BaseException as error:
            # A cancellation too: the batch was given up with its transaction.
            for span in found.spans:
                span.end(repr(error))
            if self.outbox.transactional_id is not None:
                self.metrics.transaction_aborted()
            raise
        await failpoints.reach(step + ".committed")
        if self.outbox.transactional_id is not None:
            taken = time.perf_counter() - sent
            self.metrics.transaction(taken)
            self._rests_until = time.monotonic() + min(REST_TIMES * taken, MOST_REST_SECONDS)
        published = found.published if slice_ is None else {**found.published, **slice_.published}
        if landed is not None:
            self.state.apply(published, landed.position, first=landed.first)
        if told is not None:
            self._totals.told(told)
        self.metrics.flag_events(found.flag_events)
        if slice_ is not None:
            self.metrics.flag_events(slice_.flag_events)
            self._rerated(slice_)
        for span in found.spans:
            span.end()
        self._log_buried(found)
        await failpoints.reach(step + ".applied")

    def _log_buried(self, found: Findings) -> None:
        """Name the first dead letters of a batch by their place; the records stand in the dead-letter topic."""
        source, partition = self._source, self.place.partition
        for offset, reason in found.buried[:DEAD_LETTERS_LOGGED]:
            log.warning(
                "%s[%d] offset %d is a dead letter: %s", source, partition, offset, reason.value,
                extra={"topic": source, "partition": partition, "offset": offset, "reason": reason.value},
            )  # fmt: skip
        if len(found.buried) > DEAD_LETTERS_LOGGED:
            more = len(found.buried) - DEAD_LETTERS_LOGGED
            log.warning(
                "%s[%d]: %d more dead letters up to offset %d", source, partition, more, found.buried[-1][0],
                extra={"topic": source, "partition": partition, "offset": found.buried[-1][0], "more": more},
            )  # fmt: skip

    async def _rerate_besides(self, found: Findings) -> Findings | None:
        """Where held records are below the book of a batch: bring some up to it, into the batch's own transaction.

        Under a steady load there is always a batch, and a transaction costs more than what most hold.
        """
        context = self._context()
        if self._rerating.is_at(found.book) or context.book.number != found.book or not self.lease.allows_sending:
            return None
        try:
            return await self._rerating.rate(
                found.draft, context, self._book_since(), seconds=self._pace.seconds, besides=found.published
            )
        except BookBehindError as behind:
            if behind.is_older_release:
                raise
            return None

    async def _rerate(self, turn: _Turn) -> None:
        """Bring one slice of held records up to the book in force, never down; a transaction without offsets."""
        try:
            found = await self._rerating.rate(
                self.outbox.draft("rerate"), self._context(), self._book_since(),
                seconds=self._pace.alone_seconds, enough=lambda: self._inbox is not None,
            )  # fmt: skip
        except BookBehindError as behind:
            turn.over()
            await self._wait_for_book(behind)
            return
        self._waited = 0
        turn.over()
        if not self.lease.allows_sending:
            return
        await failpoints.reach("rerate.rated")
        if found.draft.records:
            await self._publish(found, {})
        self._rerated(found)

    def _rerated(self, found: Findings) -> None:
        """A slice of re-rating is committed and in the state."""
        self._rerating.applied(found)
        # A newer book may have come meanwhile: then the sums are no better than a mixture soon.
        book = self._context_in_force().book.number
        if self._rerating.is_at(book):
            self._totals.rated(book)

    def _book_since(self) -> datetime | None:
        return None if self._since is None else self._since()

    async def _tell(self, turn: _Turn) -> None:
        """Tell of what the partition's totals have come to, in a transaction of its own: nothing else goes on."""
        draft = self.outbox.draft("totals")
        told = await self._totals.add_due(draft, str(self._context().book.number))
        turn.over()
        if told is None or not self.lease.allows_sending:
            return
        sent = time.perf_counter()
        await self.outbox.publish(draft, self.place.partition, last=self._enriched, offsets={})
        await failpoints.reach("totals.committed")
        if self.outbox.transactional_id is not None:
            self.metrics.transaction(time.perf_counter() - sent)
        self._totals.told(told)
        await failpoints.reach("totals.applied")
