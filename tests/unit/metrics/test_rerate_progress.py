"""How far re-rating is: what is left, how fast, how long."""

from __future__ import annotations

from math import isnan

import pytest

from streams.progress import RerateProgress


def test_before_anything_is_known_there_is_no_estimate() -> None:
    progress = RerateProgress()
    assert (progress.pending, progress.per_second(5.0), progress.remaining_seconds(5.0)) == (0, 0.0, 0.0)
    progress.begin(1_000, 10.0)
    assert progress.pending == 1_000
    assert isnan(progress.remaining_seconds(10.0))


def test_speed_and_time_left_follow_from_what_was_passed() -> None:
    progress = RerateProgress()
    progress.begin(1_000, 10.0)
    progress.advance(200, 20)
    assert progress.per_second(12.0) == pytest.approx(100)
    assert progress.remaining_seconds(12.0) == pytest.approx(8)
    assert progress.rated == 20
    progress.advance(900, 0)
    assert progress.pending == 1, "the estimate was too low, and it is not through"
    progress.end("1.0.7.2026-09-29", 20.0)
    assert (progress.pending, progress.per_second(30.0), progress.remaining_seconds(30.0)) == (0, 0.0, 0.0)
    assert progress.last_seconds == pytest.approx(10)
    assert progress.book == "1.0.7.2026-09-29"


def test_a_second_event_on_the_way_counts_from_the_first_and_begins_the_scan_anew() -> None:
    progress = RerateProgress()
    progress.begin(100, 0.0)
    progress.advance(60, 60)
    progress.begin(100, 5.0)
    assert progress.pending == 100
    progress.advance(100, 100)
    progress.end("1.0.8.2026-09-29", 9.0)
    assert progress.last_seconds == pytest.approx(9)
    assert progress.rated == 160


def test_a_scan_that_finds_nothing_below_the_book_is_no_rerating() -> None:
    progress = RerateProgress()
    progress.begin(100, 0.0)
    progress.advance(100, 40)
    progress.end("1.0.7.2026-09-29", 3.0)
    progress.begin(100, 50.0)
    progress.advance(100, 0)
    progress.end("1.0.7.2026-09-29", 51.0)
    assert progress.last_seconds == pytest.approx(3)
