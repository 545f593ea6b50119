"""The clock: real, or paced for a demo or replay."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.clock import AsOf, ClockError, FileClock, PacedClock, SystemClock, clock_for
from streams.settings import Settings, SettingsError, load_settings

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


def written(path: Path, text: str, when: datetime) -> Path:
    """A clock file as it was left at `when`."""
    path.write_text(text)
    os.utime(path, (when.timestamp(), when.timestamp()))
    return path


def test_who_writes_the_file_moves_the_clock_of_all_that_read_it(tmp_path: Path) -> None:
    real = HandClock(REAL)
    path = written(tmp_path / "clock", "2025-10-08T00:00Z@0s/s\n", REAL)
    clocks = [FileClock(path, real), FileClock(path, real)]
    real.time += timedelta(hours=1)
    assert [clock.now() for clock in clocks] == [START, START]
    written(path, "2025-11-07T05:00Z@1d/s", REAL + timedelta(minutes=59))
    assert [clock.now() for clock in clocks] == [datetime(2026, 1, 6, 5, tzinfo=UTC)] * 2
    assert FileClock(path, real).now() == clocks[0].now(), "one that starts late agrees"


def test_a_clock_file_that_is_gone_or_spoilt_leaves_the_clock_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "clock", "2025-10-08T00:00Z@0s/s", REAL)
    clock = FileClock(path)
    written(path, "tomorrow", REAL + timedelta(seconds=1))
    assert clock.now() == START
    assert "the clock stays as it was" in caplog.text
    path.unlink()
    assert clock.now() == START
    written(path, "2025-10-09T00:00Z@0s/s", REAL + timedelta(seconds=2))
    assert clock.now() == START + timedelta(days=1)


def test_a_clock_file_that_cannot_be_read_at_the_start_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ClockError, match="nowhere: No such file"):
        clock_for(f"file:{tmp_path}/nowhere")
    with pytest.raises(ClockError, match="clock: 'soon' is not a time"):
        clock_for(f"file:{written(tmp_path / 'clock', 'soon', REAL)}")


def test_the_setting_takes_a_file_by_its_form_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(as_of=f"file:{tmp_path}/later").as_of == f"file:{tmp_path}/later"
    monkeypatch.setenv("LOTRISK_AS_OF", "file:")
    with pytest.raises(SettingsError, match="names no file"):
        load_settings()
    monkeypatch.setenv("LOTRISK_AS_OF", "file:/clock")
    monkeypatch.setenv("LOTRISK_AS_OF_STARTED", "2026-03-01T12:00:00Z")
    with pytest.raises(SettingsError, match="the file of LOTRISK_AS_OF says when; unset it"):
        load_settings()
