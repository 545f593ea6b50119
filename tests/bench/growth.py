"""Growth: throughput, memory and start time over partitions, record size, workers and backlog."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.bench.cluster import Cluster
from tests.bench.figures import Figures
from tests.bench.throughput import work_off

PARTITIONS = (4, 16, 64)
SIZES = {"0.3_kb": ("light", 200_000), "2_kb": ("light:2000", 60_000), "20_kb": ("light:20000", 8_000)}
WORKERS = (1, 2, 4)
BACKLOGS = {"10k": 10_000, "1m": 1_000_000}


@contextlib.contextmanager
def topics(bootstrap_servers: str, prefix: str, partitions: int) -> Iterator[Cluster]:
    """Topics of their own, gone afterwards, so that the disk doesn't fill."""
    cluster = Cluster(bootstrap_servers, prefix, partitions)
    cluster.create_topics()
    try:
        yield cluster
    finally:
        cluster.drop_topics()
        cluster.close()


def run(figures: Figures, bootstrap_servers: str, name: str = "lotrisk_exactly_once") -> None:
    """Add `growth.*` and `rss_mb.*`, `start_seconds.*`: the default guarantee, one round each."""
    for partitions in PARTITIONS:
        with topics(bootstrap_servers, f"p{partitions}.", partitions) as cluster:
            cluster.fill("light", 200_000)
            _add(figures, cluster, name, 200_000, f"partitions_{partitions}")
    with topics(bootstrap_servers, "w.", 16) as cluster:
        cluster.fill("light", 300_000)
        for workers in WORKERS:
            _add(figures, cluster, name, 300_000, f"workers_{workers}", workers=workers)
    for label, (payload, count) in SIZES.items():
        with topics(bootstrap_servers, f"s{label}.", 4) as cluster:
            cluster.fill(payload, count)
            _add(figures, cluster, name, count, f"size_{label}")
    for label, count in BACKLOGS.items():
        with topics(bootstrap_servers, f"b{label}.", 4) as cluster:
            cluster.fill("light", count)
            _add(figures, cluster, name, count, f"backlog_{label}")


def _add(figures: Figures, cluster: Cluster, name: str, count: int, label: str, *, workers: int = 1) -> None:
    found = work_off(cluster, name, count, workers=workers)
    figures.add(f"growth.{label}", "records/s", [found.rate])
    figures.add(f"rss_mb.{label}", "MB", [found.rss_mb])
    figures.add(f"start_seconds.{label}", "s", [found.start_seconds])
