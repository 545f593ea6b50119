"""The catalogue and the registry are one: nothing is exposed that isn't listed, nothing listed that isn't exposed."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import streams.metrics as module
from streams.instruments import Metrics, StateShown
from streams.metrics import CATALOGUE, LAG_CATALOGUE, Kind, Metric

BOUNDED_LABELS = {"topic", "partition", "reason", "code", "book", "version", "change", "result",
                  "goods", "view", "origin", "powertrain", "element", "type", "severity"}  # fmt: skip
UNIT_SUFFIX = {"seconds": "_seconds", "bytes": "_bytes"}


def exercised() -> CollectorRegistry:
    """A registry on which every metric has at least one sample."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, clock=lambda: 1_000.0)
    lane = metrics.lane("dms.vehicles", 0)
    lane.batch(
        records=3,
        size_bytes=100,
        seconds=0.1,
        out=1,
        tombstones=1,
        dead_letters={"not_json": 1},
        notes={"timestamp_clamped": 1},
        timestamps_ms=[999_000],
    )
    lane.transaction(0.1)
    lane.transaction_aborted()
    lane.fenced()
    lane.flag_events({"raised": 1})
    lane.rerated(changed=1, unchanged=2, notes={"rerate_too_large": 1})
    lane.rerate.begin(3, 990.0)
    lane.rerate.end("1.0.-1.2026-09-29", 1_000.0)
    lane.lot = {
        module.LOT_RECORDS: {("vehicle",): 3},
        module.LOT_DOLLARS: {("vehicle", "JP", "HEV"): 9.0},
        module.LOT_DUTY_DOLLARS: {("vehicle", "landed", "JP", "HEV"): 1.5},
        module.LOT_GRAMS: {("Nd",): 4.0},
        module.LOT_FLAGS: {("origin_unknown", "info"): 1},
    }
    metrics.rebalances.inc()
    metrics.book_in_use("1.0.-1.2026-09-29", 900.0, review_required=2)
    metrics.policy_refused(1)
    metrics.exits_before({"fenced": 1, "stalled": 0})
    metrics.states = lambda: [StateShown("dms.vehicles", 0, 40, 8_000, 1.5, 45, 0, 0.2)]
    metrics.look()
    metrics.state_discarded("dms.vehicles", "too_old")
    metrics.build("0.1.0")
    return registry


def test_every_metric_defined_in_the_module_is_in_the_catalogue() -> None:
    defined = {value.name for value in vars(module).values() if isinstance(value, Metric)}
    listed = (*CATALOGUE, *LAG_CATALOGUE)
    assert defined == {metric.name for metric in listed}
    assert len(listed) == len(defined)


def test_the_registry_exposes_exactly_the_catalogue() -> None:
    exposed = {family.name: family for family in exercised().collect()}
    assert set(exposed) == {metric.name.removesuffix("_total") for metric in CATALOGUE}
    for metric in CATALOGUE:
        family = exposed[metric.name.removesuffix("_total")]
        assert family.type == metric.kind, metric.name
        assert family.documentation == metric.help
        assert family.samples, f"{metric.name} has no sample: nothing sets it"


def test_each_sample_has_exactly_the_labels_of_the_catalogue() -> None:
    for metric in CATALOGUE:
        family = next(f for f in exercised().collect() if f.name == metric.name.removesuffix("_total"))
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample.name


def test_a_scrape_parses_and_holds_no_series_beside_the_catalogue() -> None:
    names = {sample.name for family in text_string_to_metric_families(generate_latest(exercised()).decode())
             for sample in family.samples}  # fmt: skip
    suffixes = ("_bucket", "_count", "_sum")
    plain = {metric.name for metric in CATALOGUE if metric.kind is not Kind.HISTOGRAM}
    histograms = {metric.name + suffix for metric in CATALOGUE if metric.kind is Kind.HISTOGRAM for suffix in suffixes}
    assert names == plain | histograms


@pytest.mark.parametrize("metric", [*CATALOGUE, *LAG_CATALOGUE], ids=lambda metric: metric.name)
def test_names_units_labels_and_buckets_follow_the_conventions(metric: Metric) -> None:
    assert metric.name.startswith("lotrisk_")
    assert metric.help.endswith(".")
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    if metric.unit in UNIT_SUFFIX:
        assert metric.name.removesuffix("_total").endswith(UNIT_SUFFIX[metric.unit])
    assert set(metric.labels) <= BOUNDED_LABELS
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_two_registries_in_one_process_share_nothing() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    Metrics(first).rebalances.inc()
    Metrics(second)
    assert first.get_sample_value("lotrisk_rebalances_total") == 1
    assert second.get_sample_value("lotrisk_rebalances_total") == 0
