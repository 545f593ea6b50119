"""What the dashboards show: panels and their queries, with names from the metric catalogue and the recording rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deploy.prometheus import rules
from streams import metrics as m

RATE = "$__rate_interval"
TOPIC = 'topic=~"$topic"'

Kind = Literal["timeseries", "stat", "table"]


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and the legend of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `unit` is Grafana's name of it; `trouble` marks one that is not all zero after failures."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 8
    trouble: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of panels."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard; `uid` is its file's name and its address in Grafana."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Every panel, row by row."""
        return tuple(panel for row in self.rows for panel in row.panels)


def rate(metric: m.Metric, *by: str) -> str:
    """Events a second of a counter that has a topic."""
    return f"sum by ({', '.join(by)}) (rate({metric.name}{{{TOPIC}}}[{RATE}]))"


def quantile(metric: m.Metric, share: float) -> str:
    """A quantile of a histogram, by topic."""
    return (
        f"histogram_quantile({share}, sum by (topic, le) (rate({metric.name}_bucket{{{TOPIC}}}[{RATE}]))) "
        f"and on (topic) sum by (topic) (rate({metric.name}_count{{{TOPIC}}}[{RATE}])) > 0"
    )


def gauge(metric: m.Metric, *by: str, how: str = "sum") -> str:
    """A gauge over its partitions."""
    return f"{how} by ({', '.join(by)}) ({metric.name}{{{TOPIC}}})"


def recorded(name: str) -> str:
    """A recorded series of the chosen topics."""
    return f"{name}{{{TOPIC}}}"


IN = Panel(
    "Records in",
    "Input records finished: committed, and out, unchanged, superseded, a tombstone or a dead letter.",
    "cps",
    (Query(rate(m.RECORDS_IN, "topic"), "{{topic}}"),),
)
OUTCOMES = Panel(
    "What became of them",
    "Records in by outcome. `unchanged` publishes nothing, since the same is published already; `superseded` are older "
    "than what is held.",
    "cps",
    (
        Query(rate(m.RECORDS_OUT, "topic"), "{{topic}} out"),
        Query(rate(m.RECORDS_UNCHANGED, "topic"), "{{topic}} unchanged"),
        Query(rate(m.RECORDS_SUPERSEDED, "topic"), "{{topic}} superseded"),
        Query(rate(m.TOMBSTONES, "topic"), "{{topic}} tombstones"),
    ),
)
DEAD = Panel(
    "Dead letters by reason",
    "Records that could not be enriched; `lotrisk dlq list` shows them.",
    "cps",
    (Query(rate(m.DEAD_LETTERS, "topic", "reason"), "{{topic}} {{reason}}"),),
    trouble=True,
)
LATENCY = Panel(
    "Latency",
    "From a record's Kafka timestamp to its output committed: half of the records, and 99 of 100.",
    "s",
    (
        Query(quantile(m.LATENCY_SECONDS, 0.5), "{{topic}} p50"),
        Query(quantile(m.LATENCY_SECONDS, 0.99), "{{topic}} p99"),
    ),
)
LAG = Panel(
    "Waiting",
    "Offsets between the group's committed one and the end, as the brokers say (lag exporter).",
    "short",
    (Query(recorded(rules.LAG), "{{topic}}"),),
    trouble=True,
)
TRANSACTIONS = Panel(
    "Transactions",
    "Committed transactions a second. Exactly once: outputs, dead letters and offsets of a batch are one transaction.",
    "cps",
    (Query(rate(m.TRANSACTIONS_COMMITTED, "topic"), "{{topic}}"),),
)
BOOK = Panel(
    "Book in use",
    "The policy book each worker rates by: reference revision, epoch, offset of trade.policy, regime date.",
    "short",
    (Query(f"count by (book, instance) ({m.BOOK_INFO.name})", "{{instance}}: {{book}}"),),
    kind="table",
)
VERIFIED = Panel(
    "Days since the book was verified",
    f"Since a person last verified the policy data; {rules.VERIFIED_DAYS} days are the limit.",
    "d",
    (Query(f"(time() - min({m.BOOK_VERIFIED.name})) / 86400", "days"),),
    kind="stat",
    width=4,
)
REVIEW = Panel(
    "Controls to review",
    "Controls whose suspension has ended and whose status nobody has confirmed.",
    "short",
    (Query(f"max({m.BOOK_REVIEW_REQUIRED.name})", "controls"),),
    kind="stat",
    width=4,
    trouble=True,
)

OPERATIONS = Dashboard(
    "lotrisk-operations",
    "lotrisk: operations",
    "Is it up, does it keep up, is it late, is anything lost or bad? Alerts and runbooks: docs/alerts.md.",
    (
        Row(
            "Now",
            (
                Panel(
                    "Workers that answer",
                    "Workers whose metrics port answers Prometheus.",
                    "short",
                    (Query(f'sum(up{{job="{rules.WORKERS}"}})', "workers"),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    "Brokers answer",
                    "1 where Kafka answers the lag exporter.",
                    "bool_yes_no",
                    (Query(f"max({m.BROKERS_UP.name})", "brokers"),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    "Alerts firing",
                    "Alerts of lotrisk that fire now, by severity.",
                    "short",
                    (
                        Query(
                            'count by (severity) (ALERTS{alertstate="firing",service="lotrisk"}) or vector(0)',
                            "{{severity}}",
                        ),
                    ),
                    width=4,
                    trouble=True,
                ),
                Panel(
                    "Paused partitions",
                    "Partitions that too many dead letters paused; each needs a person.",
                    "short",
                    (Query(f"sum({m.PAUSED.name})", "partitions"),),
                    width=4,
                    trouble=True,
                ),
                Panel(
                    "Records unaccounted for",
                    "Taken in and neither out, unchanged, superseded, a tombstone nor a dead letter, since each "
                    "worker's start. Anything but 0 is a loss.",
                    "short",
                    (Query(f"sum by (topic) ({recorded(rules.UNACCOUNTED)})", "{{topic}}"),),
                    trouble=True,
                ),
            ),
        ),
        Row("Traffic", (IN, OUTCOMES, DEAD)),
        Row(
            "Late",
            (
                LATENCY,
                Panel(
                    "Share of records later than the objective",
                    f"Records out later than {rules.LATENCY_SECONDS:g} s after their timestamp, over five minutes and "
                    f"an hour; the budget is {rules.LATENCY_BUDGET:.0%} over 30 days.",
                    "percentunit",
                    (
                        Query(recorded(rules.slow_name("5m")), "{{topic}} 5 m"),
                        Query(recorded(rules.slow_name("1h")), "{{topic}} 1 h"),
                    ),
                    trouble=True,
                ),
                LAG,
                Panel(
                    "Standing still",
                    "How long the committed offset of a partition has stood still while records wait (lag exporter).",
                    "s",
                    (Query(gauge(m.GROUP_COMMITTED_AGE, "topic", "partition", how="max"), "{{topic}}/{{partition}}"),),
                    trouble=True,
                ),
                Panel(
                    "Dead letters' share",
                    "Of the last quarter of an hour's records.",
                    "percentunit",
                    (Query(recorded(rules.DEAD_SHARE), "{{topic}}"),),
                    trouble=True,
                ),
                Panel(
                    "Remarks",
                    "Records handled with a remark, by code; docs/contracts.md says what each means.",
                    "cps",
                    (Query(rate(m.NOTES, "topic", "code"), "{{topic}} {{code}}"),),
                ),
            ),
        ),
        Row(
            "Inside",
            (
                Panel(
                    "In flight",
                    "Records fetched and not yet committed.",
                    "short",
                    (Query(gauge(m.IN_FLIGHT_RECORDS, "topic"), "{{topic}}"),),
                ),
                Panel(
                    "In flight, bytes",
                    "Bytes fetched and not yet committed; bounded by LOTRISK_MAX_BATCH_BYTES a partition.",
                    "bytes",
                    (Query(gauge(m.IN_FLIGHT_BYTES, "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Batch duration",
                    "From a batch's first record to its offsets committed, 99 of 100.",
                    "s",
                    (Query(quantile(m.BATCH_SECONDS, 0.99), "{{topic}} p99"),),
                ),
                Panel(
                    "Records in a batch",
                    "Half of the batches have no more.",
                    "short",
                    (Query(quantile(m.BATCH_RECORDS, 0.5), "{{topic}} p50"),),
                ),
                TRANSACTIONS,
                Panel(
                    "Transaction duration",
                    "From begin to commit acknowledged, 99 of 100: the brokers' pace.",
                    "s",
                    (Query(quantile(m.TRANSACTION_SECONDS, 0.99), "{{topic}} p99"),),
                ),
            ),
        ),
        Row(
            "State",
            (
                Panel(
                    "Keys held",
                    "Vehicles, parts and groups that the workers remember, about.",
                    "short",
                    (Query(gauge(m.STATE_KEYS, "topic"), "{{topic}}"),),
                ),
                Panel(
                    "On disk",
                    "Bytes of the state in LOTRISK_STATE_DIR; the topics hold the same, so a lost disk loses nothing.",
                    "bytes",
                    (Query(gauge(m.STATE_BYTES, "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Restore, records to go",
                    "What a new owner of a partition still has to read before it works on it; 0 in between.",
                    "short",
                    (Query(gauge(m.STATE_REMAINING, "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Restore duration",
                    "Of the slowest partition's last restore.",
                    "s",
                    (Query(gauge(m.STATE_SECONDS, "topic", how="max"), "{{topic}}"),),
                ),
            ),
        ),
        Row(
            "Group and processes",
            (
                Panel(
                    "Rebalances",
                    "Rebalances each worker went through in a quarter of an hour; a rollout makes about two a worker.",
                    "short",
                    (Query(f"sum by (instance) (increase({m.REBALANCES.name}[15m]))", "{{instance}}"),),
                    trouble=True,
                ),
                Panel(
                    "Workers that ended themselves",
                    "By reason, in an hour: fenced, stalled, not_delivered, unexpected.",
                    "short",
                    (Query(f"sum by (instance, reason) (increase({m.EXITS.name}[1h]))", "{{instance}} {{reason}}"),),
                    trouble=True,
                ),
                Panel(
                    "Versions",
                    "Program version of each worker.",
                    "short",
                    (Query(f"count by (version, instance) ({m.BUILD_INFO.name})", "{{instance}}: {{version}}"),),
                    kind="table",
                ),
            ),
        ),
    ),
)

INVENTORY = Dashboard(
    "lotrisk-inventory",
    "lotrisk: inventory risk",
    "What stands on the lots, what is at risk there, what moves, and how well it is known. Amounts are central "
    "estimates over all dealers; a model's, a family's or an origin's own totals are on groups.enriched.",
    (
        Row(
            "What is at risk",
            (
                Panel(
                    "On the lot",
                    "Vehicles and part numbers on the lots, as the workers hold them.",
                    "short",
                    (Query(f"sum by (goods) ({m.LOT_RECORDS.name})", "{{goods}}"),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    "Inventory at cost",
                    "Dollars on the lots: vehicles by invoice, else MSRP; parts by cost times quantity.",
                    "currencyUSD",
                    (Query(f"sum by (goods) ({m.LOT_DOLLARS.name})", "{{goods}}"),),
                    kind="stat",
                    width=4,
                ),
                Panel(
                    "Importer's duty by view",
                    "Landed: over the likely entry dates of what is on the lot. Replacement: entered today. Neither is "
                    "the dealer's cost; expected_invoice_change is how the next invoice is likely to move.",
                    "currencyUSD",
                    (Query(f"sum by (view) ({m.LOT_DUTY_DOLLARS.name})", "{{view}}"),),
                ),
                Panel(
                    "Replacement duty by origin",
                    "Importer's duty on the same goods entered today, the ten largest origins.",
                    "currencyUSD",
                    (
                        Query(
                            f'topk(10, sum by (origin) ({m.LOT_DUTY_DOLLARS.name}{{view="replacement"}}))',
                            "{{origin}}",
                        ),
                    ),
                ),
                Panel(
                    "Replacement duty by powertrain",
                    "Importer's duty on the same vehicles entered today.",
                    "currencyUSD",
                    (
                        Query(
                            f'sum by (powertrain) ({m.LOT_DUTY_DOLLARS.name}{{goods="vehicle",view="replacement"}})',
                            "{{powertrain}}",
                        ),
                    ),
                ),
                Panel(
                    "Rare earths on the lot",
                    "Grams of each element in what is on the lots.",
                    "massg",
                    (Query(f"sum by (element) ({m.LOT_GRAMS.name})", "{{element}}"),),
                ),
                Panel(
                    "Open flags",
                    "Flags of vehicles and parts that are open now, by type and severity.",
                    "short",
                    (Query(f"sum by (type, severity) ({m.LOT_FLAGS.name})", "{{type}} {{severity}}"),),
                ),
            ),
        ),
        Row(
            "What moves",
            (
                Panel(
                    "Vehicles and parts that changed",
                    "Enriched records published a second.",
                    "cps",
                    (Query(rate(m.RECORDS_OUT, "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Enriched since the workers started",
                    "Enriched records published; one vehicle that changes twice counts twice.",
                    "short",
                    (Query(f"sum by (topic) ({m.RECORDS_OUT.name}{{{TOPIC}}})", "{{topic}}"),),
                ),
                Panel(
                    "Left the lot",
                    "Tombstones a second: vehicles sold and parts gone.",
                    "cps",
                    (Query(rate(m.TOMBSTONES, "topic"), "{{topic}}"),),
                ),
            ),
        ),
        Row(
            "How well it is known",
            (
                DEAD,
                Panel(
                    "Not estimated, share",
                    "Records of the last quarter of an hour that went to the dead letters: they keep an old estimate "
                    "or have none.",
                    "percentunit",
                    (Query(recorded(rules.DEAD_SHARE), "{{topic}}"),),
                    trouble=True,
                ),
                Panel(
                    "Estimated with a remark",
                    "By code, such as an origin that is not known or a check digit that does not fit.",
                    "cps",
                    (Query(rate(m.NOTES, "topic", "code"), "{{topic}} {{code}}"),),
                ),
            ),
        ),
        Row("What it is rated by", (BOOK, VERIFIED, REVIEW)),
        Row("How fresh", (LATENCY, LAG)),
    ),
)

POLICY = Dashboard(
    "lotrisk-policy",
    "lotrisk: policy event",
    "A measure is published: has every worker the new book, is anything refused, does the stream keep up meanwhile?",
    (
        Row(
            "The book",
            (
                BOOK,
                Panel(
                    "Books in use",
                    "More than one for more than some seconds: a worker does not follow, or a rollout stopped halfway.",
                    "short",
                    (Query(f"count(count by (book) ({m.BOOK_INFO.name} == 1))", "books"),),
                    width=4,
                ),
                VERIFIED,
                REVIEW,
                Panel(
                    "Measures refused",
                    "Measures on trade.policy whose last record can't be used; `lotrisk status --json` says why.",
                    "short",
                    (Query(f"max({m.POLICY_REFUSED.name})", "measures"),),
                    width=4,
                    trouble=True,
                ),
            ),
        ),
        Row(
            "Re-rating",
            (
                Panel(
                    "Below the book in force",
                    "Held records that are still to be rated under the book in force.",
                    "short",
                    (Query(gauge(m.RERATE_PENDING, "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Seconds to go",
                    "At the present pace, of the slowest partition.",
                    "s",
                    (Query(gauge(m.RERATE_REMAINING, "topic", how="max"), "{{topic}}"),),
                ),
                Panel(
                    "Rated again",
                    "Held records brought up to the book a second; only those that changed are published.",
                    "cps",
                    (Query(rate(m.RERATED, "topic", "result"), "{{topic}} {{result}}"),),
                ),
                Panel(
                    "Flags raised, changed, cleared",
                    "Events on risk.flags a second.",
                    "cps",
                    (Query(f"sum by (change) (rate({m.FLAG_EVENTS.name}[{RATE}]))", "{{change}}"),),
                ),
            ),
        ),
        Row(
            "The stream meanwhile",
            (
                Panel(
                    "Published",
                    "Enriched records published for input records a second; what re-rating publishes is shown above.",
                    "cps",
                    (Query(rate(m.RECORDS_OUT, "topic"), "{{topic}}"),),
                ),
                LATENCY,
                LAG,
                TRANSACTIONS,
                Panel(
                    "Unchanged",
                    "Records whose enriched record is the one already published.",
                    "cps",
                    (Query(rate(m.RECORDS_UNCHANGED, "topic"), "{{topic}}"),),
                ),
            ),
        ),
    ),
)

DASHBOARDS = (OPERATIONS, INVENTORY, POLICY)
