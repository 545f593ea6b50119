"""Recording and alerting rules, made from the metric catalogue at a pace: real time, or a test's faster one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streams import metrics as m

WORKERS = "lotrisk-worker"
EXPORTER = "lotrisk-lag"
"""The jobs of the scrape configuration."""

LATENCY_SECONDS = 2.5
"""The latency objective: a record is out within this time (a bucket's bound) ..."""
LATENCY_BUDGET = 0.01
"""... and at most this share of the records, over 30 days, is later."""
VERIFIED_DAYS = 60
"""A policy book nobody has verified for so long is not trusted any more."""

MINUTE = 60.0
HOUR = 3600.0


class Severity(StrEnum):
    """Who is told: `page` wakes somebody, `ticket` waits for the morning."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a rule's time passes. At `scale` 60 a minute takes a second; no window is shorter than four scrapes."""

    scale: float = 1.0
    scrape_seconds: float = 15.0
    verified_days: float = VERIFIED_DAYS

    def __post_init__(self) -> None:
        if self.scale <= 0 or self.scrape_seconds <= 0:
            raise ValueError(f"scale {self.scale} and scrape_seconds {self.scrape_seconds} must be above 0")

    def seconds(self, real: float) -> float:
        """A threshold in seconds."""
        return real / self.scale

    def window(self, real: float) -> str:
        """A range in PromQL."""
        return duration(max(real / self.scale, 4 * self.scrape_seconds))

    def hold(self, real: float) -> str:
        """How long an alert waits before it fires."""
        return duration(real / self.scale)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule."""

    record: str
    expr: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule; its runbook is docs/runbooks/NAME.md."""

    name: str
    severity: Severity
    expr: str
    hold: str
    summary: str
    description: str

    @property
    def runbook(self) -> str:
        """Path of the runbook in the repository."""
        return f"docs/runbooks/{self.name}.md"


def duration(seconds: float) -> str:
    """Seconds as Prometheus writes them, in the largest unit that is exact to the millisecond."""
    milliseconds = round(seconds * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def slow_name(window: str) -> str:
    """The recorded share of records later than the objective, over a window named as in real time."""
    return f"lotrisk:latency_slow:ratio_rate{window}"


BURN_WINDOWS = {"5m": 5 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR, "6h": 6 * HOUR}
LAG = "lotrisk:group_lag_records:sum"
UNACCOUNTED = "lotrisk:records_unaccounted:sum"
DEAD_SHARE = "lotrisk:dead_letters:ratio15m"
IN_RATE = "lotrisk:records_in:rate5m"
LATENCY_P50 = "lotrisk:latency_seconds:p50_5m"
LATENCY_P99 = "lotrisk:latency_seconds:p99_5m"


def recordings(pace: Pace) -> tuple[Recording, ...]:
    """The recording rules."""

    def by_topic(metric: m.Metric, window: str, *, selector: str = "", suffix: str = "") -> str:
        return f"sum by (topic) (rate({metric.name}{suffix}{selector}[{window}]))"

    def accounted(metric: m.Metric) -> str:
        return f"sum by (topic, instance) ({metric.name})"

    five, fifteen = pace.window(5 * MINUTE), pace.window(15 * MINUTE)
    nothing = f"0 * {accounted(m.RECORDS_IN)}"
    quick = f'{{le="{LATENCY_SECONDS}"}}'
    return (
        Recording(LAG, f"sum by (topic) ({m.GROUP_LAG.name})"),
        Recording(IN_RATE, by_topic(m.RECORDS_IN, five)),
        Recording(
            DEAD_SHARE,
            f"{by_topic(m.DEAD_LETTERS, fifteen)}\n/ ({by_topic(m.RECORDS_IN, fifteen)} > 0)",
        ),
        Recording(
            UNACCOUNTED,
            "\n- ".join(
                [
                    *map(
                        accounted,
                        (m.RECORDS_IN, m.RECORDS_OUT, m.RECORDS_UNCHANGED, m.RECORDS_SUPERSEDED, m.TOMBSTONES),
                    ),
                    f"({accounted(m.DEAD_LETTERS)} or {nothing})",
                ]
            ),
        ),
        *(
            Recording(
                name,
                f"histogram_quantile({share}, sum by (topic, le) (rate({m.LATENCY_SECONDS.name}_bucket[{five}])))",
            )
            for name, share in ((LATENCY_P50, "0.5"), (LATENCY_P99, "0.99"))
        ),
        *(
            Recording(
                slow_name(name),
                f"1 - {by_topic(m.LATENCY_SECONDS, pace.window(real), suffix='_bucket', selector=quick)}\n"
                f"/ ({by_topic(m.LATENCY_SECONDS, pace.window(real), suffix='_count')} > 0)",
            )
            for name, real in BURN_WINDOWS.items()
        ),
    )


def alerts(pace: Pace) -> tuple[Alert, ...]:
    """The alerting rules."""
    fifteen = pace.window(15 * MINUTE)
    lane = "{{ $labels.topic }}/{{ $labels.partition }}"

    def burns(factor: float, long: str, short: str) -> str:
        limit = f"{factor * LATENCY_BUDGET:.4g}"
        return f"{slow_name(long)} > {limit}\nand {slow_name(short)} > {limit}"

    def ended(reasons: str) -> str:
        return f'sum by (instance, reason) (increase({m.EXITS.name}{{reason=~"{reasons}"}}[{fifteen}])) > 0'

    def counted(metric: m.Metric) -> str:
        return f"sum by (instance) (increase({metric.name}[{fifteen}])) > 0"

    return (
        Alert(
            "LotriskNoProgress",
            Severity.PAGE,
            f"max by (topic, partition) ({m.GROUP_COMMITTED_AGE.name}) > {pace.seconds(120):g}",
            pace.hold(MINUTE),
            f"{lane} stands still",
            f"The group's committed offset of {lane} has not moved for {{{{ $value | humanizeDuration }}}} although "
            "records wait.",
        ),
        Alert(
            "LotriskLagGrowing",
            Severity.TICKET,
            f"{LAG} > 1000\nand deriv({LAG}[{fifteen}]) > 0",
            pace.hold(15 * MINUTE),
            "The group falls behind on {{ $labels.topic }}",
            "{{ $value | humanize }} records of {{ $labels.topic }} wait, and more every minute.",
        ),
        Alert(
            "LotriskLatencyBurnFast",
            Severity.PAGE,
            burns(14.4, "1h", "5m"),
            pace.hold(2 * MINUTE),
            "Results of {{ $labels.topic }} are late, and many",
            f"{{{{ $value | humanizePercentage }}}} of the last hour's records took more than {LATENCY_SECONDS:g} s: "
            "at this pace the month's budget is gone in two days.",
        ),
        Alert(
            "LotriskLatencyBurnSlow",
            Severity.TICKET,
            burns(6, "6h", "30m"),
            pace.hold(15 * MINUTE),
            "Results of {{ $labels.topic }} are late",
            f"{{{{ $value | humanizePercentage }}}} of the last six hours' records took more than "
            f"{LATENCY_SECONDS:g} s: at this pace the month's budget is gone in five days.",
        ),
        Alert(
            "LotriskRecordsLost",
            Severity.PAGE,
            f"{UNACCOUNTED} != 0",
            pace.hold(MINUTE),
            "The books of {{ $labels.topic }} do not balance",
            "{{ $value }} records that {{ $labels.instance }} took in are neither out, unchanged, superseded, a "
            "tombstone nor a dead letter. The budget for loss is none, so there is no burn rate.",
        ),
        Alert(
            "LotriskDeadLetterShare",
            Severity.TICKET,
            f"{DEAD_SHARE} > 0.05",
            pace.hold(5 * MINUTE),
            "{{ $labels.topic }} brings bad records",
            "{{ $value | humanizePercentage }} of the last quarter of an hour's records went to the dead letters.",
        ),
        Alert(
            "LotriskLanePaused",
            Severity.PAGE,
            f"max by (topic, partition) ({m.PAUSED.name}) == 1",
            pace.hold(MINUTE),
            f"{lane} is paused",
            f"Too many dead letters paused {lane}: nothing of it is enriched until a person has looked.",
        ),
        Alert(
            "LotriskFencedProducers",
            Severity.TICKET,
            f"{counted(m.FENCED_PRODUCERS)}\nor {ended('fenced')}",
            pace.hold(0),
            "A producer of {{ $labels.instance }} was fenced",
            "Another process used the transactional id of a partition that this worker held, or it hung until the "
            "group gave the partition away.",
        ),
        Alert(
            "LotriskTransactionFailures",
            Severity.TICKET,
            f"{counted(m.TRANSACTIONS_ABORTED)}\nor {ended('not_delivered')}",
            pace.hold(0),
            "Transactions of {{ $labels.instance }} fail",
            "A transaction was aborted, or the brokers did not acknowledge one in time and the worker ended itself.",
        ),
        Alert(
            "LotriskWorkerEndedItself",
            Severity.TICKET,
            ended("stalled|denied|unexpected"),
            pace.hold(0),
            "{{ $labels.instance }} ended itself: {{ $labels.reason }}",
            "The worker stopped before a commit since something was wrong (exit status 70); its log's last line says "
            "what.",
        ),
        Alert(
            "LotriskRebalanceStorm",
            Severity.TICKET,
            f"max(increase({m.REBALANCES.name}[{fifteen}])) > 5",
            pace.hold(0),
            "The group does not come to rest",
            "{{ $value | humanize }} rebalances in a quarter of an hour; each of them stops all partitions for a "
            "moment.",
        ),
        Alert(
            "LotriskWorkerDown",
            Severity.TICKET,
            f'up{{job="{WORKERS}"}} == 0',
            pace.hold(2 * MINUTE),
            "{{ $labels.instance }} does not answer",
            "The worker's metrics port has not answered for two minutes; the others do its part.",
        ),
        Alert(
            "LotriskNoWorkers",
            Severity.PAGE,
            f'absent(up{{job="{WORKERS}"}} == 1)',
            pace.hold(MINUTE),
            "No worker runs",
            "No worker's metrics port answers: nothing is enriched.",
        ),
        Alert(
            "LotriskLagExporterDown",
            Severity.TICKET,
            f'absent(up{{job="{EXPORTER}"}} == 1)',
            pace.hold(2 * MINUTE),
            "Nobody watches the lag",
            "The lag exporter does not answer, so that a worker that hangs would not be noticed.",
        ),
        Alert(
            "LotriskBrokersUnreachable",
            Severity.PAGE,
            f"max({m.BROKERS_UP.name}) == 0",
            pace.hold(MINUTE),
            "The brokers do not answer",
            "The lag exporter gets no answer from Kafka.",
        ),
        Alert(
            "LotriskBookUnverified",
            Severity.TICKET,
            f"time() - min({m.BOOK_VERIFIED.name}) > {pace.verified_days:g} * 86400",
            pace.hold(5 * MINUTE),
            "The policy book's verification has expired",
            f"Nobody has verified the policy data for {{{{ $value | humanizeDuration }}}}; "
            f"{VERIFIED_DAYS} days are the limit.",
        ),
        Alert(
            "LotriskBookReviewRequired",
            Severity.TICKET,
            f"max({m.BOOK_REVIEW_REQUIRED.name}) > 0",
            pace.hold(5 * MINUTE),
            "A control's suspension has ended and nobody has confirmed what holds now",
            "{{ $value }} controls of the book in use are shown as review required.",
        ),
        Alert(
            "LotriskBooksDiffer",
            Severity.TICKET,
            f"count(count by (book) ({m.BOOK_INFO.name} == 1)) > 1",
            pace.hold(10 * MINUTE),
            "Workers rate by different policy books",
            "{{ $value }} books are in use at the same time: a worker does not follow trade.policy, or runs another "
            "release.",
        ),
        Alert(
            "LotriskPolicyRefused",
            Severity.TICKET,
            f"max({m.POLICY_REFUSED.name}) > 0",
            pace.hold(5 * MINUTE),
            "A policy event was refused",
            "The last record of {{ $value }} measures on trade.policy can't be used; the version before stays in "
            "force.",
        ),
    )


def document(pace: Pace) -> dict[str, object]:
    """The rule file's content."""
    interval = duration(pace.scrape_seconds)
    return {
        "groups": [
            {
                "name": "lotrisk-recordings",
                "interval": interval,
                "rules": [{"record": rule.record, "expr": rule.expr} for rule in recordings(pace)],
            },
            {
                "name": "lotrisk-alerts",
                "interval": interval,
                "rules": [
                    {
                        "alert": alert.name,
                        "expr": alert.expr,
                        **({"for": alert.hold} if alert.hold != "0ms" else {}),
                        "labels": {"severity": alert.severity.value, "service": "lotrisk"},
                        "annotations": {
                            "summary": alert.summary,
                            "description": alert.description,
                            "runbook_url": alert.runbook,
                        },
                    }
                    for alert in alerts(pace)
                ],
            },
        ]
    }
