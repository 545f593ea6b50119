"""`lotrisk demo` as a person runs it: it ends by itself and leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from streams.cli._demo_episode import HEADLINES


def _children(of: psutil.Process) -> list[psutil.Process]:
    return of.children(recursive=True)


def _gone(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return alive


@pytest.fixture
def command() -> list[str]:
    return [sys.executable, "-m", "streams.cli", "demo", "--vehicles", "300", "--parts", "150"]


def test_the_demo_ends_by_itself_with_every_record_accounted_for(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, env={**os.environ, "COLUMNS": "200"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for day in HEADLINES:
        assert re.search(rf"^{day}  {re.escape(HEADLINES[day])}$", ran.stdout, re.MULTILINE)
    assert ran.stdout.count("450 records rated in") >= len(HEADLINES), "each moment ends with the whole lot rated"
    assert "450 records in, 450 out" in ran.stdout
    assert re.search(r"^ *all +300 ", ran.stdout, re.MULTILINE), "the vehicles' table sums to the lot"
    assert re.search(r"^ *all +150 ", ran.stdout, re.MULTILINE), "the parts' table sums to the lot"
    assert re.search(r"importer's duty \(book [0-9.-]+2025-12-04\)", ran.stdout), "what is left is of the episode's end"
    assert ran.stdout.count("Importer's duty, replacement") >= 3, "three examples are explained"
    assert "62.5" in ran.stdout or "137.5" in ran.stdout, "a Chinese vehicle's duty, of which 10% is fentanyl"


def test_without_the_replay_it_shows_the_lot_of_a_day_and_killed_it_leaves_nothing_behind(command: list[str]) -> None:
    process = subprocess.Popen(
        [*command, "--keep", "--no-replay"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )  # fmt: skip
    try:
        children = psutil.Process(process.pid)
        deadline = time.monotonic() + 120
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            assert time.monotonic() < deadline, "the demo did not come up in two minutes"
            if "Still up" in line:
                break
        assert "450 records in, 450 out" in said
        assert "2025-10-10" not in said, "nothing of the episode"
        assert re.search(r"importer's duty \(book [0-9.-]+2026-09-29\)", said)
        assert "127.5" in said or "52.5" in said, "a Chinese vehicle's duty is opened"
        started = _children(children)
        assert any("java" in child.name() for child in started), "the broker runs"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        left = _gone(started, 20)
        assert not left, f"still running after 20 s: {[child.cmdline() for child in left]}"
    finally:
        process.kill()
        process.wait()
