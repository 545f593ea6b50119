"""The clock: real, or paced for a demo or replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.clock import AsOf, PacedClock, SystemClock, clock_for

START = datetime(2025, 10, 8, tzinfo=UTC)
REAL = datetime(2026, 3, 1, 12, tzinfo=UTC)


class HandClock:
    """A real clock that the test moves."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


@pytest.mark.parametrize(
    ("text", "start", "pace"),
    [
        ("2025-10-08T00:00Z@1d/s", START, 86_400.0),
        ("2025-10-08T00:00:00Z@6h/s", START, 21_600.0),
        ("2025-10-08T00:00Z@30m/s", START, 1_800.0),
        ("2025-10-08T00:00Z@0.5s/s", START, 0.5),
        ("2025-10-08T00:00Z@0s/s", START, 0.0),
        ("2025-10-08T00:00Z", START, 1.0),
        ("2025-10-07T20:00-04:00@1d/s", START, 86_400.0),
    ],
)
def test_start_and_pace_are_read(text: str, start: datetime, pace: float) -> None:
    assert AsOf.parse(text) == AsOf(start, pace)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write start and pace like"),
        ("2025-10-08T00:00Z@1w/s", "write start and pace like"),
        ("2025-10-08T00:00Z@1d", "write start and pace like"),
        ("2025-10-08T00:00Z@-1d/s", "write start and pace like"),
        ("2025-13-08T00:00Z@1d/s", "is not a time"),
        ("yesterday", "is not a time"),
        ("2025-10-08T00:00@1d/s", "has no time zone"),
    ],
)
def test_another_form_is_refused_and_the_right_one_shown(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AsOf.parse(text)


def test_a_paced_clock_starts_at_its_start_and_runs_at_its_pace() -> None:
    real = HandClock(REAL)
    clock = PacedClock(AsOf.parse("2025-10-08T00:00Z@1d/s"), real=real)
    assert clock.now() == START
    real.time += timedelta(seconds=2.5)
    assert clock.now() == START + timedelta(days=2.5)


def test_workers_that_share_the_real_start_agree_whenever_they_begin() -> None:
    real = HandClock(REAL)
    first = PacedClock(AsOf(START, 86_400.0), started=REAL, real=real)
    real.time += timedelta(seconds=10)
    restarted = PacedClock(AsOf(START, 86_400.0), started=REAL, real=real)
    assert restarted.now() == first.now() == START + timedelta(days=10)


def test_before_the_shared_start_the_clock_waits_at_its_start() -> None:
    clock = PacedClock(AsOf(START, 86_400.0), started=REAL, real=HandClock(REAL - timedelta(hours=1)))
    assert clock.now() == START


def test_a_pace_that_runs_past_the_calendar_stops_at_its_end() -> None:
    clock = PacedClock(AsOf(START, 999_999 * 86_400.0), started=REAL, real=HandClock(REAL + timedelta(days=400)))
    assert clock.now() == datetime.max.replace(tzinfo=UTC)


@given(
    pace=st.floats(0, 1e6, allow_nan=False),
    seconds=st.lists(st.floats(0, 1e4, allow_nan=False), min_size=2, max_size=6),
)
def test_a_paced_clock_never_goes_back_while_the_real_one_does_not(pace: float, seconds: list[float]) -> None:
    real = HandClock(REAL)
    clock = PacedClock(AsOf(START, pace), started=REAL, real=real)
    seen = []
    for passed in sorted(seconds):
        real.time = REAL + timedelta(seconds=passed)
        seen.append(clock.now())
    assert seen == sorted(seen)


def test_the_settings_choose_the_clock() -> None:
    before = datetime.now(UTC)
    assert isinstance(clock_for(None), SystemClock)
    assert before <= clock_for(None).now() <= datetime.now(UTC)
    assert clock_for("2025-10-08T00:00Z@0s/s").now() == START
