"""Growth: throughput, memory and start time over partitions, record size, workers and backlog."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kafka.errors import KafkaError

from tests.bench.cluster import Cluster
from tests.bench.parts import Bench
from tests.bench.throughput import work_off

PARTITIONS = (4, 16, 64)
SIZES = {"0.3_kb": ("light", 200_000), "2_kb": ("light:2000", 60_000), "20_kb": ("light:20000", 8_000)}
WORKERS = (1, 2, 4)
CONTENDER = "lotrisk_exactly_once"
BACKLOGS = {"10k": 10_000, "1m": 1_000_000}


@contextlib.contextmanager
def topics(bootstrap_servers: str, prefix: str, partitions: int) -> Iterator[Cluster]:
    """Topics of their own, gone afterwards, so that the disk doesn't fill."""
    cluster = Cluster(bootstrap_servers, prefix, partitions)
    cluster.create_topics()
    try:
        yield cluster
    finally:
        with contextlib.suppress(KafkaError):
            cluster.drop_topics()
        cluster.close()


def run(bench: Bench) -> None:
    """Add `growth.*` and `rss_mb.*`, `start_seconds.*`: the default guarantee, with state, one round each."""
    failed: list[str] = []
    for partitions in PARTITIONS:
        with topics(bench.servers, f"p{partitions}.", partitions) as cluster:
            cluster.fill("light", 200_000)
            _add(bench, failed, cluster, 200_000, f"partitions_{partitions}")
    with topics(bench.servers, "w.", 16) as cluster:
        cluster.fill("light", 200_000)
        for workers in WORKERS:
            _add(bench, failed, cluster, 200_000, f"workers_{workers}", workers=workers)
    for label, (payload, count) in SIZES.items():
        with topics(bench.servers, f"s{label}.", 4) as cluster:
            cluster.fill(payload, count)
            _add(bench, failed, cluster, count, f"size_{label}")
    for label, count in BACKLOGS.items():
        with topics(bench.servers, f"b{label}.", 4) as cluster:
            cluster.fill("light", count)
            _add(bench, failed, cluster, count, f"backlog_{label}")
    if failed:
        raise RuntimeError("; ".join(failed))


def _add(bench: Bench, failed: list[str], cluster: Cluster, count: int, label: str, *, workers: int = 1) -> None:
    """One case; one that fails is told of and noted in `failed`."""
    try:
        found = work_off(cluster, CONTENDER, count, workers=workers)
    except Exception as error:
        failed.append(f"{label}: {error!r}")
        bench.console.print(f"{label}: [red]{error!r}[/]")
        return
    bench.figures.add(f"growth.{label}", "records/s", [found.rate])
    bench.figures.add(f"rss_mb.{label}", "MB", [found.rss_mb])
    bench.figures.add(f"start_seconds.{label}", "s", [found.start_seconds])
    bench.console.print(f"{label}: {found.rate:,.0f} records/s, {found.rss_mb:.0f} MB, {found.start_seconds:.1f} s")
