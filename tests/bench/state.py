"""A worker's state: how long it takes to restore from nothing and from a checkpoint, and what it takes of memory."""

from __future__ import annotations

import re
import signal
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from streams.settings import Settings
from tests.bench.cluster import Cluster
from tests.bench.growth import topics
from tests.bench.held import fill
from tests.bench.parts import Bench
from tests.rehearsal.fleet import WorkerProcess, wait_until

PARTITIONS = 8
SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
LIMIT_SECONDS = 300
_RESTORED = re.compile(r"state: (\d+) partitions, (\d+) records restored in ([0-9.]+) s .* 0 offsets to go")


class Restored(NamedTuple):
    """One start of a worker: seconds of its restore, records it read for it, and its peak of memory in MiB."""

    seconds: float
    records: int
    rss_mb: float


def run(bench: Bench) -> None:
    """Add `restore.cold_seconds.*`, `restore.warm_seconds.*` and `rss_mb.state_*`, one round each.

    The worker is `lotrisk worker` with its vehicles; cold is without a state directory, warm the same one started
    again. Seconds are the worker's own, from opening the files to the last record taken in.
    """
    for label, count in SIZES.items():
        with topics(bench.servers, f"s{label}.", PARTITIONS) as cluster, tempfile.TemporaryDirectory() as directory:
            settings = Settings(
                bootstrap_servers=cluster.bootstrap_servers, topic_prefix=cluster.prefix, partitions=PARTITIONS
            )
            size = fill(settings, count)
            cold = start(cluster, Path(directory), "cold")
            if cold.records != count:
                raise RuntimeError(f"{cold.records} of {count} records were restored")
            warm = start(cluster, Path(directory), "warm")
        bench.figures.add(f"restore.cold_seconds.{label}", "s", [cold.seconds])
        bench.figures.add(f"restore.warm_seconds.{label}", "s", [warm.seconds])
        bench.figures.add(f"rss_mb.state_{label}", "MB", [max(cold.rss_mb, warm.rss_mb)])
        bench.console.print(
            f"{count:,} vehicles of {size:,} bytes: {cold.seconds:.1f} s from nothing ({cold.rss_mb:.0f} MB), "
            f"{warm.seconds:.1f} s from a checkpoint ({warm.rss_mb:.0f} MB)"
        )


def start(cluster: Cluster, directory: Path, name: str) -> Restored:
    """Start a worker on the state in `directory`, wait until it has restored it, and stop it."""
    environment = cluster.environment(
        {"LOTRISK_GROUP": "state", "LOTRISK_STATE_DIR": str(directory / "state"), "LOTRISK_LOG_LEVEL": "INFO"}
    )
    command = [sys.executable, "-m", "tests.rehearsal.vehicle_worker"]
    worker = WorkerProcess(name, command, environment, directory / f"{name}.log")
    try:

        def restored() -> re.Match[str] | None:
            return _RESTORED.search(worker.said())

        wait_until(lambda: restored() is not None or not worker.alive, LIMIT_SECONDS, "the restore", worker.said)
        found = restored()
        if found is None:
            raise RuntimeError(f"the worker ended with status {worker.process.returncode}:\n{worker.said()[-2000:]}")
        wait_until(lambda: "worker ready" in worker.said(), 60, "the worker is ready", worker.said)
        peak = worker.peak_rss_mb()
        worker.send(signal.SIGTERM)
        wait_until(lambda: not worker.alive, 30, "the worker stops", worker.said)
    finally:
        worker.close()
    return Restored(float(found[3]), int(found[2]), peak)
