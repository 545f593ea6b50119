"""Throughput: a backlog is worked off; the rate is taken between the first and the last tenth, start-up apart."""

from __future__ import annotations

import time

from tests.bench.cluster import Cluster
from tests.bench.rivals import RIVALS

LOTRISK = {
    "lotrisk": {"LOTRISK_PROCESSING_GUARANTEE": "at_least_once"},
    "lotrisk_exactly_once": {"LOTRISK_PROCESSING_GUARANTEE": "exactly_once"},
}
CONTENDERS = (*LOTRISK, *RIVALS)
SLOW = {"stock_faust": 0.04, "quix": 0.15}
"""Contenders an order of magnitude slower get this share of the records, so that a round ends."""


def measure(cluster: Cluster, name: str, count: int, deadline_seconds: float = 120.0) -> float:
    """Records a second of one contender on `count` records that wait on the input topic."""
    wanted = int(count * SLOW.get(name, 1.0))
    base = cluster.ends("vehicles.enriched")
    settings = LOTRISK.get(name)
    module = "tests.bench.lotrisk_worker" if settings is not None else "tests.bench.rivals"
    arguments = () if settings is not None else (name,)
    low, high = wanted * 0.1, wanted * 0.9
    started = ended = first = last = 0.0
    deadline = time.monotonic() + deadline_seconds
    with cluster.contender(module, *arguments, **(settings or {})) as process:
        while True:
            done, now = cluster.ends("vehicles.enriched") - base, time.monotonic()
            if not started and done >= low:
                started, first = now, done
            if done >= high:
                ended, last = now, done
                break
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with status {process.returncode} after {done} records")
            if now > deadline:
                raise TimeoutError(f"{name}: {done} of {wanted} records after {deadline_seconds:.0f} s")
            time.sleep(0.02)
    return (last - first) / (ended - started) if ended > started else float("nan")
