"""Every rule with promtool, at its real pace: it fires where it should, and not a step earlier."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from deploy.prometheus.generate import ROOT
from deploy.prometheus.rules import Pace, alerts, recordings

RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
ALERTS = {alert.name: alert for alert in alerts(Pace())}
VEHICLES = 'topic="dms.vehicles"'
LANE = f'{VEHICLES},partition="0"'
WORKER = 'job="lotrisk-worker",instance="a:6066"'


@dataclass(frozen=True)
class Case:
    """Series by name and labels in promtool's notation, one value a minute, and the labels of what fires when."""

    what: str
    series: Mapping[str, str]
    fires: Mapping[str, tuple[dict[str, str], ...]] = field(default_factory=dict)


TOPIC = {"topic": "dms.vehicles"}
PLACE = {**TOPIC, "partition": "0"}


def quiet(what: str, series: Mapping[str, str], *at: str) -> Case:
    return Case(what, series, dict.fromkeys(at, ()))


def buckets(slow: str, fast: str) -> dict[str, str]:
    """Latency of slow and fast records, as counters of how many came."""
    return {
        f'lotrisk_latency_seconds_bucket{{{VEHICLES},le="2.5"}}': fast,
        f"lotrisk_latency_seconds_count{{{VEHICLES}}}": slow,
    }


def books_of(**counters: str) -> dict[str, str]:
    """A lane's counters."""
    lane = f"{LANE},{WORKER}"
    series = {
        f"lotrisk_records_{name}_total{{{lane}}}": counters.get(name, "0x90")
        for name in ("in", "out", "unchanged", "superseded")
    }
    series[f"lotrisk_tombstones_total{{{lane}}}"] = counters.get("tombstones", "0x90")
    if "dead" in counters:
        series[f'lotrisk_dead_letters_total{{{VEHICLES},reason="not_json",{WORKER}}}'] = counters["dead"]
    return series


def exits(reason: str, values: str) -> dict[str, str]:
    return {f'lotrisk_exits_total{{reason="{reason}",{WORKER}}}': values}


INSTANCE = {"instance": "a:6066"}
CASES: dict[str, tuple[Case, ...]] = {
    "LotriskNoProgress": (
        Case(
            "a partition stands still",
            {f"lotrisk_group_committed_age_seconds{{{LANE}}}": "0+60x10"},
            {"3m": (), "4m": (PLACE,)},
        ),
        quiet("it moves now and then", {f"lotrisk_group_committed_age_seconds{{{LANE}}}": "0 60 119 0 60 119 0"}, "6m"),
        quiet("a single late commit", {f"lotrisk_group_committed_age_seconds{{{LANE}}}": "0 60 130 0 0 0"}, "3m"),
    ),
    "LotriskLagGrowing": (
        Case(
            "more comes than goes",
            {f"lotrisk_group_lag_records{{{LANE}}}": "0+500x60"},
            {"10m": (), "40m": (TOPIC,)},
        ),
        quiet("a backlog that shrinks", {f"lotrisk_group_lag_records{{{LANE}}}": "90000-500x60"}, "20m", "40m", "59m"),
        quiet("a little that grows", {f"lotrisk_group_lag_records{{{LANE}}}": "0+10x60"}, "40m"),
    ),
    "LotriskLatencyBurnFast": (
        Case("a fifth is late", buckets("0+100x90", "0+80x90"), {"10m": (TOPIC,)}),
        quiet("a tenth is late", buckets("0+100x90", "0+90x90"), "10m", "80m"),
        quiet("it was, and is over", buckets("0+100x90", "0+80x30 2500+100x60"), "45m"),
        quiet("nothing comes", buckets("0x90", "0x90"), "30m"),
    ),
    "LotriskLatencyBurnSlow": (
        Case("a tenth is late", buckets("0+100x90", "0+90x90"), {"30m": (TOPIC,), "80m": (TOPIC,)}),
        quiet("one in twenty is late", buckets("0+100x90", "0+95x90"), "80m"),
        quiet("it was, and is over", buckets("0+100x90", "0+90x20 1900+100x70"), "60m"),
    ),
    "LotriskRecordsLost": (
        Case(
            "one of a million is missing",
            books_of(**{"in": "0 500000 1000000x20", "out": "0 500000 999999x20"}),
            {"2m": (), "5m": ({**TOPIC, **INSTANCE},)},
        ),
        quiet(
            "every reason is counted",
            books_of(**{"in": "0+100x20", "out": "0+60x20", "unchanged": "0+10x20", "superseded": "0+5x20",
                        "tombstones": "0+20x20", "dead": "0+5x20"}),
            "10m", "20m",
        ),
        quiet("nothing has come yet", books_of(), "10m"),
        Case("more came out than in", books_of(**{"in": "0+1x20", "out": "0+2x20"}), {"9m": ({**TOPIC, **INSTANCE},)}),
    ),
    "LotriskDeadLetterShare": (
        Case("one in ten is bad", books_of(**{"in": "0+100x40", "dead": "0+10x40"}), {"4m": (), "20m": (TOPIC,)}),
        quiet("one in fifty is bad", books_of(**{"in": "0+100x40", "dead": "0+2x40"}), "20m", "40m"),
        quiet("nothing comes", books_of(dead="7x40"), "30m"),
    ),
    "LotriskLanePaused": (
        Case("a lane is paused", {f"lotrisk_lane_paused{{{LANE},{WORKER}}}": "0 1x10"}, {"1m": (), "3m": (PLACE,)}),
        quiet("none is", {f"lotrisk_lane_paused{{{LANE},{WORKER}}}": "0x20"}, "10m"),
    ),
    "LotriskFencedProducers": (
        Case(
            "a producer is fenced and the worker goes on",
            {f"lotrisk_fenced_producers_total{{{VEHICLES},{WORKER}}}": "0 0 1x30"},
            {"1m": (), "3m": (INSTANCE,), "25m": ()},
        ),
        Case(
            "a fenced worker ended itself",
            exits("fenced", "3 3 _ _ 4x30"),
            {"5m": ({**INSTANCE, "reason": "fenced"},)},
        ),
        quiet("it happened long ago", exits("fenced", "4x30"), "20m"),
        quiet("it ended for another reason", exits("stalled", "0 0 1x30"), "3m"),
    ),
    "LotriskTransactionFailures": (
        Case(
            "a transaction is aborted",
            {f"lotrisk_transactions_aborted_total{{{VEHICLES},{WORKER}}}": "0 0 1x30"},
            {"1m": (), "3m": (INSTANCE,), "25m": ()},
        ),
        Case(
            "one is not acknowledged",
            exits("not_delivered", "0 1x30"),
            {"3m": ({**INSTANCE, "reason": "not_delivered"},)},
        ),
        quiet("all commit", {f"lotrisk_transactions_aborted_total{{{VEHICLES},{WORKER}}}": "2x30"}, "20m"),
    ),
    "LotriskWorkerEndedItself": (
        Case("it stalled", exits("stalled", "0 1x30"), {"3m": ({**INSTANCE, "reason": "stalled"},), "25m": ()}),
        Case("nobody foresaw it", exits("unexpected", "0 1x30"), {"3m": ({**INSTANCE, "reason": "unexpected"},)}),
        Case("it was refused", exits("denied", "0 1x30"), {"3m": ({**INSTANCE, "reason": "denied"},)}),
        quiet("it was fenced", exits("fenced", "0 1x30"), "3m"),
    ),
    "LotriskRebalanceStorm": (
        Case("one a minute", {f"lotrisk_rebalances_total{{{WORKER}}}": "0+1x30"}, {"4m": (), "15m": ({},)}),
        quiet("a rollout of two workers", {f"lotrisk_rebalances_total{{{WORKER}}}": "0 1 2 3 4x30"}, "5m", "15m"),
    ),
    "LotriskWorkerDown": (
        Case(
            "one does not answer",
            {f"up{{{WORKER}}}": "1 1 0x20"},
            {"3m": (), "5m": ({**INSTANCE, "job": "lotrisk-worker"},)},
        ),
        quiet("a missed scrape", {f"up{{{WORKER}}}": "1 1 0 1x20"}, "3m", "5m"),
    ),
    "LotriskNoWorkers": (
        Case("none answers", {f"up{{{WORKER}}}": "1 0x20"}, {"1m": (), "3m": ({},)}),
        Case("there is none", {"something": "1x20"}, {"3m": ({},)}),
        quiet(
            "one of two answers",
            {f"up{{{WORKER}}}": "0x20", 'up{job="lotrisk-worker",instance="b:6066"}': "1x20"},
            "9m",
        ),
    ),
    "LotriskLagExporterDown": (
        Case("it does not answer", {'up{job="lotrisk-lag",instance="l"}': "1 0x20"}, {"2m": (), "4m": ({},)}),
        quiet("it answers", {'up{job="lotrisk-lag",instance="l"}': "1x20"}, "10m"),
    ),
    "LotriskBrokersUnreachable": (
        Case("no answer", {"lotrisk_brokers_up": "1 0x20"}, {"1m": (), "3m": ({},)}),
        quiet("a missed answer", {"lotrisk_brokers_up": "1 0 1x20"}, "2m", "3m"),
        quiet(
            "one of two exporters is cut off",
            {'lotrisk_brokers_up{i="a"}': "0x20", 'lotrisk_brokers_up{i="b"}': "1x20"},
            "9m",
        ),
    ),
    "LotriskBookUnverified": (
        # Time begins at 0 here: 1970.
        Case(
            "61 days ago",
            {f"lotrisk_book_verified_timestamp_seconds{{{WORKER}}}": f"{-61 * 86400}x20"},
            {"10m": ({},)},
        ),
        quiet("59 days ago", {f"lotrisk_book_verified_timestamp_seconds{{{WORKER}}}": f"{-59 * 86400}x20"}, "10m"),
    ),
    "LotriskBookReviewRequired": (
        Case("two controls", {f"lotrisk_book_review_required{{{WORKER}}}": "0 2x20"}, {"5m": (), "7m": ({},)}),
        quiet("none", {f"lotrisk_book_review_required{{{WORKER}}}": "0x20"}, "10m"),
    ),
    "LotriskBooksDiffer": (
        Case(
            "one stays behind",
            {f'lotrisk_book_info{{book="1",{WORKER}}}': "1x30", 'lotrisk_book_info{book="2",instance="b"}': "1x30"},
            {"9m": (), "12m": ({},)},
        ),
        quiet(
            "one is a minute late",
            {
                f'lotrisk_book_info{{book="1",{WORKER}}}': "1 1 1 stale",
                f'lotrisk_book_info{{book="2",{WORKER}}}': "_ _ _ 1x30",
                'lotrisk_book_info{book="1",instance="b"}': "1 1 1 1 stale",
                'lotrisk_book_info{book="2",instance="b"}': "_ _ _ _ 1x30",
            },
            "3m", "20m",
        ),
        quiet("both use one", {f'lotrisk_book_info{{book="1",{WORKER}}}': "1x30"}, "20m"),
    ),
    "LotriskPolicyRefused": (
        Case(
            "a measure is refused",
            {f"lotrisk_policy_rejected_measures{{{WORKER}}}": "0 1x20"},
            {"5m": (), "7m": ({},)},
        ),
        quiet("none is", {f"lotrisk_policy_rejected_measures{{{WORKER}}}": "0x20"}, "10m"),
    ),
}  # fmt: skip


def promtool_test(promtool: str, directory: Path, series: Mapping[str, str], tests: list[dict[str, object]]) -> None:
    """Run promtool on series that begin at 0."""
    document = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": tests,
            }
        ],
    }
    path = directory / "case.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    ran = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}\n{path.read_text()}"


@pytest.mark.parametrize(
    ("name", "case"), [pytest.param(name, case, id=f"{name}: {case.what}") for name in CASES for case in CASES[name]]
)
def test_the_rule(name: str, case: Case, promtool: str, tmp_path: Path) -> None:
    tests: list[dict[str, object]] = []
    for moment, fires in case.fires.items():
        labels = {"severity": ALERTS[name].severity.value, "service": "lotrisk", "alertname": name}
        expected = [{**labels, "alertstate": "firing", **found} for found in fires]
        tests.append(
            {
                "expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}',
                "eval_time": moment,
                "exp_samples": [{"labels": f"ALERTS{_selector(found)}", "value": 1} for found in expected],
            }
        )
    promtool_test(promtool, tmp_path, case.series, tests)


def _selector(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def test_every_alert_is_tried_both_ways() -> None:
    assert set(CASES) == set(ALERTS)
    for name, cases in CASES.items():
        assert any(any(fires.values()) for fires in (case.fires for case in cases)), f"{name} is never seen firing"
        assert any(not any(case.fires.values()) for case in cases), f"{name} is never seen quiet"


RECORDED: dict[str, tuple[Mapping[str, str], str, dict[str, str], float]] = {
    "lotrisk:group_lag_records:sum": (
        {f"lotrisk_group_lag_records{{{LANE}}}": "7x10",
         f'lotrisk_group_lag_records{{{VEHICLES},partition="1"}}': "5x10"},
        "5m", TOPIC, 12,
    ),
    "lotrisk:records_in:rate5m": (books_of(**{"in": "0+60x20"}), "10m", TOPIC, 1),
    "lotrisk:dead_letters:ratio15m": (books_of(**{"in": "0+60x40", "dead": "0+15x40"}), "30m", TOPIC, 0.25),
    "lotrisk:records_unaccounted:sum": (
        books_of(**{"in": "10x20", "out": "4x20", "unchanged": "1x20", "superseded": "1x20", "tombstones": "1x20",
                    "dead": "1x20"}),
        "5m", {**TOPIC, "instance": "a:6066"}, 2,
    ),
    "lotrisk:latency_seconds:p50_5m": (
        {f'lotrisk_latency_seconds_bucket{{{VEHICLES},le="0.1"}}': "0+10x20",
         f'lotrisk_latency_seconds_bucket{{{VEHICLES},le="+Inf"}}': "0+10x20"},
        "10m", TOPIC, 0.05,
    ),
    "lotrisk:latency_seconds:p99_5m": (
        {f'lotrisk_latency_seconds_bucket{{{VEHICLES},le="1"}}': "0+10x20",
         f'lotrisk_latency_seconds_bucket{{{VEHICLES},le="+Inf"}}': "0+10x20"},
        "10m", TOPIC, 0.99,
    ),
    **{
        f"lotrisk:latency_slow:ratio_rate{window}": (buckets("0+100x90", "0+75x90"), "60m", TOPIC, 0.25)
        for window in ("5m", "30m", "1h", "6h")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_the_recording(name: str, promtool: str, tmp_path: Path) -> None:
    series, moment, labels, value = RECORDED[name]
    sample = {"labels": _selector(labels), "value": value}
    expression = f"round({name}, 0.0001)"
    promtool_test(promtool, tmp_path, series, [{"expr": expression, "eval_time": moment, "exp_samples": [sample]}])


def test_every_recording_is_tried() -> None:
    assert set(RECORDED) == {recording.record for recording in recordings(Pace())}
