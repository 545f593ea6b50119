"""What a scrape reads: lanes, the lot, states and flows as they stand, from whichever thread asks.

The health port has a thread of its own: what is read here is replaced by the workers' loop meanwhile, never half.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from streams.metrics import (
    COMMITTED_AGE,
    DEAD_LETTERS,
    IN_FLIGHT_BYTES,
    IN_FLIGHT_RECORDS,
    LAG,
    LOT_DOLLARS,
    LOT_DUTY_DOLLARS,
    LOT_FLAGS,
    LOT_GRAMS,
    LOT_RECORDS,
    PAUSED,
    RECORDS_IN,
    RECORDS_OUT,
    RECORDS_SUPERSEDED,
    RECORDS_UNCHANGED,
    RERATE_BOOK,
    RERATE_PENDING,
    RERATE_REMAINING,
    RERATE_SECONDS,
    RERATE_SPEED,
    STATE_AGE,
    STATE_BYTES,
    STATE_KEYS,
    STATE_REMAINING,
    STATE_RESTORED,
    STATE_SECONDS,
    TOMBSTONES,
    Metric,
)
from streams.progress import Progress, RerateProgress

LotShown = Mapping[Metric, Mapping[tuple[str, ...], float]]
"""For each gauge of the lot its values by label values, in the order of the metric's labels."""


class LaneShown:
    """What one lane shows at each scrape: its lane sets the attributes when they change.

    `progress` gives lag and age; `lot` is what the partition adds to the gauges of the whole lot.
    """

    __slots__ = ("in_flight_bytes", "in_flight_records", "lot", "partition", "paused", "progress", "rerate", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.progress = Progress()
        self.rerate = RerateProgress()
        self.paused = False
        self.in_flight_records = 0
        self.in_flight_bytes = 0
        self.lot: LotShown = {}


class Flows:
    """What became of the records, counted in one step a batch: at every scrape a lane's books balance."""

    _SHOWN = (RECORDS_IN, RECORDS_OUT, RECORDS_UNCHANGED, RECORDS_SUPERSEDED, TOMBSTONES)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], tuple[int, ...]] = {}
        self._dead: dict[tuple[str, str], int] = {}

    def begin(self, topic: str, partition: int) -> None:
        """Show a partition from its first moment on, with nothing in it."""
        with self._lock:
            self._counts.setdefault((topic, partition), (0,) * len(self._SHOWN))

    def add(self, topic: str, partition: int, counts: Sequence[int], dead_letters: Mapping[str, int]) -> None:
        """Add a batch: records in, out, unchanged, superseded and tombstones; dead letters by reason."""
        key = (topic, partition)
        with self._lock:
            self._counts[key] = tuple(map(sum, zip(self._counts[key], counts, strict=True)))
            for reason, count in dead_letters.items():
                self._dead[topic, reason] = self._dead.get((topic, reason), 0) + count

    def describe(self) -> Iterable[Family]:
        """The families without samples, for the registry's check of names."""
        return [CounterMetricFamily(one.name, one.help, labels=one.labels) for one in (*self._SHOWN, DEAD_LETTERS)]

    def collect(self) -> Iterator[Family]:
        """The families as they stand, all of one moment."""
        with self._lock:
            counts, dead = sorted(self._counts.items()), sorted(self._dead.items())
        for position, metric in enumerate(self._SHOWN):
            family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            for (topic, partition), values in counts:
                family.add_metric([topic, str(partition)], values[position])
            yield family
        letters = CounterMetricFamily(DEAD_LETTERS.name, DEAD_LETTERS.help, labels=DEAD_LETTERS.labels)
        for labels, count in dead:
            letters.add_metric(labels, count)
        yield letters


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
        for topic, counts in list(self._counts.items()):
            bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
            family.add_metric([topic], list(zip(bounds, map(float, counts), strict=True)), self._sums.get(topic, 0.0))
        yield family


class LaneGauges:
    """Reads the assigned lanes at each scrape, so that a lane only sets attributes and a revoked one disappears."""

    _SHOWN: tuple[tuple[Metric, Callable[[LaneShown, float], float]], ...] = (
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

    def __init__(self, lanes: Mapping[tuple[str, int], LaneShown], clock: Callable[[], float]) -> None:
        self._lanes = lanes
        self._clock = clock

    def describe(self) -> Iterable[Family]:
        """The families without samples, for the registry's check of names."""
        for metric in (*(metric for metric, _ in self._SHOWN), RERATE_BOOK):
            yield GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)

    def collect(self) -> Iterator[Family]:
        """Everything as it stands, for a scrape."""
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


class LotGauges:
    """The sums of what the assigned lanes hold; over all workers they are the lot."""

    _SHOWN = (LOT_RECORDS, LOT_DOLLARS, LOT_DUTY_DOLLARS, LOT_GRAMS, LOT_FLAGS)

    def __init__(self, lanes: Mapping[tuple[str, int], LaneShown]) -> None:
        self._lanes = lanes

    def describe(self) -> Iterable[Family]:
        """The families without samples, for the registry's check of names."""
        for metric in self._SHOWN:
            yield GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)

    def collect(self) -> Iterator[Family]:
        """Everything as it stands, for a scrape."""
        lots = [lane.lot for lane in list(self._lanes.values())]
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


class StateGauges:
    """Shows the states as they were last looked at: they belong to the loop, a scrape may come from elsewhere."""

    _SHOWN: tuple[tuple[Metric, Callable[[StateShown], float | None]], ...] = (
        (STATE_KEYS, lambda state: state.keys),
        (STATE_BYTES, lambda state: state.disk_bytes),
        (STATE_AGE, lambda state: state.checkpoint_age_seconds),
        (STATE_RESTORED, lambda state: state.restored),
        (STATE_REMAINING, lambda state: state.remaining),
        (STATE_SECONDS, lambda state: state.seconds),
    )

    def __init__(self) -> None:
        self.seen: Sequence[StateShown] = ()

    def describe(self) -> Iterable[Family]:
        """The families without samples, for the registry's check of names."""
        for metric, _ in self._SHOWN:
            yield GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)

    def collect(self) -> Iterator[Family]:
        """Everything as it stands, for a scrape."""
        states = sorted(self.seen)
        for metric, value in self._SHOWN:
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for state in states:
                found = value(state)
                if found is not None:
                    family.add_metric([state.topic, str(state.partition)], found)
            yield family
