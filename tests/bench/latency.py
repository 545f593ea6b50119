"""Latency end to end at a fixed rate: from the time a record was due to a `read_committed` reader having it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.bench.cluster import RIVALS_PYTHON, ROOT, Cluster
from tests.bench.growth import topics
from tests.bench.parts import Bench

WARM_SECONDS = 2.5
"""Left out of the figures: connections, metadata, memo tables."""
LATE_SECONDS = 8.0
"""How long after the last record the reader waits for what is still missing."""


class NotKeptUp(RuntimeError):
    """The rate was more than this machine does: there is no latency to speak of."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds over `records` records."""

    p50: float
    p99: float
    p999: float
    worst: float
    records: int


def measure(
    cluster: Cluster,
    settings: Mapping[str, str],
    *,
    rate: float,
    seconds: float,
    payload: str = "light",
    module: str = "tests.bench.lotrisk_worker",
) -> Latency:
    """Latency of lotrisk, light function and state, under `rate` records a second for `seconds` after a warm-up.

    Raises:
        NotKeptUp: not every record came out in time.
        RuntimeError: a process failed.
    """
    total = int(rate * (WARM_SECONDS + seconds))
    with (
        cluster.contender(module, "light", from_end=True, settings=settings) as worker,
        _process(cluster, "read", str(total)) as reader,
    ):
        cluster.await_ready(worker)
        assert reader.stdin is not None
        assert reader.stdout is not None
        if reader.stdout.readline() != "reading\n":
            raise RuntimeError("the reader failed")
        start = time.time() + 1.5
        end = start + WARM_SECONDS + seconds
        reader.stdin.write(f"{start + WARM_SECONDS} {end + LATE_SECONDS}\n")
        reader.stdin.flush()
        with _process(cluster, "send", payload, str(rate), str(WARM_SECONDS + seconds), str(start)) as sender:
            while sender.poll() is None:
                if worker.poll() is not None:
                    raise RuntimeError(f"lotrisk ended with status {worker.returncode}")
                time.sleep(0.1)
            if sender.returncode:
                raise RuntimeError("the load generator failed")
        answer = json.loads(reader.stdout.readline() or "{}")
    if answer.get("seen", 0) < total:
        raise NotKeptUp(f"{answer.get('seen')} of {total} records came out in time")
    ordered = sorted(answer["latencies"])
    p50, p99, p999 = (quantile(ordered, share) for share in (0.5, 0.99, 0.999))
    return Latency(p50, p99, p999, ordered[-1], len(ordered))


def quantile(ordered: list[float], share: float) -> float:
    """The value below which `share` of the ordered values are."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@contextlib.contextmanager
def _process(cluster: Cluster, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [RIVALS_PYTHON, "-m", "tests.bench.load", *arguments], env=cluster.environment(), cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


RATES = (500, 2_000, 10_000)
PARTITIONS = (4, 16)
GUARANTEES = {"": "at_least_once", ".exactly_once": "exactly_once"}
SECONDS = 5.0
ROUNDS = {2_000: 3}
"""Rounds at a rate over 4 partitions, where more than one."""


def run(bench: Bench) -> None:
    """Add `latency.pNN_ms.RATE[.16_partitions][.exactly_once]`: the light function in lotrisk, with its state.

    A rate that is not kept up with has no figure; `about` lists it.
    """
    lost: dict[str, str] = {}
    failed = False
    for partitions in PARTITIONS:
        place = "" if partitions == 4 else f".{partitions}_partitions"
        for rate in RATES:
            names = {label: f"{rate}{place}{label}" for label in GUARANTEES}
            rounds: dict[str, list[Latency]] = {label: [] for label in GUARANTEES}
            for number in range(ROUNDS.get(rate, 1) if partitions == 4 else 1):
                for label, guarantee in GUARANTEES.items():
                    with topics(bench.servers, f"l{partitions}.{rate}.{number}{label}.", partitions) as cluster:
                        settings = {"LOTRISK_PROCESSING_GUARANTEE": guarantee}
                        try:
                            found = measure(cluster, settings, rate=rate, seconds=SECONDS)
                        except Exception as error:
                            bench.console.print(f"{rate:,}/s, {partitions} partitions, {guarantee}: {error!r}")
                            lost[names[label]] = repr(error)
                            failed |= not isinstance(error, NotKeptUp)
                            continue
                    rounds[label].append(found)
                    bench.console.print(
                        f"{rate:,}/s, {partitions} partitions, {guarantee}: p50 {found.p50:.0f}, p99 {found.p99:.0f}, "
                        f"p99.9 {found.p999:.0f} ms"
                    )
            for label, results in rounds.items():
                for percentile in ("p50", "p99", "p999"):
                    name = f"latency.{percentile}_ms.{names[label]}"
                    if results:
                        bench.figures.add(name, "ms", [getattr(result, percentile) for result in results])
                    else:
                        bench.figures.drop(name)
    bench.figures.about["not_kept_up"] = lost
    if failed:
        raise RuntimeError(str(lost))
