"""The committed files are what the code makes; names come from the catalogue; every alert leads to a runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.prometheus import configuration, generate, rules
from deploy.prometheus.generate import ROOT
from streams.metrics import CATALOGUE, LAG_CATALOGUE, Kind

ALERTS = rules.alerts(rules.Pace())
RECORDED = {recording.record for recording in rules.recordings(rules.Pace())}
EXPRESSIONS = [*(a.expr for a in ALERTS), *(r.expr for r in rules.recordings(rules.Pace()))]
SECTIONS = ["## What it means", "## What it costs", "## Look", "## Do", "## Rehearsed"]


def names_in(expression: str) -> set[str]:
    """Metrics of lotrisk that an expression reads."""
    return set(re.findall(r"\blotrisk[_:][a-z0-9_:]+", re.sub(r'"[^"]*"', "", expression)))


@pytest.mark.parametrize("path", generate.files(), ids=lambda path: path.name)
def test_a_committed_file_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generate.files()[path], f"{path} is not current: run `make docs`"


def test_prometheus_and_alertmanager_accept_them(promtool: str, amtool: str) -> None:
    for command in (
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", "deploy/prometheus/rules.yml"],
        [promtool, "check", "config", "deploy/prometheus/prometheus.yml"],
        [amtool, "check-config", "deploy/prometheus/alertmanager.yml"],
    ):
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_rule_reads_metrics_that_exist(expression: str) -> None:
    exposed = {metric.name for metric in (*CATALOGUE, *LAG_CATALOGUE)} | RECORDED
    for metric in (metric for metric in CATALOGUE if metric.kind is Kind.HISTOGRAM):
        exposed |= {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}
    assert names_in(expression) <= exposed


def test_the_latency_objective_is_a_bucket() -> None:
    latency = next(metric for metric in CATALOGUE if metric.name == "lotrisk_latency_seconds")
    assert rules.LATENCY_SECONDS in latency.buckets


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_who_and_where_to_read_on(alert: rules.Alert) -> None:
    assert alert.summary
    assert alert.description.endswith(".")
    runbook = (ROOT / alert.runbook).read_text(encoding="utf-8")
    assert runbook.startswith(f"# {alert.name}\n")
    assert re.findall(r"^## .*$", runbook, re.MULTILINE) == SECTIONS


def test_no_runbook_is_left_over() -> None:
    found = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert found == {alert.name for alert in ALERTS}


def test_names_are_used_once() -> None:
    names = [alert.name for alert in ALERTS]
    assert len(set(names)) == len(names)
    for source, inhibited, _ in configuration.INHIBITIONS:
        assert {source, *inhibited} <= set(names)


def test_a_faster_pace_shortens_windows_waits_and_thresholds_but_no_window_below_four_scrapes() -> None:
    pace = rules.Pace(scale=60, scrape_seconds=1)
    assert (pace.window(3600), pace.window(60), pace.hold(60), pace.seconds(120)) == ("1m", "4s", "1s", 2)
    fast = yaml.safe_load(generate.to_yaml(rules.document(pace)))
    assert [group["interval"] for group in fast["groups"]] == ["1s", "1s"]


@pytest.mark.parametrize(("seconds", "text"), [(900, "15m"), (0.5, "500ms"), (90, "90s"), (86_400, "1d"), (0, "0ms")])
def test_durations_are_as_prometheus_writes_them(seconds: float, text: str) -> None:
    assert rules.duration(seconds) == text


def test_a_pace_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        rules.Pace(scale=0)
