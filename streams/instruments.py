"""What counts and shows the metrics of the catalogue (`streams.metrics`), one set a process.

A lane counts once a batch, never once a record, so that counting costs nothing beside the work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from streams.collectors import (
    Flows,
    LaneGauges,
    LaneShown,
    LatencyHistogram,
    LotGauges,
    LotShown,
    StateGauges,
    StateShown,
)
from streams.metrics import (
    BATCH_BYTES,
    BATCH_RECORDS,
    BATCH_SECONDS,
    BOOK_INFO,
    BOOK_REVIEW_REQUIRED,
    BOOK_VERIFIED,
    BUILD_INFO,
    EXITS,
    FENCED_PRODUCERS,
    FLAG_EVENTS,
    LATENCY_SECONDS,
    NOTES,
    POLICY_REFUSED,
    REBALANCES,
    RERATED,
    STATE_DISCARDED,
    TRANSACTION_SECONDS,
    TRANSACTIONS_ABORTED,
    TRANSACTIONS_COMMITTED,
    Metric,
)

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NONE: Mapping[str, int] = MappingProxyType({})

__all__ = ["LaneMetrics", "LotShown", "Metrics", "StateShown"]


class LaneMetrics(LaneShown):
    """What one lane counts and shows: call `batch` once a batch, set the attributes when they change."""

    __slots__ = ("_metrics",)

    def __init__(self, metrics: Metrics, topic: str, partition: int) -> None:
        super().__init__(topic, partition)
        self._metrics = metrics
        metrics.flows.begin(topic, partition)

    def batch(
        self,
        *,
        records: int,
        size_bytes: int,
        seconds: float,
        out: int,
        unchanged: int = 0,
        superseded: int = 0,
        tombstones: int = 0,
        dead_letters: Mapping[str, int] = _NONE,
        notes: Mapping[str, int] = _NONE,
        timestamps_ms: Sequence[int] = (),
        now: float | None = None,
    ) -> None:
        """Count one finished batch: after its commit, never before.

        `dead_letters` and `notes` are counts by reason and by code; `timestamps_ms` the input records' Kafka
        timestamps (those without one, -1, are left out); `now` is Unix seconds, the registry's clock if not given.
        Raises ValueError where a reason or a code isn't a short lower-case word, so that no data becomes a label.
        """
        metrics = self._metrics
        for reason in dead_letters:
            _code(reason)
        counts = (records, out, unchanged, superseded, tombstones)
        metrics.flows.add(self.topic, self.partition, counts, dead_letters)
        metrics.batch_records.labels(self.topic).observe(records)
        metrics.batch_bytes.labels(self.topic).observe(size_bytes)
        metrics.batch_seconds.labels(self.topic).observe(seconds)
        for code, count in notes.items():
            metrics.notes.labels(self.topic, _code(code)).inc(count)
        if timestamps_ms:
            metrics.latency.observe_since(self.topic, timestamps_ms, metrics.clock() if now is None else now)

    def note(self, code: str, count: int = 1) -> None:
        """Count a remark that belongs to no batch."""
        self._metrics.notes.labels(self.topic, _code(code)).inc(count)

    def transaction(self, seconds: float) -> None:
        """Count one committed transaction and how long it took."""
        self._metrics.transactions_committed.labels(self.topic).inc()
        self._metrics.transaction_seconds.labels(self.topic).observe(seconds)

    def transaction_aborted(self) -> None:
        """Count one aborted transaction."""
        self._metrics.transactions_aborted.labels(self.topic).inc()

    def flag_events(self, changes: Mapping[str, int]) -> None:
        """Count flags raised, changed and cleared, once they are committed."""
        for change, count in changes.items():
            self._metrics.flag_events.labels(self.topic, _code(change)).inc(count)

    def now(self) -> float:
        """Unix seconds, by the clock of all metrics."""
        return self._metrics.clock()

    def rerated(self, *, changed: int, unchanged: int, notes: Mapping[str, int] = _NONE) -> None:
        """Count held records that were brought up to a new book; `notes` say why others were refused."""
        for result, count in (("changed", changed), ("unchanged", unchanged), ("refused", sum(notes.values()))):
            if count:
                self._metrics.rerated.labels(self.topic, result).inc(count)
        for code, count in notes.items():
            self.note(code, count)

    def fenced(self) -> None:
        """Count a producer that a newer owner shut out."""
        self._metrics.fenced_producers.labels(self.topic).inc()


class Metrics:
    """Every metric of the catalogue on one registry. One a process in production, one a test in tests.

    Counted on one event loop; a scrape may come from another thread. `clock` gives Unix seconds; it is the clock of
    `Progress` and of latencies.
    """

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.time) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves this one untyped
        self.registry = registry
        self.clock = clock
        self.flows = Flows()
        self.notes = _counter(NOTES, registry)
        self.flag_events = _counter(FLAG_EVENTS, registry)
        self.rerated = _counter(RERATED, registry)
        self.batch_records = _histogram(BATCH_RECORDS, registry)
        self.batch_bytes = _histogram(BATCH_BYTES, registry)
        self.batch_seconds = _histogram(BATCH_SECONDS, registry)
        self.latency = LatencyHistogram(LATENCY_SECONDS)
        self.transactions_committed = _counter(TRANSACTIONS_COMMITTED, registry)
        self.transactions_aborted = _counter(TRANSACTIONS_ABORTED, registry)
        self.transaction_seconds = _histogram(TRANSACTION_SECONDS, registry)
        self.fenced_producers = _counter(FENCED_PRODUCERS, registry)
        self.rebalances = _counter(REBALANCES, registry)
        self._book = _gauge(BOOK_INFO, registry)
        self._book_verified = _gauge(BOOK_VERIFIED, registry)
        self._policy_refused = _gauge(POLICY_REFUSED, registry)
        self._book_review_required = _gauge(BOOK_REVIEW_REQUIRED, registry)
        self._exits = _counter(EXITS, registry)
        self._build = _gauge(BUILD_INFO, registry)
        self._lanes: dict[tuple[str, int], LaneMetrics] = {}
        self._state_discarded = _counter(STATE_DISCARDED, registry)
        self.states: Callable[[], Iterable[StateShown]] = tuple
        """Tells of the open states; set by their store."""
        self._states = StateGauges()
        for collector in (self.flows, self.latency, LaneGauges(self._lanes, clock), LotGauges(self._lanes)):
            registry.register(collector)
        registry.register(self._states)

    @property
    def lanes(self) -> Mapping[tuple[str, int], LaneMetrics]:
        """The assigned lanes by topic and partition: what liveness and readiness look at."""
        return MappingProxyType(self._lanes)

    def lane(self, topic: str, partition: int) -> LaneMetrics:
        """The lane's metrics, made on first use; its gauges show from now on."""
        found = self._lanes.get((topic, partition))
        if found is None:
            found = self._lanes[topic, partition] = LaneMetrics(self, topic, partition)
        return found

    def look(self) -> None:
        """Look at the open states, for the scrapes to come; call it on the loop that they belong to."""
        self._states.seen = tuple(self.states())

    def release(self, topic: str, partition: int) -> None:
        """The partition is no longer ours: its gauges go, its counters stay."""
        self._lanes.pop((topic, partition), None)

    def book_in_use(self, number: str, verified: float | None, review_required: int = 0) -> None:
        """Show the book in use: its number, when its data were last verified (Unix seconds), and what needs a review.

        `review_required` is the number of controls whose status nobody has confirmed since their suspension ended.
        """
        self._book.clear()
        self._book.labels(number).set(1)
        if verified is not None:
            self._book_verified.set(verified)
        self._book_review_required.set(review_required)

    def exits_before(self, counts: Mapping[str, int]) -> None:
        """Show how often earlier workers of this state directory ended themselves, by reason; call it once."""
        for reason, count in counts.items():
            self._exits.labels(_code(reason)).inc(count)

    def policy_refused(self, measures: int) -> None:
        """Show how many measures of `trade.policy` were refused."""
        self._policy_refused.set(measures)

    def state_discarded(self, topic: str, reason: str) -> None:
        """Count a state that was thrown away."""
        self._state_discarded.labels(topic, _code(reason)).inc()

    def build(self, version: str) -> None:
        """Show the version of the program."""
        self._build.labels(version).set(1)


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError(f"{text!r} can't be a label: reasons and codes are lower-case words of 40 characters at most")
    return text


def _counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.help, metric.labels, registry=registry)


def _gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.help, metric.labels, registry=registry)


def _histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)
