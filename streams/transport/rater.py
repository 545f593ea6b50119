"""What a lane makes of its records: enriched against what is held, into a draft, with the flags' events.

A rater sends nothing. What it finds becomes true when the draft is committed and `published` is applied to the state.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from schemas.cloudevents import (
    TRACEPARENT,
    EventType,
    Headers,
    HeaderTemplate,
    OrderKey,
    event_id,
    header,
    rfc3339,
)
from schemas.dead_letter import dead_letter_headers
from streams import __version__
from streams.enrich import contribution
from streams.enrich.context import Context
from streams.enrich.episodes import NO_FLAGS, Cause, FlagEvent, OpenFlag, event_members, flags_json, merge, read_flags
from streams.enrich.group import BEHIND
from streams.enrich.outcome import Enriched, Reason, Rejected, Removed
from streams.policy.book import BookNumber
from streams.state import layout
from streams.state.order import book_number
from streams.state.view import Gone, Held, PartitionState
from streams.topics import FLAGS
from streams.transport.batch import InputRecord, RecordBatch
from streams.transport.dlq_limit import DlqLimit, Tripped
from streams.transport.joining import Joined, join_records
from streams.transport.outbox import Draft, fits
from streams.transport.pipeline import Pipeline
from streams.transport.records import Stamp, count_elsewhere, stamp_of

if TYPE_CHECKING:
    from streams.tracing import RecordSpan, Tracing

SLICE_SECONDS = 0.010
"""Longest stretch of enriching before other lanes and heartbeats get their turn."""
AT_ONCE = 16
"""So many records are enriched one after the other, and then drafted: each job finds its code and data in the
processor's caches, and a record costs a sixth less."""
FUTURE_TOLERANCE_MS = 60_000
"""How far a record's time may be ahead of this clock before it is clamped; brokers refuse more than an hour."""
UNQUESTIONED_BYTES = 900_000
"""What a record says up to here fits its topic with any key, book and headers that lotrisk writes."""
TRACEPARENT_MAX_BYTES = 512
"""W3C writes 55; what is longer is not passed through."""
_tuple = tuple.__new__
"""Makes a named tuple in half the time of its own constructor, which is written in Python."""
NO_TIME_MS = -1
"""Kafka's mark of a record without a timestamp."""

_FLAG_EVENT = {
    "raised": EventType.FLAG_RAISED,
    "changed": EventType.FLAG_CHANGED,
    "cleared": EventType.FLAG_CLEARED,
}


class BookBehindError(Exception):
    """A record is held under a newer book than this worker has: another one rated it, and ours will come.

    `is_older_release`: it will not, since the book is of a higher revision of the reference data than this release has.
    """

    def __init__(self, held: BookNumber, ours: BookNumber) -> None:
        super().__init__(
            f"records are held under book {held}, and this worker has {ours}: it would rate them down. If a newer "
            "release, or one with other reference data, ran here before, go on with it, or roll back by shipping the "
            "old data under a higher revision. If a clock was set back (LOTRISK_AS_OF too), set it right."
        )
        self.is_older_release = held.revision > ours.revision


@dataclass(slots=True)
class Findings:
    """What a batch or a slice of re-rating came to; `published` is for the state, after the commit."""

    draft: Draft
    book: BookNumber
    """The book it was rated under."""
    out: int = 0
    tombstones: int = 0
    unchanged: int = 0
    superseded: int = 0
    flag_events: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    published: dict[bytes, Held | Gone] = field(default_factory=dict)
    buried: list[tuple[int, Reason]] = field(default_factory=list)
    """Offsets of the rejected records, and why."""
    spans: list[RecordSpan] = field(default_factory=list)

    @property
    def dead_letters(self) -> Counter[str]:
        """How many were rejected, by reason."""
        return Counter(reason.value for _, reason in self.buried)


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

    @property
    def enriched(self) -> str:
        """Full name of the enriched topic."""
        return self.pipeline.enriched.full_name(self.prefix)


class Rater:
    """Rates the records of one partition. Belongs to its lane."""

    def __init__(
        self, place: LanePlace, state: PartitionState, limit: DlqLimit, tracing: Tracing | None = None
    ) -> None:
        self._place = place
        self._tracing = tracing
        self._state = state
        self._limit = limit
        self._behind: set[bytes] = set()
        """Groups that were judged while partitions of theirs were behind."""
        self._knows_behind = False
        """Whether those are all: not before this lane has judged once with nobody behind."""
        self._source = place.source
        self._enriched = place.enriched
        dead_letters = place.pipeline.dead_letters
        self._dead = dead_letters.full_name(place.prefix) if dead_letters is not None else None
        self._flags = FLAGS.full_name(place.prefix)
        self._topic_id = place.topic_id
        self._owned = place.pipeline.owned
        self._stamp: Stamp | None = None
        """Of what is enriched here; each group has one of its own."""
        if place.pipeline.join is None:
            self._stamp = stamp_of(self._template(place.pipeline.enriched_event, place.topic_id))
        self._removed_headers = self._template(place.pipeline.removed_event, place.topic_id)

    def _template(self, event: EventType, topic_id: str) -> HeaderTemplate:
        return HeaderTemplate(event, self._source, topic_id, self._place.partition)

    async def rate(self, batch: RecordBatch, draft: Draft, context: Context) -> Findings | Tripped:
        """Rate every record of a batch; no turn of the loop longer than a slice.

        Raises:
            BookBehindError: a record is held under a newer book; nothing was taken in, ask again with a newer context.
        """
        book = context.book.number
        if self._state.reached > book:
            # A new key has no book of its own to tell by.
            raise BookBehindError(self._state.reached, book)
        found = Findings(draft, book)
        limit = self._limit.copy()
        records = await self._joined(found, batch)
        tripped = await self._rate_all(found, records, context, limit)
        if tripped is not None:
            return tripped
        if self._place.pipeline.join is not None and not context.behind:
            out, unchanged = found.out, found.unchanged
            await self._rate_all(found, await self._judged_early(batch, records, book), context, limit)
            # The batch's books balance without them.
            found.out, found.unchanged = out, unchanged
            self._behind.clear()
            self._knows_behind = True
        self._limit = limit
        keys = [record.key for record in records if record.key is not None]
        if misplaced := count_elsewhere(keys, self._place.partition, self._place.partitions):
            found.notes["wrong_partition"] += misplaced
        return found

    async def _rate_all(
        self, found: Findings, records: Sequence[InputRecord], context: Context, limit: DlqLimit
    ) -> Tripped | None:
        book = found.book
        enrich = self._place.pipeline.enrich
        now_ms = int(time.time() * 1000)
        accepted = 0
        turn_ends = time.perf_counter() + SLICE_SECONDS
        for start in range(0, len(records), AT_ONCE):
            part = records[start : start + AT_ONCE]
            spans = [None if self._tracing is None else self._begin(found, one, self._tracing) for one in part]
            outcomes = [enrich(record.key, record.value, context) for record in part]
            self._state.look_up([outcome.key for outcome in outcomes if not isinstance(outcome, Rejected)])
            for record, span, outcome in zip(part, spans, outcomes, strict=True):
                if type(outcome) is Enriched:
                    outcome = self._add(found, record, outcome, book, now_ms, span)
                elif isinstance(outcome, Removed):
                    self._remove(found, record, outcome.key, book, now_ms, span)
                if isinstance(outcome, Rejected):
                    _came_to("dead_letter", span)
                    limit.accepted(accepted)
                    accepted = 0
                    self._bury(found, record, outcome, now_ms)
                    tripped = limit.rejected()
                    if tripped is not None:
                        return tripped
                else:
                    accepted += 1
            if time.perf_counter() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = time.perf_counter() + SLICE_SECONDS
        limit.accepted(accepted)
        return None

    async def _joined(self, found: Findings, batch: RecordBatch) -> Sequence[InputRecord]:
        """The batch's records; where they are parts of what is enriched, one a key, and the others are superseded."""
        join = self._place.pipeline.join
        if join is None:
            return batch.records

        def refuse(record: InputRecord, rejected: Rejected) -> None:
            self._bury(found, record, rejected, 0)

        records = await join_records(batch.records, join, self._state.canonical, refuse)
        found.superseded += len(batch) - len(records) - len(found.buried)
        return records

    async def _judged_early(
        self, batch: RecordBatch, records: Sequence[InputRecord], book: BookNumber
    ) -> Sequence[InputRecord]:
        """What was judged under the book before all had come, to be judged again in the place of the last record.

        What an earlier lane judged so, here or in another worker, isn't known: then it is all that is held.
        """
        keys = set(self._behind)
        after: bytes | None = None
        while not self._knows_behind:
            part = self._state.scan(after, canonical=False)
            # What is below the book is rated again in any case.
            keys.update(key for key, held in part.records if held.book == book)
            after = part.after
            if after is None:
                break
            await asyncio.sleep(0)
        keys.difference_update(record.key for record in records if record.key is not None)
        last = batch.records[-1]
        return [
            Joined(key, canonical, last.headers, last.offset, last.timestamp)
            for key in sorted(keys)
            if (canonical := self._state.canonical(key)) is not None
        ]

    def rerate(
        self, found: Findings, records: Sequence[tuple[bytes, Held]], context: Context, since: datetime | None
    ) -> None:
        """Draft what becomes of held records under the context's book; nothing of one that stays as it is.

        `since`: when the book came about, the time of what changes with it. A record that can't be published any more
        stays as it stands, and is counted.
        """
        enrich, book = self._place.pipeline.enrich, context.book_text
        now_ms = int(time.time() * 1000)
        for start in range(0, len(records), AT_ONCE):
            part = records[start : start + AT_ONCE]
            outcomes = [enrich(key, held.canonical, context) for key, held in part]
            for (_, held), outcome in zip(part, outcomes, strict=True):
                if type(outcome) is not Enriched:
                    # It came through an earlier release and would not through this one.
                    found.notes["rerate_refused"] += 1
                    continue
                topic_id, offset, _ = held.order
                order = _tuple(OrderKey, (topic_id, offset, book))
                done = self._publish(found, outcome, held, order, since, NO_TIME_MS, None, now_ms, again=True)
                if done is None:
                    found.unchanged += 1
                elif done is False:
                    found.notes["rerate_too_large"] += 1

    def _begin(self, found: Findings, record: InputRecord, tracing: Tracing) -> RecordSpan | None:
        """The span of a record whose producer asked for one."""
        given = _trace(record)
        if given is None:
            return None
        place = self._place
        ce_id = event_id(place.pipeline.enriched_event, place.topic_id, place.partition, record.offset, str(found.book))
        span = tracing.begin(given, ce_id, self._source, place.partition, record.offset)
        if span is not None:
            found.spans.append(span)
        return span

    def _add(
        self,
        found: Findings,
        record: InputRecord,
        outcome: Enriched,
        book: BookNumber,
        now_ms: int,
        span: RecordSpan | None,
    ) -> Enriched | Rejected:
        held = self._held(found, outcome.key)
        order = _tuple(OrderKey, (self._topic_id, record.offset, outcome.book))
        if held is not None:
            if held.book > book:
                raise BookBehindError(held.book, book)
            if _is_superseded(outcome, order, held):
                found.superseded += 1
                _came_to("superseded", span)
                return outcome
        for note in outcome.notes:
            found.notes[note] += 1
        input_ms = record.timestamp
        output_ms = input_ms if 0 <= input_ms <= now_ms else _output_time(input_ms, now_ms, found.notes)
        trace = _trace(record, span) if record.headers else None
        done = self._publish(found, outcome, held, order, outcome.updated_at, input_ms, trace, output_ms)
        if done:
            found.out += 1
        elif done is None:
            found.unchanged += 1
        else:
            return _too_large(outcome.body)
        if span is not None:
            span.came_to("out" if done else "unchanged")
        return outcome

    def _publish(
        self,
        found: Findings,
        outcome: Enriched,
        held: Held | None,
        order: OrderKey,
        moment: datetime | None,
        input_ms: int,
        trace: bytes | None,
        output_ms: int,
        *,
        again: bool = False,
    ) -> bool | None:
        """Draft an enriched record and its flags' events; None where nothing changed, False where it is too large.

        `moment`: when what changed did so; None means at the input's own time. `again`: it is of the canonical record
        that is held, which stays as it is.
        """
        # All at once: member by member takes twice as long.
        key, body, book, candidates, notes, canonical_end, updated_at, contributed = outcome
        if notes and BEHIND in notes:
            self._behind.add(key)
        flags = NO_FLAGS
        still: tuple[OpenFlag, ...] = ()
        events: tuple[FlagEvent, ...] = ()
        if candidates or (held is not None and held.flags != NO_FLAGS):
            when = rfc3339(input_ms) if moment is None else moment.isoformat().replace("+00:00", "Z")
            cause = Cause(when, order.topic_id, self._place.partition, order.offset, book)
            before = read_flags(held.flags) if held is not None else ()
            still, events = merge(key, before, candidates, cause)
            flags = flags_json(still)
        digest = layout.digest_of(body, flags)
        adds = contribution.NOTHING if contributed is None else contribution.encode(contributed, still)
        if held is not None and digest == held.digest and adds == held.contribution:
            return None
        updated_ms = None if updated_at is None else int(updated_at.timestamp() * 1000)
        made = (
            self._stamp_for(key, order), key, body, flags, book, canonical_end, updated_ms, digest, order.offset,
            input_ms, output_ms, trace, adds,
        )  # fmt: skip
        if len(body) + len(flags) > UNQUESTIONED_BYTES and not fits(lambda trial: trial.add_enriched(*made)):
            return False
        if events:
            self._announce(found, key, events, order, trace)
        found.draft.add_enriched(self._enriched, made)
        canonical = None if again else layout.canonical_of(body, canonical_end, self._owned)
        replaces = _replaced(found, key, held)
        held = _tuple(Held, (digest, order, updated_ms, book_number(book), flags, canonical, adds, replaces))
        found.published[key] = held
        return True

    def _headers(
        self, template: HeaderTemplate, key: bytes, order: OrderKey, input_ms: int, trace: bytes | None
    ) -> Headers:
        if self._place.pipeline.join is None:
            return template.headers(order.offset, order.book, input_ms, trace)
        # One record may lead to several groups: the id tells them apart.
        return template.headers_of(key.decode(), order.offset, order.book, input_ms, trace)

    def _stamp_for(self, key: bytes, order: OrderKey) -> Stamp:
        if self._stamp is not None and order.topic_id == self._topic_id:
            return self._stamp
        # Held from before the input topic was made anew, or a group.
        template = self._template(self._place.pipeline.enriched_event, order.topic_id)
        return stamp_of(template, None if self._place.pipeline.join is None else key.decode())

    def _remove(
        self,
        found: Findings,
        record: InputRecord,
        key: bytes,
        book: BookNumber,
        now_ms: int,
        span: RecordSpan | None,
    ) -> None:
        held = self._held(found, key)
        number = str(book)
        order = OrderKey(self._place.topic_id, record.offset, number)
        if held is not None and held.order.topic_id == order.topic_id and held.order.offset > order.offset:
            found.superseded += 1
            _came_to("superseded", span)
            return
        trace = _trace(record, span)
        if held is not None and held.flags != NO_FLAGS:
            cause = Cause(rfc3339(record.timestamp), order.topic_id, self._place.partition, record.offset, number)
            _, events = merge(key, read_flags(held.flags), (), cause)
            self._announce(found, key, events, order, trace)
        headers = self._headers(self._removed_headers, key, order, record.timestamp, trace)
        found.draft.add(self._enriched, key, None, headers, _output_time(record.timestamp, now_ms, found.notes))
        found.published[key] = Gone(order, _replaced(found, key, held))
        found.tombstones += 1
        _came_to("tombstone", span)

    def _announce(
        self, found: Findings, key: bytes, events: Sequence[FlagEvent], order: OrderKey, trace: bytes | None
    ) -> None:
        """Draft the events of one record's flags. Their Kafka time is now: retention counts from here."""
        for event in events:
            members = {**self._identity(key), **event_members(event)}
            template = self._template(_FLAG_EVENT[event.change.value], order.topic_id)
            # One record may raise several flags: the id tells them apart.
            flag_key = key + b":" + event.flag.type.encode()
            subject = event.flag.type if self._place.pipeline.join is None else flag_key.decode()
            headers = template.headers_of(subject, order.offset, order.book, NO_TIME_MS, trace)
            found.draft.add(self._flags, flag_key, orjson.dumps(members), headers, int(time.time() * 1000))
            found.flag_events[event.change.value] += 1

    def _identity(self, key: bytes) -> dict[str, str]:
        """The members of a flag's event that say whose it is."""
        identity = self._place.pipeline.identity
        if identity == "group":
            return {identity: key.decode()}
        dealer, _, number = key.decode().partition(":")
        return {"dealer_id": dealer, identity: number}

    def _held(self, found: Findings, key: bytes) -> Held | None:
        known = found.published.get(key)
        if known is None:
            return self._state.held(key)
        return known if isinstance(known, Held) else None

    def _bury(self, found: Findings, record: InputRecord, rejected: Rejected, now_ms: int) -> None:
        found.buried.append((record.offset, rejected.reason))
        if self._dead is None:
            return
        headers = dead_letter_headers(
            record.headers,
            reason=rejected.reason.value,
            detail=rejected.detail,
            topic=self._source,
            partition=self._place.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp,
            version=__version__,
        )
        # Retention of dead letters counts from now, not from the record's own time.
        found.draft.add(self._dead, record.key, record.value, headers, now_ms)


def _replaced(found: Findings, key: bytes, held: Held | None) -> bytes:
    """The contribution in the totals under a key: what this batch published before is not in them yet."""
    earlier = found.published.get(key)
    if earlier is not None:
        return earlier.replaces
    return contribution.NOTHING if held is None else held.contribution


def _came_to(outcome: str, span: RecordSpan | None) -> None:
    if span is not None:
        span.came_to(outcome)


def _is_superseded(outcome: Enriched, order: OrderKey, held: Held) -> bool:
    """Whether what is held is later: by the DMS's own time, else by its place in the log."""
    if order.topic_id == held.order.topic_id and order.offset < held.order.offset:
        return True
    if outcome.updated_at is None or held.updated_at_ms is None:
        return False
    return int(outcome.updated_at.timestamp() * 1000) < held.updated_at_ms


def _output_time(timestamp: int, now_ms: int, notes: Counter[str]) -> int:
    if 0 <= timestamp <= now_ms + FUTURE_TOLERANCE_MS:
        return timestamp
    if timestamp > 0:
        notes["timestamp_clamped"] += 1
    return now_ms


def _too_large(body: bytes) -> Rejected:
    return Rejected(
        Reason.TOO_LARGE, f"the enriched record has {len(body):,} bytes, more than its topic takes: shorten the record"
    )


def _trace(record: InputRecord, span: RecordSpan | None = None) -> bytes | None:
    """The `traceparent` that goes out: the record's span's, else the one it came with."""
    if span is not None:
        return span.traceparent
    trace = header(record.headers, TRACEPARENT) if record.headers else None
    return trace if trace is None or len(trace) <= TRACEPARENT_MAX_BYTES else None
