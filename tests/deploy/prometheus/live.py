"""The whole run, once a session: every failure happens, its alerts come and go; the stages stay up for what follows.

Most of the time goes into waiting, so several stages share the failures: each takes the next one when it is calm again.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from deploy.prometheus.generate import ROOT
from tests.deploy.prometheus.failures import FAILURES, Failure
from tests.deploy.prometheus.stage import Seen, Stage, pace_for
from tests.wire.kafka_io import wait_until

STAGES = 3

FIRE_MINUTES = 60.0
RESOLVE_MINUTES = 90.0
QUIET_MINUTES = 10.0
"""Of the rules' time: seconds at a pace of 60."""
CALM_SECONDS = 120.0
BETWEEN_SECONDS = 30.0
"""Where the stages' times are shown one after the other."""
REPORT = ROOT / "build" / "deploy" / "alerts-tried.md"

HEAD = """\
# Alerts, tried

<!-- Written by `make test-live` to build/deploy/alerts-tried.md; this is one run's. -->

A real Prometheus and Alertmanager on real workers and Apache Kafka, {stages} times side by side. The rules run at a
pace of {scale:g}: a minute of theirs takes {minute:g} s, {scrape:g} s between two scrapes. Seconds count from the
failure to the message at the webhook, and from the first step against it to the message that it is over.

| rule | failure | seconds to fire | seconds to resolve |
| --- | --- | --- | --- |
"""


@dataclass
class Row:
    """One alert's line of the table; None is an empty cell."""

    alert: str
    failure: str = ""
    to_fire: float | None = None
    to_resolve: float | None = None


@dataclass
class Share:
    """What one stage saw: the rows of the failures it took, and what did not go as planned."""

    stage: Stage
    rows: dict[str, Row] = field(default_factory=dict)
    began: float = 0.0
    ended: float = 0.0
    false_alarms: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Tried:
    """What came of all of it."""

    shares: tuple[Share, ...]

    @property
    def rows(self) -> dict[str, Row]:
        """Each alert's row, in the order of the failures."""
        found = {name: row for share in self.shares for name, row in share.rows.items()}
        return {name: found[name] for failure in FAILURES for name in failure.all_alerts if name in found}

    @property
    def problems(self) -> list[str]:
        """What did not go as planned."""
        return [problem for share in self.shares for problem in share.problems]

    @property
    def false_alarms(self) -> list[str]:
        """What fired before there was a failure."""
        return [name for share in self.shares for name in share.false_alarms]

    def messages(self, name: str) -> list[Seen]:
        """Everything the webhooks were told of an alert."""
        return [seen for share in self.shares for seen in share.stage.webhook.of(name)]

    def series(self, expression: str, points: int) -> list[tuple[Mapping[str, str], list[tuple[float, float]]]]:
        """Labels and points (seconds, value) of an expression: one stage's time after the other's.

        An `instance` is called by its worker's name, the same on every stage.
        """
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        step = max(1.0, sum(share.ended - share.began for share in self.shares) / points)
        before = 0.0
        for share in self.shares:
            for one in share.stage.query_range(expression, share.began, share.ended, step):
                labels = {**one["metric"]}
                if "instance" in labels:
                    labels["instance"] = share.stage.names[labels["instance"]]
                numbers = [pair for pair in one["values"] if pair[1] not in ("NaN", "+Inf", "-Inf")]
                shown = found.setdefault(tuple(sorted(labels.items())), [])
                shown += [(float(at) - share.began + before, float(value)) for at, value in numbers]
            before += share.ended - share.began + BETWEEN_SECONDS
        return [(dict(labels), values) for labels, values in found.items()]

    def report(self) -> str:
        """The table."""

        def cell(value: float | None) -> str:
            return "" if value is None else f"{value:.1f}"

        rows = [
            f"| {row.alert} | {row.failure} | {cell(row.to_fire)} | {cell(row.to_resolve)} |"
            for row in self.rows.values()
        ]
        pace = self.shares[0].stage.pace
        head = HEAD.format(
            stages=len(self.shares), scale=pace.scale, minute=60 / pace.scale, scrape=pace.scrape_seconds
        )
        return head + "\n".join(rows) + "\n"


def make_happen(share: Share, failure: Failure) -> list[tuple[Row, float]]:
    """One failure from its begin to its end; the rows whose alerts are still to resolve, and since when."""
    stage, webhook = share.stage, share.stage.webhook
    names = failure.all_alerts
    for name in names:
        share.rows[name] = Row(name, failure.what)

    def noisy() -> list[str]:
        return [name for name in names if webhook.quiet_since(name) is None]

    wait_until(lambda: not noisy(), stage.minutes(RESOLVE_MINUTES), what=lambda: f"{noisy()} still fire before it")
    wait_until(stage.is_calm, CALM_SECONDS, what="all is well before it")
    began = time.monotonic()
    failure.begin(stage)
    _wait_for_fire(share, failure, failure.alerts, began)
    healed = time.monotonic()
    failure.heal(stage)
    waiting = [(share.rows[name], healed) for name in failure.alerts]
    if failure.aftermath:
        failure.settle(stage)
        settled = time.monotonic()
        _wait_for_fire(share, failure, failure.aftermath, healed)
        waiting += [(share.rows[name], settled) for name in failure.aftermath]
    return waiting


def _wait_for_fire(share: Share, failure: Failure, names: tuple[str, ...], since: float) -> None:
    missing = set(names)
    seconds = share.stage.minutes(FIRE_MINUTES)
    deadline = time.monotonic() + seconds
    while missing and time.monotonic() < deadline:
        failure.again(share.stage)
        for name in sorted(missing):
            fired = share.stage.webhook.fired_since(name, since)
            if fired is not None:
                share.rows[name].to_fire = fired - since
                missing.discard(name)
        time.sleep(0.1)
    if missing:
        share.problems.append(f"{failure.what}: {sorted(missing)} did not fire in {seconds:g} s")


def resolve(share: Share, open_rows: list[tuple[Row, float]]) -> list[tuple[Row, float]]:
    """Fill in what has resolved; the rest."""
    left = []
    for row, healed in open_rows:
        over = share.stage.webhook.quiet_since(row.alert, healed)
        if over is None:
            left.append((row, healed))
        else:
            row.to_resolve = over - healed
    return left


def watch_quiet(share: Share) -> None:
    """For a while nothing is the matter: whatever fires is a false alarm."""
    stage = share.stage
    wait_until(stage.is_calm, CALM_SECONDS, what=stage.said)
    wait_until(lambda: not stage.query('ALERTS{alertstate="firing"}'), CALM_SECONDS, what=stage.said)
    calm = time.monotonic()
    quiet = stage.minutes(QUIET_MINUTES)
    wait_until(lambda: time.monotonic() - calm > quiet, quiet + CALM_SECONDS)
    share.false_alarms = tuple(one.labels["alertname"] for one in stage.webhook.seen if one.firing and one.at > calm)


def try_failures(stage: Stage, failures: queue.SimpleQueue[Failure]) -> Share:
    """Failures, one after the other, until none is left."""
    share = Share(stage, began=time.time())
    waiting: list[tuple[Row, float]] = []

    def over() -> bool:
        nonlocal waiting
        waiting = resolve(share, waiting)
        return not waiting

    try:
        watch_quiet(share)
        while not failures.empty():
            try:
                failure = failures.get_nowait()
            except queue.Empty:
                break
            over()
            began = time.monotonic()
            try:
                waiting += make_happen(share, failure)
            except TimeoutError as error:
                share.problems.append(f"{failure.what}: {error}")
                failure.heal(stage)
            print(f"{time.monotonic() - began:5.1f} s {failure.what}", flush=True)
        wait_until(over, stage.minutes(RESOLVE_MINUTES), what=lambda: f"{[row.alert for row, _ in waiting]} still fire")
    except TimeoutError as error:
        share.problems.append(str(error))
    share.ended = time.time()
    if share.problems:
        share.problems.append(stage.said())
    return share


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory, prometheus: str, alertmanager: str) -> Iterator[Tried]:
    """Every failure made to happen, on stages of their own."""
    stages = [Stage(tmp_path_factory.mktemp("stage"), prometheus, alertmanager) for _ in range(STAGES)]
    failures: queue.SimpleQueue[Failure] = queue.SimpleQueue()
    for failure in FAILURES:
        failures.put(failure)
    with ThreadPoolExecutor(STAGES) as pool, ExitStack() as stack:
        for stage in stages:
            stack.callback(stage.__exit__, None, None, None)
        started = [pool.submit(stage.__enter__) for stage in stages]
        for start in started:
            start.result()
        pace = pace_for(max(stage.start_seconds for stage in stages))
        for stage in stages:
            stage.watch(pace)
        print(f"a pace of {pace.scale:g}: {[round(stage.start_seconds, 1) for stage in stages]} s to start", flush=True)
        result = Tried(tuple(pool.map(lambda stage: try_failures(stage, failures), stages)))
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(result.report(), "utf-8")
        if result.problems:
            print("\n".join(result.problems))
        yield result
