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


def _children(of: psutil.Process) -> list[psutil.Process]:
    return of.children(recursive=True)


def _gone(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return alive


@pytest.fixture
def command() -> list[str]:
    return [sys.executable, "-m", "streams.cli", "demo", "--vehicles", "300", "--parts", "150"]


def test_the_demo_ends_by_itself_with_every_record_accounted_for(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=170, env={**os.environ, "COLUMNS": "200"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "450 records in, 450 out" in ran.stdout
    assert re.search(r"│ all +│ +│ +300 │", ran.stdout), "the vehicles' table sums to the lot"
    assert re.search(r"│ all +│ +150 │", ran.stdout), "the parts' table sums to the lot"
    assert ran.stdout.count("Importer's duty, replacement") >= 3, "three examples are explained"
    assert "127.5" in ran.stdout or "52.5" in ran.stdout, "a Chinese vehicle's duty is opened"


def test_a_killed_demo_leaves_neither_broker_nor_workers_behind(command: list[str]) -> None:
    process = subprocess.Popen(
        [*command, "--keep"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        children = psutil.Process(process.pid)
        deadline = time.monotonic() + 120
        assert process.stdout is not None
        for line in process.stdout:
            assert time.monotonic() < deadline, "the demo did not come up in two minutes"
            if "Still up" in line:
                break
        started = _children(children)
        assert any("java" in child.name() for child in started), "the broker runs"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        left = _gone(started, 20)
        assert not left, f"still running after 20 s: {[child.cmdline() for child in left]}"
    finally:
        process.kill()
        process.wait()
