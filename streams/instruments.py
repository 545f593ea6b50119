"""What counts and shows the metrics of the catalogue (`streams.metrics`), one set a process.

A lane counts once a batch, never once a record, so that counting costs nothing beside the work.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from streams.metrics import (
    BATCH_BYTES,
    BATCH_RECORDS,
    BATCH_SECONDS,
    BOOK_INFO,
    BOOK_REVIEW_REQUIRED,
    BOOK_VERIFIED,
    BUILD_INFO,
    COMMITTED_AGE,
    DEAD_LETTERS,
    EXITS,
    FENCED_PRODUCERS,
    FLAG_EVENTS,
    IN_FLIGHT_BYTES,
    IN_FLIGHT_RECORDS,
    LAG,
    LATENCY_SECONDS,
    LOT_DOLLARS,
    LOT_DUTY_DOLLARS,
    LOT_FLAGS,
    LOT_GRAMS,
    LOT_RECORDS,
    NOTES,
    PAUSED,
    POLICY_REFUSED,
    REBALANCES,
    RECORDS_IN,
    RECORDS_OUT,
    RECORDS_SUPERSEDED,
    RECORDS_UNCHANGED,
    RERATE_BOOK,
    RERATE_PENDING,
    RERATE_REMAINING,
    RERATE_SECONDS,
    RERATE_SPEED,
    RERATED,
    STATE_AGE,
    STATE_BYTES,
    STATE_DISCARDED,
    STATE_KEYS,
    STATE_REMAINING,
    STATE_RESTORED,
    STATE_SECONDS,
    TOMBSTONES,
    TRANSACTION_SECONDS,
    TRANSACTIONS_ABORTED,
    TRANSACTIONS_COMMITTED,
    Metric,
)
from streams.progress import Progress, RerateProgress

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NONE: Mapping[str, int] = MappingProxyType({})

LotShown = Mapping[Metric, Mapping[tuple[str, ...], float]]
"""For each gauge of the lot its values by label values, in the order of the metric's labels."""


class LaneMetrics:
    """What one lane counts and shows: call `batch` once a batch, set the attributes when they change.

    Attributes read at each scrape: `progress` (lag and age), `rerate`, `paused`, `in_flight_records`,
    `in_flight_bytes`, and `lot`, what its partition adds to the gauges of the whole lot.
    """

    __slots__ = ("_bound", "_metrics", "in_flight_bytes", "in_flight_records", "lot", "partition", "paused",
                 "progress", "rerate", "topic")  # fmt: skip

    def __init__(self, metrics: Metrics, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.progress = Progress()
        self.rerate = RerateProgress()
        self.paused = False
        self.in_flight_records = 0
        self.in_flight_bytes = 0
        self.lot: LotShown = {}
        self._metrics = metrics
        self._bound = tuple(
            counter.labels(topic, str(partition))
            for counter in (
                metrics.records_in,
                metrics.records_out,
                metrics.records_unchanged,
                metrics.records_superseded,
                metrics.tombstones,
            )
        )

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
        for child, count in zip(self._bound, (records, out, unchanged, superseded, tombstones), strict=True):
            if count:
                child.inc(count)
        metrics.batch_records.labels(self.topic).observe(records)
        metrics.batch_bytes.labels(self.topic).observe(size_bytes)
        metrics.batch_seconds.labels(self.topic).observe(seconds)
        for reason, count in dead_letters.items():
            metrics.dead_letters.labels(self.topic, _code(reason)).inc(count)
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


class LatencyHistogram:
    """A histogram that takes a whole batch of timestamps at once: one sort and a search a bucket."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._bounds = sorted(metric.buckets)
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def begin(self, topic: str) -> None:
        """Show `topic` with nothing in it: a first scrape that already holds a backlog would be seen as no increase."""
        self._counts.setdefault(topic, [0] * (len(self._bounds) + 1))

    def observe_since(self, topic: str, timestamps_ms: Sequence[int], now: float) -> None:
        """Observe `now` (Unix seconds) minus each timestamp (Unix milliseconds); negative ones are left out."""
        ordered = sorted(timestamps_ms)
        del ordered[: bisect_left(ordered, 0)]
        if not ordered:
            return
        now_ms = now * 1000
        counts = self._counts.setdefault(topic, [0] * (len(self._bounds) + 1))
        total = len(ordered)
        for position, bound in enumerate(self._bounds):
            counts[position] += total - bisect_left(ordered, now_ms - bound * 1000)
        counts[-1] += total
        past = ordered[: bisect_right(ordered, now_ms)]
        self._sums[topic] = self._sums.get(topic, 0.0) + (len(past) * now_ms - sum(past)) / 1000

    def describe(self) -> Iterable[Family]:
        """The family without its samples, for the registry's check of names."""
        yield HistogramMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)

    def collect(self) -> Iterator[Family]:
        """The family as it stands, for a scrape."""
        family = HistogramMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
        for topic, counts in self._counts.items():
            bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
            family.add_metric([topic], list(zip(bounds, map(float, counts), strict=True)), self._sums.get(topic, 0.0))
        yield family


class _LaneGauges:
    """Reads the assigned lanes at each scrape, so that a lane only sets attributes and a revoked one disappears."""

    _SHOWN: tuple[tuple[Metric, Callable[[LaneMetrics, float], float]], ...] = (
        (LAG, lambda lane, now: lane.progress.lag),
        (COMMITTED_AGE, lambda lane, now: lane.progress.stuck_seconds(now)),
        (PAUSED, lambda lane, now: float(lane.paused)),
        (IN_FLIGHT_RECORDS, lambda lane, now: lane.in_flight_records),
        (IN_FLIGHT_BYTES, lambda lane, now: lane.in_flight_bytes),
        (RERATE_PENDING, lambda lane, now: lane.rerate.pending),
        (RERATE_SPEED, lambda lane, now: lane.rerate.per_second(now)),
        (RERATE_REMAINING, lambda lane, now: lane.rerate.remaining_seconds(now)),
        (RERATE_SECONDS, lambda lane, now: lane.rerate.last_seconds),
    )

    def __init__(self, lanes: Mapping[tuple[str, int], LaneMetrics], clock: Callable[[], float]) -> None:
        self._lanes = lanes
        self._clock = clock

    def describe(self) -> Iterable[Family]:
        for metric in (*(metric for metric, _ in self._SHOWN), RERATE_BOOK):
            yield GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)

    def collect(self) -> Iterator[Family]:
        now = self._clock()
        lanes = sorted(self._lanes.items())
        for metric, value in self._SHOWN:
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for (topic, partition), lane in lanes:
                family.add_metric([topic, str(partition)], value(lane, now))
            yield family
        books = GaugeMetricFamily(RERATE_BOOK.name, RERATE_BOOK.help, labels=RERATE_BOOK.labels)
        for (topic, partition), lane in lanes:
            if lane.rerate.book is not None:
                books.add_metric([topic, str(partition), lane.rerate.book], 1)
        yield books


class _LotGauges:
    """The sums of what the assigned lanes hold; over all workers they are the lot."""

    _SHOWN = (LOT_RECORDS, LOT_DOLLARS, LOT_DUTY_DOLLARS, LOT_GRAMS, LOT_FLAGS)

    def __init__(self, lanes: Mapping[tuple[str, int], LaneMetrics]) -> None:
        self._lanes = lanes

    def describe(self) -> Iterable[Family]:
        for metric in self._SHOWN:
            yield GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)

    def collect(self) -> Iterator[Family]:
        lots = [lane.lot for lane in self._lanes.values()]
        for metric in self._SHOWN:
            sums: dict[tuple[str, ...], float] = {}
            for lot in lots:
                for labels, value in lot.get(metric, {}).items():
                    sums[labels] = sums.get(labels, 0.0) + value
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in sorted(sums.items()):
                family.add_metric(labels, value)
            yield family


class StateShown(NamedTuple):
    """One partition's state as a scrape shows it; `checkpoint_age_seconds` is None before its first restore is through.

    `restored`, `remaining` and `seconds` are of its last restore.
    """

    topic: str
    partition: int
    keys: int
    disk_bytes: int
    checkpoint_age_seconds: float | None
    restored: int
    remaining: int
    seconds: float


class _StateGauges:
    """Asks for the open states at each scrape."""

    _SHOWN: tuple[tuple[Metric, Callable[[StateShown], float | None]], ...] = (
        (STATE_KEYS, lambda state: state.keys),
        (STATE_BYTES, lambda state: state.disk_bytes),
        (STATE_AGE, lambda state: state.checkpoint_age_seconds),
        (STATE_RESTORED, lambda state: state.restored),
        (STATE_REMAINING, lambda state: state.remaining),
        (STATE_SECONDS, lambda state: state.seconds),
    )

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Family]:
        for metric, _ in self._SHOWN:
            yield GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)

    def collect(self) -> Iterator[Family]:
        states = sorted(self._metrics.states())
        for metric, value in self._SHOWN:
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for state in states:
                found = value(state)
                if found is not None:
                    family.add_metric([state.topic, str(state.partition)], found)
            yield family


class Metrics:
    """Every metric of the catalogue on one registry. One a process in production, one a test in tests.

    Belongs to one event loop. `clock` gives Unix seconds; it is the clock of `Progress` and of latencies.
    """

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.time) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves this one untyped
        self.registry = registry
        self.clock = clock
        self.records_in = _counter(RECORDS_IN, registry)
        self.records_out = _counter(RECORDS_OUT, registry)
        self.records_unchanged = _counter(RECORDS_UNCHANGED, registry)
        self.records_superseded = _counter(RECORDS_SUPERSEDED, registry)
        self.tombstones = _counter(TOMBSTONES, registry)
        self.dead_letters = _counter(DEAD_LETTERS, registry)
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
        registry.register(self.latency)
        registry.register(_LaneGauges(self._lanes, clock))
        registry.register(_LotGauges(self._lanes))
        registry.register(_StateGauges(self))

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
