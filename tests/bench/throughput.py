"""Throughput: a backlog is worked off; the rate is taken between the first and the last tenth, start-up apart."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.cluster import RIVALS_PYTHON, Cluster

AT_LEAST_ONCE = {"LOTRISK_PROCESSING_GUARANTEE": "at_least_once"}
EXACTLY_ONCE = {"LOTRISK_PROCESSING_GUARANTEE": "exactly_once"}
LOTRISK = {
    "lotrisk": AT_LEAST_ONCE,
    "lotrisk_exactly_once": EXACTLY_ONCE,
    "lotrisk_without_state": AT_LEAST_ONCE,
}
"""The first two are the worker as it is deployed; the last remembers nothing, as no rival does."""
OURS = (*LOTRISK, "raw_batch_loop", "raw_transactions", "stock_faust")
"""Contenders in lotrisk's own environment."""
RIVALS = ("confluent", "quix")
CONTENDERS = (*OURS, *RIVALS)
SLOW = {"stock_faust": 0.04, "quix": 0.15}
"""Contenders an order of magnitude slower get this share of the records, so that a round ends."""
FROM = {"light": 0.1, "real": 0.3}
"""From which share of the records on a rate is taken. Of the real job the first tenth brings the VIN patterns, and some
partitions are read long after others."""


@dataclass(frozen=True, slots=True)
class Run:
    """A backlog worked off: rate, processor time of all workers a record, peak memory of one, time to first output."""

    rate: float
    cpu_us: float
    rss_mb: float
    start_seconds: float


def work_off(
    cluster: Cluster, name: str, count: int, *, job: str = "light", workers: int = 1, deadline_seconds: float = 120.0
) -> Run:
    """`name` works off `count` records that wait on the input topic, doing `job` (light or real).

    Raises:
        RuntimeError: a worker ended, or the records did not come out in time.
    """
    wanted = int(count * SLOW.get(name, 1.0))
    cluster.empty_outputs()
    settings = LOTRISK.get(name)
    module = "tests.bench.lotrisk_worker" if settings is not None else "tests.bench.rivals"
    arguments: tuple[str, ...] = (name, job)
    if settings is not None:
        arguments = (job, "forget") if name.endswith("_without_state") else (job,)
    python = RIVALS_PYTHON if name in RIVALS else Path(sys.executable)
    low, high = wanted * FROM[job], wanted * 0.9
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        group = cluster.new_group()
        processes = [
            stack.enter_context(
                cluster.contender(module, *arguments, python=python, group=group, settings=settings)
            )
            for _ in range(workers)
        ]  # fmt: skip
        first = at_low = None
        deadline = time.monotonic() + deadline_seconds
        while True:
            done, now = cluster.ends("vehicles.enriched"), time.monotonic()
            if first is None and done:
                first = now
            if at_low is None and done >= low:
                at_low = (now, done, _cpu(processes))
            if at_low is not None and done >= high and now > at_low[0]:
                break
            for process in processes:
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with status {process.returncode} after {done} records")
            if now > deadline:
                raise RuntimeError(f"{name}: {done} of {wanted} records after {deadline_seconds:.0f} s")
            time.sleep(0.02)
        cpu = _cpu(processes) - at_low[2]
        rss = max(peak_mb(process.pid) for process in processes)
    assert first is not None
    records = done - at_low[1]
    return Run(records / (now - at_low[0]), cpu / records * 1e6, rss, first - began)


def _cpu(processes: list[subprocess.Popen[bytes]]) -> float:
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return float(sum(time.user + time.system for time in times))


def peak_mb(pid: int) -> float:
    """The most memory a process has had, as the kernel tells."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel tells no peak memory")
