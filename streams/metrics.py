"""The metric catalogue: every series lotrisk exposes, with its kind, unit, labels and buckets; names stand only here.

A lane counts once a batch, never once a record, so that counting costs nothing beside the work. Labels are the topic,
the partition, a reason or a note's code: all bounded by the catalogue of topics and by the code. A VIN, a dealer or a
part number is never a label. `docs/metrics.md` is generated from this file (`lotrisk metrics --markdown`).
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import nan
from types import MappingProxyType
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family


class Kind(StrEnum):
    """Prometheus' metric types, those in use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `unit` is `seconds`, `bytes`, `records` or empty for a plain number; `buckets` are upper bounds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()


_LANE = ("topic", "partition")

RECORDS_IN = Metric(
    "lotrisk_records_in_total",
    Kind.COUNTER,
    "Input records finished: committed, and counted once more below as out, unchanged, superseded, tombstone or dead.",
    _LANE,
    "records",
)
RECORDS_OUT = Metric(
    "lotrisk_records_out_total", Kind.COUNTER, "Enriched records published for an input record.", _LANE, "records"
)
RECORDS_UNCHANGED = Metric(
    "lotrisk_records_unchanged_total",
    Kind.COUNTER,
    "Input records whose enriched record is the one already published.",
    _LANE,
    "records",
)
RECORDS_SUPERSEDED = Metric(
    "lotrisk_records_superseded_total",
    Kind.COUNTER,
    "Input records older by updated_at than the one held.",
    _LANE,
    "records",
)
TOMBSTONES = Metric(
    "lotrisk_tombstones_total",
    Kind.COUNTER,
    "Null values passed through: the vehicle or part left the lot.",
    _LANE,
    "records",
)
DEAD_LETTERS = Metric(
    "lotrisk_dead_letters_total",
    Kind.COUNTER,
    "Input records refused, by reason, and written to the dead letters where their topic has them.",
    ("topic", "reason"),
    "records",
)
NOTES = Metric(
    "lotrisk_notes_total",
    Kind.COUNTER,
    "Records handled with a remark, by code: a failed check digit, a clamped timestamp, a key in the wrong partition.",
    ("topic", "code"),
    "records",
)
FLAG_EVENTS = Metric(
    "lotrisk_flag_events_total",
    Kind.COUNTER,
    "Events published on risk.flags, by what happened: raised, changed, cleared.",
    ("topic", "change"),
    "records",
)
RERATED = Metric(
    "lotrisk_rerated_total",
    Kind.COUNTER,
    "Held records brought up to a new book, by result: changed (published), unchanged, refused (left as it is).",
    ("topic", "result"),
    "records",
)
RERATE_PENDING = Metric(
    "lotrisk_rerate_pending_records",
    Kind.GAUGE,
    "Held records, about, that re-rating has still to look at under the book in use; 0 when it is through.",
    _LANE,
    "records",
)
RERATE_SPEED = Metric(
    "lotrisk_rerate_records_per_second",
    Kind.GAUGE,
    "Held records that re-rating looks at a second, since the book in use came; 0 when it is through.",
    _LANE,
)
RERATE_REMAINING = Metric(
    "lotrisk_rerate_remaining_seconds",
    Kind.GAUGE,
    "How long re-rating will still take at its speed until now; NaN before that is known, 0 when it is through.",
    _LANE,
    "seconds",
)
RERATE_SECONDS = Metric(
    "lotrisk_rerate_duration_seconds",
    Kind.GAUGE,
    "How long the last re-rating that rated anything took, from the new book in use to the last record.",
    _LANE,
    "seconds",
)
RERATE_BOOK = Metric(
    "lotrisk_rerate_book_info",
    Kind.GAUGE,
    "1 for the number of the highest book under which all that is held is known to be right.",
    (*_LANE, "book"),
)
BATCH_RECORDS = Metric(
    "lotrisk_batch_records",
    Kind.HISTOGRAM,
    "Input records in a batch.",
    ("topic",),
    "records",
    (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000),
)
BATCH_BYTES = Metric(
    "lotrisk_batch_bytes",
    Kind.HISTOGRAM,
    "Keys and values of the input records in a batch, uncompressed.",
    ("topic",),
    "bytes",
    (1_024, 16_384, 131_072, 524_288, 1_048_576, 2_097_152, 4_194_304, 8_388_608),
)
BATCH_SECONDS = Metric(
    "lotrisk_batch_duration_seconds",
    Kind.HISTOGRAM,
    "From a batch's first record to its offsets committed.",
    ("topic",),
    "seconds",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
LATENCY_SECONDS = Metric(
    "lotrisk_latency_seconds",
    Kind.HISTOGRAM,
    "End to end: from an input record's Kafka timestamp to its outputs committed; ahead of this clock counts as 0.",
    ("topic",),
    "seconds",
    (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800),
)
TRANSACTIONS_COMMITTED = Metric(
    "lotrisk_transactions_committed_total", Kind.COUNTER, "Kafka transactions committed.", ("topic",)
)
TRANSACTIONS_ABORTED = Metric(
    "lotrisk_transactions_aborted_total", Kind.COUNTER, "Kafka transactions aborted.", ("topic",)
)
TRANSACTION_SECONDS = Metric(
    "lotrisk_transaction_duration_seconds",
    Kind.HISTOGRAM,
    "From a transaction's begin to its commit acknowledged.",
    ("topic",),
    "seconds",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
FENCED_PRODUCERS = Metric(
    "lotrisk_fenced_producers_total",
    Kind.COUNTER,
    "Producers that a newer owner of the partition shut out.",
    ("topic",),
)
REBALANCES = Metric("lotrisk_rebalances_total", Kind.COUNTER, "Group rebalances this worker completed.")
LAG = Metric(
    "lotrisk_lag_records",
    Kind.GAUGE,
    "Offsets between the committed one and the partition's end, as this worker sees it.",
    _LANE,
    "records",
)
COMMITTED_AGE = Metric(
    "lotrisk_committed_age_seconds",
    Kind.GAUGE,
    "How long the committed offset has stood still while there is lag; 0 without lag.",
    _LANE,
    "seconds",
)
PAUSED = Metric("lotrisk_lane_paused", Kind.GAUGE, "1 where too many dead letters paused the partition, else 0.", _LANE)
IN_FLIGHT_RECORDS = Metric(
    "lotrisk_in_flight_records", Kind.GAUGE, "Records fetched and not yet committed.", _LANE, "records"
)
IN_FLIGHT_BYTES = Metric("lotrisk_in_flight_bytes", Kind.GAUGE, "Bytes fetched and not yet committed.", _LANE, "bytes")
STATE_KEYS = Metric(
    "lotrisk_state_keys", Kind.GAUGE, "Vehicles or parts held, as RocksDB estimates it.", _LANE, "records"
)
STATE_BYTES = Metric("lotrisk_state_disk_bytes", Kind.GAUGE, "Bytes of the state's files.", _LANE, "bytes")
STATE_AGE = Metric(
    "lotrisk_state_checkpoint_age_seconds",
    Kind.GAUGE,
    "How long ago the state's checkpoint was right; an old one on a quiet lot is good all the same.",
    _LANE,
    "seconds",
)
STATE_RESTORED = Metric(
    "lotrisk_state_restored_records",
    Kind.GAUGE,
    "Records of the enriched topic that the last restore has read so far.",
    _LANE,
    "records",
)
STATE_REMAINING = Metric(
    "lotrisk_state_restore_remaining_records",
    Kind.GAUGE,
    "Offsets the restore still has to read; 0 when it is through.",
    _LANE,
    "records",
)
STATE_SECONDS = Metric(
    "lotrisk_state_restore_seconds", Kind.GAUGE, "How long the last restore has taken so far.", _LANE, "seconds"
)
STATE_DISCARDED = Metric(
    "lotrisk_state_discarded_total",
    Kind.COUNTER,
    "States thrown away and built anew from the enriched topic, by reason.",
    ("topic", "reason"),
)
BOOK_INFO = Metric("lotrisk_book_info", Kind.GAUGE, "1 for the number of the policy book in use.", ("book",))
BOOK_VERIFIED = Metric(
    "lotrisk_book_verified_timestamp_seconds",
    Kind.GAUGE,
    "Unix time of the day a person last verified the data of the book in use.",
    unit="seconds",
)
POLICY_REFUSED = Metric(
    "lotrisk_policy_rejected_measures",
    Kind.GAUGE,
    "Measures on trade.policy whose last record is malformed or conflicts, so that an older version stays in force.",
)
BOOK_REVIEW_REQUIRED = Metric(
    "lotrisk_book_review_required",
    Kind.GAUGE,
    "Controls of the book in use whose suspension has ended and whose status nobody has confirmed.",
)
EXITS = Metric(
    "lotrisk_exits_total",
    Kind.COUNTER,
    "Times a worker of this state directory ended itself, by reason; kept across restarts.",
    ("reason",),
)
LOT_RECORDS = Metric("lotrisk_lot_records", Kind.GAUGE, "Vehicles and part numbers on the lot.", ("goods",), "records")
LOT_DOLLARS = Metric(
    "lotrisk_lot_dollars",
    Kind.GAUGE,
    "Value at cost of what is on the lot: vehicles by invoice, else MSRP; parts by cost times quantity.",
    ("goods", "origin", "powertrain"),
)
LOT_DUTY_DOLLARS = Metric(
    "lotrisk_lot_duty_dollars",
    Kind.GAUGE,
    "Central dollars over the lot, by view: importer's duty landed and replacement, and expected_invoice_change.",
    ("goods", "view", "origin", "powertrain"),
)
LOT_GRAMS = Metric(
    "lotrisk_lot_rare_earth_grams", Kind.GAUGE, "Central grams of an element in what is on the lot.", ("element",)
)
LOT_FLAGS = Metric(
    "lotrisk_lot_open_flags",
    Kind.GAUGE,
    "Open flags of the vehicles and parts on the lot, by type and severity.",
    ("type", "severity"),
)
BUILD_INFO = Metric("lotrisk_build_info", Kind.GAUGE, "1 for the version of the program.", ("version",))

CATALOGUE: tuple[Metric, ...] = (
    RECORDS_IN, RECORDS_OUT, RECORDS_UNCHANGED, RECORDS_SUPERSEDED, TOMBSTONES, DEAD_LETTERS, NOTES,
    FLAG_EVENTS, RERATED, RERATE_PENDING, RERATE_SPEED, RERATE_REMAINING, RERATE_SECONDS, RERATE_BOOK,
    BATCH_RECORDS, BATCH_BYTES, BATCH_SECONDS, LATENCY_SECONDS,
    TRANSACTIONS_COMMITTED, TRANSACTIONS_ABORTED, TRANSACTION_SECONDS, FENCED_PRODUCERS, REBALANCES,
    LAG, COMMITTED_AGE, PAUSED, IN_FLIGHT_RECORDS, IN_FLIGHT_BYTES,
    STATE_KEYS, STATE_BYTES, STATE_AGE, STATE_RESTORED, STATE_REMAINING, STATE_SECONDS, STATE_DISCARDED,
    BOOK_INFO, BOOK_VERIFIED, BOOK_REVIEW_REQUIRED, POLICY_REFUSED, EXITS,
    LOT_RECORDS, LOT_DOLLARS, LOT_DUTY_DOLLARS, LOT_GRAMS, LOT_FLAGS, BUILD_INFO,
)  # fmt: skip

BROKERS_UP = Metric(
    "lotrisk_brokers_up", Kind.GAUGE, "1 where the brokers answered the exporter's last question, else 0."
)
BROKERS_ASKED = Metric(
    "lotrisk_brokers_answered_timestamp_seconds",
    Kind.GAUGE,
    "Unix time of the last answer of the brokers; 0 before the first.",
    unit="seconds",
)
GROUP_LAG = Metric(
    "lotrisk_group_lag_records",
    Kind.GAUGE,
    "Offsets between the group's committed one and the partition's end, as the brokers say.",
    _LANE,
    "records",
)
GROUP_COMMITTED_AGE = Metric(
    "lotrisk_group_committed_age_seconds",
    Kind.GAUGE,
    "How long the group's committed offset has stood still while there is lag, as seen here; 0 without lag.",
    _LANE,
    "seconds",
)
GROUP_COMMITTED = Metric(
    "lotrisk_group_committed_offset", Kind.GAUGE, "The group's committed offset; 0 before the first commit.", _LANE
)
GROUP_END = Metric("lotrisk_group_end_offset", Kind.GAUGE, "End of the partition.", _LANE)

LAG_CATALOGUE: tuple[Metric, ...] = (
    BROKERS_UP, BROKERS_ASKED, GROUP_LAG, GROUP_COMMITTED_AGE, GROUP_COMMITTED, GROUP_END,
)  # fmt: skip
"""What the lag exporter exposes, a process of its own."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NONE: Mapping[str, int] = MappingProxyType({})


class Progress:
    """Where a partition's committed offset stands, and since when it stands still while there is lag.

    The clock of liveness: a partition without lag is never stuck, however long nothing has come.
    """

    __slots__ = ("committed", "end", "since")

    def __init__(self) -> None:
        self.committed = 0
        self.end = 0
        self.since = 0.0

    @property
    def lag(self) -> int:
        """Offsets still to do; markers of transactions count until the committed offset passes them."""
        return max(0, self.end - self.committed)

    def update(self, *, now: float, committed: int | None = None, end: int | None = None) -> None:
        """Take in what is newly known at `now` (seconds of one steady or wall clock, always the same one)."""
        idle = self.lag == 0
        if committed is not None and committed != self.committed:
            self.committed = committed
            self.since = now
        if end is not None:
            self.end = end
        if idle:
            self.since = now

    def stuck_seconds(self, now: float) -> float:
        """How long the committed offset has stood still while there is lag; 0 without lag."""
        return max(0.0, now - self.since) if self.lag else 0.0


class RerateProgress:
    """How far one lane is in bringing what it holds up to the book in use. Times are Unix seconds.

    `book`: the highest one under which all is known to be right, None before the first scan is through. `rated`: how
    many records were below the book since it came.
    """

    __slots__ = ("_began", "_passed", "_scan_began", "_total", "book", "last_seconds", "rated")

    def __init__(self) -> None:
        self.book: str | None = None
        self.rated = 0
        self.last_seconds = 0.0
        self._began: float | None = None
        self._scan_began = 0.0
        self._total = 0
        self._passed = 0

    def begin(self, total: int, now: float) -> None:
        """A scan of about `total` records begins, or will soon; where one is under way it begins anew."""
        if self._began is None:
            self._began = now
            self.rated = 0
        self._scan_began, self._total, self._passed = now, total, 0

    def advance(self, passed: int, rated: int) -> None:
        """A slice is done: records it looked at, and those of them that were below the book."""
        self._passed += passed
        self.rated += rated

    def end(self, book: str, now: float) -> None:
        """The scan is through."""
        if self.rated and self._began is not None:
            self.last_seconds = now - self._began
        self.book, self._began = book, None

    @property
    def pending(self) -> int:
        """Records still to be looked at."""
        return 0 if self._began is None else max(1, self._total - self._passed)

    def per_second(self, now: float) -> float:
        """Records looked at a second; 0 where nothing is under way, or nothing known."""
        spent = now - self._scan_began
        return 0.0 if self._began is None or spent <= 0 else self._passed / spent

    def remaining_seconds(self, now: float) -> float:
        """How long it will take at this speed; 0 where nothing is under way, NaN where nothing is known."""
        if self._began is None:
            return 0.0
        speed = self.per_second(now)
        return self.pending / speed if speed else nan


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
