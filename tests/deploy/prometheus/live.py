"""The whole run, once a session: every failure happens, its alerts come and go; the stage stays up for what follows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.prometheus.generate import ROOT
from tests.deploy.prometheus.failures import FAILURES, Failure
from tests.deploy.prometheus.stage import Stage
from tests.wire.kafka_io import wait_until

FIRE_MINUTES = 60.0
RESOLVE_MINUTES = 90.0
QUIET_MINUTES = 10.0
"""Of the rules' time: seconds at a pace of 60."""
CALM_SECONDS = 120.0
REPORT = ROOT / "build" / "deploy" / "alerts-tried.md"

HEAD = """\
# Alerts, tried

<!-- Written by `make test-live` to build/deploy/alerts-tried.md; this is one run's. -->

A real Prometheus and Alertmanager on real workers and Apache Kafka. The rules run at a pace of {scale:g}: a minute
of theirs takes {minute:g} s, {scrape:g} s between two scrapes. Seconds count from the failure to the message
at the webhook, and from the first step against it to the message that it is over.

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
class Tried:
    """What came of it."""

    stage: Stage
    rows: dict[str, Row] = field(default_factory=dict)
    began: float = 0.0
    ended: float = 0.0
    false_alarms: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)

    def report(self) -> str:
        """The table."""

        def cell(value: float | None) -> str:
            return "" if value is None else f"{value:.1f}"

        rows = [
            f"| {row.alert} | {row.failure} | {cell(row.to_fire)} | {cell(row.to_resolve)} |"
            for row in self.rows.values()
        ]
        pace = self.stage.pace
        head = HEAD.format(scale=pace.scale, minute=60 / pace.scale, scrape=pace.scrape_seconds)
        return head + "\n".join(rows) + "\n"


def make_happen(tried: Tried, failure: Failure) -> list[tuple[Row, float]]:
    """One failure from its begin to its end; the rows whose alerts are still to resolve, and since when."""
    stage, webhook = tried.stage, tried.stage.webhook
    names = (*failure.alerts, *failure.aftermath)
    for name in names:
        tried.rows[name] = Row(name, failure.what)

    def noisy() -> list[str]:
        return [name for name in names if webhook.quiet_since(name) is None]

    wait_until(lambda: not noisy(), stage.minutes(RESOLVE_MINUTES), what=lambda: f"{noisy()} still fire before it")
    wait_until(stage.is_calm, CALM_SECONDS, what="all is well before it")
    began = time.monotonic()
    failure.begin(stage)
    _wait_for_fire(tried, failure, failure.alerts, began)
    healed = time.monotonic()
    failure.heal(stage)
    waiting = [(tried.rows[name], healed) for name in failure.alerts]
    if failure.aftermath:
        failure.settle(stage)
        settled = time.monotonic()
        _wait_for_fire(tried, failure, failure.aftermath, healed)
        waiting += [(tried.rows[name], settled) for name in failure.aftermath]
    return waiting


def _wait_for_fire(tried: Tried, failure: Failure, names: tuple[str, ...], since: float) -> None:
    missing = set(names)
    seconds = tried.stage.minutes(FIRE_MINUTES)
    deadline = time.monotonic() + seconds
    while missing and time.monotonic() < deadline:
        failure.again(tried.stage)
        for name in sorted(missing):
            fired = tried.stage.webhook.fired_since(name, since)
            if fired is not None:
                tried.rows[name].to_fire = fired - since
                missing.discard(name)
        time.sleep(0.1)
    if missing:
        tried.problems.append(f"{failure.what}: {sorted(missing)} did not fire in {seconds:g} s")


def resolve(tried: Tried, open_rows: list[tuple[Row, float]]) -> list[tuple[Row, float]]:
    """Fill in what has resolved; the rest."""
    left = []
    for row, healed in open_rows:
        over = tried.stage.webhook.quiet_since(row.alert, healed)
        if over is None:
            left.append((row, healed))
        else:
            row.to_resolve = over - healed
    return left


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory, prometheus: str, alertmanager: str) -> Iterator[Tried]:
    """Every failure made to happen on a stage of its own."""
    directory: Path = tmp_path_factory.mktemp("stage")
    with Stage(directory, prometheus, alertmanager) as stage:
        wait_until(stage.is_calm, CALM_SECONDS, what=stage.said)
        result = Tried(stage, began=time.time())
        wait_until(lambda: not stage.query('ALERTS{alertstate="firing"}'), 60, what=stage.said)
        calm = time.monotonic()
        quiet = stage.minutes(QUIET_MINUTES)
        wait_until(lambda: time.monotonic() - calm > quiet, quiet + 5)
        result.false_alarms = tuple(
            one.labels["alertname"] for one in stage.webhook.seen if one.firing and one.at > calm
        )
        waiting: list[tuple[Row, float]] = []
        for failure in FAILURES:
            waiting = resolve(result, waiting)
            try:
                waiting += make_happen(result, failure)
            except TimeoutError as error:
                result.problems.append(f"{failure.what}: {error}")
                failure.heal(stage)

        def over() -> bool:
            nonlocal waiting
            waiting = resolve(result, waiting)
            return not waiting

        try:
            wait_until(over, stage.minutes(RESOLVE_MINUTES))
        except TimeoutError:
            result.problems.append(f"did not resolve: {[row.alert for row, _ in waiting]}")
        result.ended = time.time()
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(result.report(), "utf-8")
        if result.problems:
            print("\n".join([*result.problems, stage.said()]))
        yield result
