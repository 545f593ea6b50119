"""The metric catalogue: every series lotrisk exposes, with its kind, unit, labels and buckets; names stand only here.

Labels are the topic, the partition, a reason or a note's code, an origin or an element: all bounded by the catalogue of
topics, by the code and by the data. A VIN, a dealer or a part number is never a label. What counts and shows them is
`streams.instruments`. `docs/metrics.md` is generated from this file (`lotrisk metrics --markdown`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
LAG_DENIED = Metric(
    "lotrisk_lag_questions_denied_total",
    Kind.COUNTER,
    "Questions of the exporter that the brokers refused since its user lacks a right.",
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
    BROKERS_UP, BROKERS_ASKED, LAG_DENIED, GROUP_LAG, GROUP_COMMITTED_AGE, GROUP_COMMITTED, GROUP_END,
)  # fmt: skip
"""What the lag exporter exposes, a process of its own."""
