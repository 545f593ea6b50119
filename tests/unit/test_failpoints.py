"""Failpoints: what the variable may hold, and what a point does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import streams
from streams.failpoints import POINTS, RERATE_POINTS, TOTALS_POINTS, _parse

REACH = "import asyncio; from streams.failpoints import reach; asyncio.run(reach({!r})); print('went on')"


def run(variable: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process with the variable set."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "LOTRISK_FAILPOINTS": variable},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_pairs_actions_and_hits() -> None:
    parsed = _parse("batch.sent=kill; seek.after=sleep:250@3;assigned=exit@2;")
    assert {name: (a.kind, a.milliseconds, a.from_hit) for name, a in parsed.items()} == {
        "batch.sent": ("kill", 0, 1),
        "seek.after": ("sleep", 250, 3),
        "assigned": ("exit", 0, 2),
    }
    assert _parse("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [("batch.snet=kill", "no point 'batch.snet'"), ("batch.sent=explode", "kill, stop, exit or sleep:MS")],
)
def test_what_it_does_not_know_it_names(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _parse(text)


def test_kill_prints_the_point_and_dies_of_sigkill() -> None:
    done = run("batch.sent=kill", REACH.format("batch.sent"))
    assert (done.returncode, done.stdout, done.stderr) == (-9, "", "failpoint batch.sent: kill\n")


def test_exit_leaves_with_status_70() -> None:
    assert run("batch.sent=exit", REACH.format("batch.sent")).returncode == 70


def test_other_points_and_early_hits_go_on() -> None:
    assert run("batch.sent=kill", REACH.format("batch.begun")).stdout == "went on\n"
    assert run("batch.sent=kill@2", REACH.format("batch.sent")).stdout == "went on\n"


def test_every_point_stands_in_the_program_once() -> None:
    sources = [path.read_text("utf-8") for path in Path(streams.__path__[0]).rglob("*.py")]
    reached = [name for source in sources for name in re.findall(r'reach\("([a-z._]+)"\)', source)]
    shared = [name for source in sources for name in re.findall(r'reach\((?:draft\.)?step \+ "([a-z._]+)"\)', source)]
    reached += [step + name for step in ("batch", "rerate") for name in shared]
    # Totals have no state to apply: the outbox's steps, and two of their own.
    reached += ["totals" + name for name in dict.fromkeys(shared) if f"totals{name}" not in reached]
    assert set(reached) == {*POINTS, *RERATE_POINTS, *TOTALS_POINTS}
    # The delivery is the same step with and without a transaction.
    assert (
        sorted(name for name in reached if reached.count(name) > 1)
        == ["batch.delivered"] * 2 + ["rerate.delivered"] * 2
    )


def test_armed_anew_it_counts_from_there() -> None:
    code = "from streams.failpoints import arm; import asyncio; from streams.failpoints import reach\n"
    code += "asyncio.run(reach('batch.sent')); arm('batch.sent=exit@2')\n"
    code += "for n in range(3): print(n, flush=True); asyncio.run(reach('batch.sent'))"
    done = run("batch.sent=kill@2", code)
    assert (done.returncode, done.stdout) == (70, "0\n1\n")
