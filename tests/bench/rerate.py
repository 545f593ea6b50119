"""Re-rating: from a measure published to the lot brought up to it, over the size of the lot, under live records.

A lot of so many different vehicles is enriched by `lotrisk worker` as it is deployed. Then measures are published one
after the other, as `lotrisk policy publish` does it: a duty on Korea with nothing else going on, the same at another
rate under live records at a steady rate, and a control that changes every record, under the same. `BENCH_RERATE_SIZES`
(10000,100000,1000000), `BENCH_RERATE_WORKERS` (2) and `BENCH_RERATE_LIVE` (1000 a second) make it smaller.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from streams.reference.trade import load_trade
from streams.reference.trade_records import MeasureRecord
from streams.settings import Settings
from streams.transport.desk import publish, read_log
from streams.transport.heartbeat import DEAD_AFTER_SECONDS, read_workers
from streams.transport.policy_log import encode
from tests.bench.cluster import RIVALS_PYTHON, ROOT, Cluster
from tests.bench.growth import topics
from tests.bench.latency import quantile
from tests.bench.parts import Bench
from tests.bench.throughput import peak_mb

PARTITIONS = 8
"""The default of the setting."""
LANES = 3
"""Lanes a partition: of vehicles, parts and groups."""
AS_OF = "2026-10-01T16:00Z@0s/s"
QUIET_SECONDS = 1.5
"""A topic that has not grown for so long has all there will be."""
LINGER_MS = 5
"""Kafka's own default since 4.0."""
LIVE_BEFORE_SECONDS = 12.0
"""Live records run for so long before a measure is published; the figures begin with the measure."""
START_SECONDS = 4.0
"""Of those, for the generator to come up."""
LIVE_ONLY_SECONDS = 5.0
"""The last of those, in which nothing is rated again: what live records take by themselves."""
LOOK_SECONDS = 0.25
LOOK_SHARE = 0.02
"""How often the workers are asked how far they are, and, of the time it has taken so far, how often at most: their
metrics are a thousand lines, which took a worker a tenth of its processor at four times a second."""
DEADLINE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Event:
    """A measure and what became of it: seconds from publishing to the whole lot under it, and to the last flag."""

    seconds: float
    last_flag_seconds: float
    changed: int


def duty(rate: str) -> MeasureRecord:
    """A duty on the cars of one country: a tenth of the generated lot."""
    return _measure(
        id="BENCH-KR", authority="bench", title="Cars of Korea", heading="9903.99.99", origins=["KR"],
        scope=["8703", "8704"], rate=rate,
    )  # fmt: skip


def control() -> MeasureRecord:
    """An export control of what every vehicle holds: each record says so."""
    return _measure(
        id="BENCH-ALL", kind="export_control", authority="china_export_control", title="All rare earths",
        origins=["CN"], elements=["La", "Ce", "Pr", "Nd"], item_classes=["metal", "oxide"],
    )  # fmt: skip


def _measure(**fields: object) -> MeasureRecord:
    stands: dict[str, object] = {
        "instrument": "bench", "announced_at": "2026-09-29", "effective_from": "2026-09-30",
        "recorded_at": "2026-09-29", "status": "in_force", "confidence": "H", "source": "GK",
    }  # fmt: skip
    return MeasureRecord.model_validate({**stands, **fields})


def run(bench: Bench) -> None:
    """Add `rerate.*`: one lot after the other, the largest last; its latencies stand without a size."""
    sizes = [int(size) for size in os.environ.get("BENCH_RERATE_SIZES", "10000,100000,1000000").split(",")]
    for size in sizes:
        with topics(bench.servers, f"rerate{size}.", PARTITIONS) as cluster:
            _one_lot(bench, cluster, size, _name(size))


def _name(size: int) -> str:
    return f"{size // 1_000_000}m" if size >= 1_000_000 else f"{size // 1_000}k"


def _one_lot(bench: Bench, cluster: Cluster, size: int, label: str) -> None:
    workers = int(os.environ.get("BENCH_RERATE_WORKERS", "2"))
    cluster.fill(f"lot:{size}", size)
    group = cluster.new_group()
    settings = {"LOTRISK_AS_OF": AS_OF}
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(cluster.contender("tests.bench.lotrisk_worker", "real", group=group, settings=settings))
            for _ in range(workers)
        ]
        lot = _Lot(cluster, group)
        lot.await_book(-1)
        bench.console.print(f"{label}: {size:,} vehicles enriched, by {workers} workers")
        found = lot.publish(duty("25"))
        bench.figures.add(f"rerate.event_to_last_flag_seconds.{label}", "s", [found.last_flag_seconds])
        bench.figures.add(f"rerate.seconds.{label}_quiet", "s", [found.seconds])
        bench.figures.add(f"rerate.changed.{label}", "records", [found.changed])
        _tell(bench, label, "a tenth changes, nothing else goes on", found)
        for suffix, measure, what in (("", duty("30"), "a tenth changes"), ("_all", control(), "all change")):
            with _live(cluster, size) as live:
                published = time.time()
                found = lot.publish(measure)
                alone, p99 = live.p99_ms(published - LIVE_ONLY_SECONDS, published)
            bench.figures.add(f"rerate.live_only_p99_ms.{label}{suffix}", "ms", [alone])
            bench.figures.add(f"rerate.seconds.{label}{suffix}", "s", [found.seconds])
            bench.figures.add(f"rerate.live_p99_ms.{label}{suffix}", "ms", [p99])
            bench.figures.add(f"rerate.live_p99_ms{suffix}", "ms", [p99])
            _tell(
                bench, label, f"{what}, live records with a p99 of {p99:.0f} ms meanwhile, {alone:.0f} ms before", found
            )
        bench.figures.add(f"rerate.rss_mb.{label}", "MB", [max(peak_mb(process.pid) for process in processes)])


def _tell(bench: Bench, label: str, what: str, found: Event) -> None:
    bench.console.print(
        f"{label}: {what}: {found.seconds:.1f} s, the last flag after {found.last_flag_seconds:.1f} s, "
        f"{found.changed:,} published"
    )


class _Lot:
    """What the workers say of the lot they hold."""

    def __init__(self, cluster: Cluster, group: str) -> None:
        self._cluster = cluster
        self._settings = Settings(
            bootstrap_servers=cluster.bootstrap_servers, topic_prefix=cluster.prefix, group=group,
            partitions=cluster.partitions,
        )  # fmt: skip
        self._trade = load_trade()
        self._webs: list[str] = []

    def publish(self, measure: MeasureRecord) -> Event:
        """Publish a measure as one event and wait until everything held is right under its book."""
        changed = self._counted("lotrisk_rerated_total", result="changed")
        began, offset = asyncio.run(self._publish(measure))
        flags, last_flag, looked = self._cluster.ends("risk.flags"), began, began
        done: float | None = None
        while done is None or time.monotonic() - max(done, last_flag) < QUIET_SECONDS:
            if done is None and time.monotonic() - looked > max(LOOK_SECONDS, LOOK_SHARE * (looked - began)):
                looked = time.monotonic()
                done = looked if self._is_at(offset) else None
            if (grown := self._cluster.ends("risk.flags")) != flags:
                flags, last_flag = grown, time.monotonic()
            if time.monotonic() - began > DEADLINE_SECONDS:
                raise RuntimeError(f"not re-rated after {DEADLINE_SECONDS:.0f} s")
            if done is not None and time.monotonic() - done > 5 * QUIET_SECONDS:
                # Live records raise flags of their own, without end.
                break
            time.sleep(0.05)
        changed = self._counted("lotrisk_rerated_total", result="changed") - changed
        return Event(done - began, last_flag - began, int(changed))

    async def _publish(self, measure: MeasureRecord) -> tuple[float, int]:
        read = await read_log(self._settings, self._trade)
        began = time.monotonic()
        return began, await publish(self._settings, [encode(measure)], read.end)

    def await_book(self, offset: int) -> None:
        """Wait until the backlog is worked off and everything held is right under the book of a policy offset."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._webs or self._counted("lotrisk_lag_records") or not self._is_at(offset):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the lot was not enriched within {DEADLINE_SECONDS:.0f} s")
            beats = asyncio.run(read_workers(self._settings))
            now = datetime.now(UTC)
            alive = [
                beat for beat in beats
                if (now - datetime.fromisoformat(beat["at"])).total_seconds() < DEAD_AFTER_SECONDS
            ]  # fmt: skip
            held = sum(len(beat["partitions"]) for beat in alive)
            self._webs = [beat["web"] for beat in alive] if held == LANES * self._cluster.partitions else []
            time.sleep(0.5)

    def _is_at(self, offset: int) -> bool:
        """Whether every lane's records are right under the book of that policy offset."""
        reached = [
            int(sample.labels["book"].split(".")[2])
            for sample in self._samples("lotrisk_rerate_book_info")
        ]  # fmt: skip
        return len(reached) == LANES * self._cluster.partitions and min(reached) >= offset

    def _counted(self, name: str, **labels: str) -> float:
        return sum(sample.value for sample in self._samples(name) if labels.items() <= sample.labels.items())

    def _samples(self, name: str) -> Iterator[Sample]:
        for web in self._webs:
            try:
                with urlopen(f"http://{web}/metrics", timeout=5) as answer:
                    text = answer.read().decode()
            except URLError as error:
                raise RuntimeError(f"the worker at {web} does not answer: {error}") from error
            wanted = "\n".join(line for line in text.splitlines() if line.startswith(name)) + "\n"
            for family in text_string_to_metric_families(wanted):
                yield from (sample for sample in family.samples if sample.name == name)


class _Live:
    """Live records on their way, and their reader."""

    def __init__(self, reader: subprocess.Popen[str]) -> None:
        self._reader = reader

    def p99_ms(self, *since: float) -> list[float]:
        """99th percentiles of the time from due to read, of the records due from each Unix time to the next."""
        assert self._reader.stdin is not None
        assert self._reader.stdout is not None
        self._reader.stdin.write(" ".join(map(str, (*since, time.time()))) + "\n")
        self._reader.stdin.flush()
        return [quantile(sorted(latencies), 0.99) for latencies in json.loads(self._reader.stdout.readline())]


@contextlib.contextmanager
def _live(cluster: Cluster, size: int) -> Iterator[_Live]:
    rate = os.environ.get("BENCH_RERATE_LIVE", "1000")
    environment = cluster.environment()

    def load(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [RIVALS_PYTHON, "-m", "tests.bench.load", *arguments], env=environment, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    with contextlib.ExitStack() as stack:
        reader = load("follow", "live-")
        stack.callback(reader.wait)
        stack.callback(reader.kill)
        assert reader.stdout is not None
        if reader.stdout.readline() != "reading\n":
            raise RuntimeError("the reader failed")
        sender = load(
            "send",
            f"live:{size}:{time.monotonic_ns() % 1_000_000}",
            rate,
            str(DEADLINE_SECONDS),
            str(time.time() + START_SECONDS),
            str(LINGER_MS),
        )
        stack.callback(sender.wait)
        stack.callback(sender.kill)
        time.sleep(LIVE_BEFORE_SECONDS)
        if sender.poll() is not None:
            raise RuntimeError("the load generator failed")
        yield _Live(reader)
