"""What a lane counts, and what its gauges show."""

from __future__ import annotations

import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from streams.instruments import LaneMetrics, Metrics
from streams.metrics import LATENCY_SECONDS, LOT_GRAMS
from streams.progress import Progress

LANE = {"topic": "dms.vehicles", "partition": "3"}
NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def lane_on(clock: Clock | None = None) -> tuple[CollectorRegistry, Metrics, LaneMetrics]:
    registry = CollectorRegistry()
    metrics = Metrics(registry, clock=clock or Clock())
    return registry, metrics, metrics.lane("dms.vehicles", 3)


def test_a_batch_is_counted_by_what_became_of_its_records() -> None:
    registry, _, lane = lane_on()
    lane.batch(
        records=15,
        size_bytes=30_000,
        seconds=0.2,
        out=5,
        unchanged=4,
        superseded=3,
        tombstones=1,
        dead_letters={"not_json": 1, "vin_invalid": 1},
        notes={"check_digit_warning": 2},
    )
    values = {
        "lotrisk_records_in_total": 15,
        "lotrisk_records_out_total": 5,
        "lotrisk_records_unchanged_total": 4,
        "lotrisk_records_superseded_total": 3,
        "lotrisk_tombstones_total": 1,
    }
    assert {name: registry.get_sample_value(name, LANE) for name in values} == values
    dead = {"topic": "dms.vehicles", "reason": "vin_invalid"}
    assert registry.get_sample_value("lotrisk_dead_letters_total", dead) == 1
    note = {"topic": "dms.vehicles", "code": "check_digit_warning"}
    assert registry.get_sample_value("lotrisk_notes_total", note) == 2
    assert registry.get_sample_value("lotrisk_batch_bytes_sum", {"topic": "dms.vehicles"}) == 30_000


@pytest.mark.parametrize("text", ["1HGCM82633A004352", "Dealer 7", "", "x" * 41, "a-b"])
def test_data_can_not_become_a_label(text: str) -> None:
    _, _, lane = lane_on()
    with pytest.raises(ValueError, match="can't be a label"):
        lane.batch(records=1, size_bytes=1, seconds=0.1, out=0, dead_letters={text: 1})
    with pytest.raises(ValueError, match="can't be a label"):
        lane.note(text)


@given(st.lists(st.integers(int(NOW * 1000) - 4_000_000, int(NOW * 1000) + 60_000), max_size=40))
def test_latency_of_a_batch_is_what_the_library_would_have_counted_one_by_one(timestamps: list[int]) -> None:
    registry, metrics, _ = lane_on()
    expected_registry = CollectorRegistry()
    expected = Histogram("expected", "One by one.", buckets=LATENCY_SECONDS.buckets, registry=expected_registry)
    metrics.latency.observe_since("dms.vehicles", timestamps, NOW)
    for timestamp in timestamps:
        expected.observe(max(0.0, (NOW * 1000 - timestamp) / 1000))
    topic = {"topic": "dms.vehicles"}
    for bound in [*(str(float(b)) for b in LATENCY_SECONDS.buckets), "+Inf"]:
        ours = registry.get_sample_value("lotrisk_latency_seconds_bucket", {**topic, "le": bound}) or 0.0
        assert ours == expected_registry.get_sample_value("expected_bucket", {"le": bound}), bound
    ours_sum = registry.get_sample_value("lotrisk_latency_seconds_sum", topic) or 0.0
    assert ours_sum == pytest.approx(expected_registry.get_sample_value("expected_sum"))


def test_a_record_without_a_timestamp_has_no_latency() -> None:
    registry, _, lane = lane_on()
    lane.batch(records=2, size_bytes=1, seconds=0.1, out=2, timestamps_ms=[-1, int(NOW * 1000) - 500])
    assert registry.get_sample_value("lotrisk_latency_seconds_count", {"topic": "dms.vehicles"}) == 1


def test_gauges_follow_the_lane_and_go_with_it() -> None:
    clock = Clock()
    registry, metrics, lane = lane_on(clock)
    lane.progress.update(now=clock.now, committed=100, end=140)
    lane.paused, lane.in_flight_records, lane.in_flight_bytes = True, 40, 80_000
    clock.now += 5
    shown = {
        "lotrisk_lag_records": 40,
        "lotrisk_committed_age_seconds": 5,
        "lotrisk_lane_paused": 1,
        "lotrisk_in_flight_records": 40,
        "lotrisk_in_flight_bytes": 80_000,
    }
    assert {name: registry.get_sample_value(name, LANE) for name in shown} == shown
    metrics.release("dms.vehicles", 3)
    assert all(registry.get_sample_value(name, LANE) is None for name in shown)
    lane.batch(records=1, size_bytes=1, seconds=0.1, out=1)
    assert registry.get_sample_value("lotrisk_records_in_total", LANE) == 1, "counters stay after a release"


def test_one_book_is_in_use_at_a_time() -> None:
    registry, metrics, _ = lane_on()
    metrics.book_in_use("1.0.-1.2026-09-29", 1_791_504_000.0)
    metrics.book_in_use("1.0.4.2026-11-10", None)
    assert registry.get_sample_value("lotrisk_book_info", {"book": "1.0.-1.2026-09-29"}) is None
    assert registry.get_sample_value("lotrisk_book_info", {"book": "1.0.4.2026-11-10"}) == 1


class TestProgress:
    def test_a_partition_without_lag_is_never_stuck(self) -> None:
        progress = Progress()
        progress.update(now=0.0, committed=10, end=10)
        assert progress.stuck_seconds(9_999.0) == 0.0

    def test_the_clock_starts_when_the_first_record_comes_after_a_quiet_time(self) -> None:
        progress = Progress()
        progress.update(now=0.0, committed=10, end=10)
        progress.update(now=3_600.0, end=11)
        assert progress.stuck_seconds(3_601.0) == 1.0

    def test_new_records_do_not_hide_a_committed_offset_that_stands_still(self) -> None:
        progress = Progress()
        progress.update(now=0.0, committed=10, end=20)
        for second in range(1, 60):
            progress.update(now=float(second), committed=10, end=20 + second)
        assert progress.stuck_seconds(60.0) == 60.0

    def test_a_moving_committed_offset_is_not_stuck(self) -> None:
        progress = Progress()
        progress.update(now=0.0, committed=10, end=1_000)
        progress.update(now=50.0, committed=11)
        assert progress.lag == 989
        assert progress.stuck_seconds(51.0) == 1.0


def test_latency_shows_a_topic_before_its_first_record() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry, clock=lambda: 1_000.0)
    metrics.latency.begin("dms.vehicles")
    labels = {"topic": "dms.vehicles"}
    assert registry.get_sample_value("lotrisk_latency_seconds_count", labels) == 0
    metrics.latency.observe_since("dms.vehicles", [999_000], 1_000.0)
    metrics.latency.begin("dms.vehicles")
    assert registry.get_sample_value("lotrisk_latency_seconds_count", labels) == 1
    assert registry.get_sample_value("lotrisk_latency_seconds_sum", labels) == 1


def test_what_the_lanes_hold_is_shown_as_one_lot_and_goes_with_them() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    labels = {"element": "Nd"}
    for partition in (0, 1):
        metrics.lane("dms.vehicles", partition).lot = {LOT_GRAMS: {("Nd",): 2.5}}
    assert registry.get_sample_value("lotrisk_lot_rare_earth_grams", labels) == 5.0
    metrics.release("dms.vehicles", 1)
    assert registry.get_sample_value("lotrisk_lot_rare_earth_grams", labels) == 2.5


def test_the_books_of_a_lane_balance_at_every_scrape_also_from_another_thread() -> None:
    registry, _, lane = lane_on()
    over = threading.Event()
    seen: list[float] = []

    def scrape() -> None:
        while not over.is_set():
            counted = {sample.name: sample.value for family in registry.collect() for sample in family.samples}
            seen.append(counted["lotrisk_records_in_total"])
            rest = (counted[f"lotrisk_{name}_total"] for name in ("records_out", "tombstones"))
            balances.append(seen[-1] - sum(rest) - counted.get("lotrisk_dead_letters_total", 0))

    balances: list[float] = []
    reader = threading.Thread(target=scrape)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        reader.start()
        deadline = time.monotonic() + 10
        while len(set(seen)) < 20 and time.monotonic() < deadline:
            lane.batch(records=6, size_bytes=1, seconds=0.1, out=3, tombstones=1, dead_letters={"not_json": 2})
    finally:
        sys.setswitchinterval(before)
        over.set()
        reader.join()
    assert len(set(seen)) >= 20, "it saw the counters move"
    assert set(balances) == {0.0}
