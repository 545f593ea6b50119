"""Every alert seen: its failure made to happen on real workers, the message at a webhook, and that it is over."""

from __future__ import annotations

import re

import pytest

from deploy.prometheus import rules
from deploy.prometheus.generate import ROOT
from tests.deploy.prometheus.failures import FAILURES
from tests.deploy.prometheus.live import Tried

ALERTS = {alert.name: alert for alert in rules.alerts(rules.Pace())}


def test_every_rule_has_a_failure_that_makes_it_fire() -> None:
    assert sorted(alert for failure in FAILURES for alert in failure.all_alerts) == sorted(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_the_alert_arrives_and_resolves(name: str, tried: Tried) -> None:
    row = tried.rows[name]
    assert row.failure
    assert row.to_fire is not None
    assert row.to_resolve is not None


@pytest.mark.parametrize("name", ALERTS)
def test_its_message_is_complete(name: str, tried: Tried) -> None:
    for seen in tried.messages(name):
        assert seen.labels["severity"] == ALERTS[name].severity
        assert seen.annotations["runbook_url"] == f"docs/runbooks/{name}.md"
        text = " ".join(seen.annotations.values())
        assert "{{" not in text
        assert "error expanding" not in text
        assert "<no value>" not in text
        assert "  " not in text, "a label that the alert doesn't carry leaves a gap"


def test_the_run_went_as_planned(tried: Tried) -> None:
    assert tried.problems == []


def test_without_a_failure_nothing_fires(tried: Tried) -> None:
    assert tried.false_alarms == []


def test_the_published_table_has_every_rule_and_no_empty_cell() -> None:
    table = (ROOT / "docs" / "alerts-tried.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| Lotrisk.*$", table, re.M)
    ]
    assert sorted(row[0] for row in rows) == sorted(ALERTS)
    assert all(len(row) == 4 and all(row) for row in rows)
