"""Side by side: every contender on the same backlog, interleaved, round after round."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from tests.bench.cluster import Cluster
from tests.bench.figures import Figures
from tests.bench.growth import topics
from tests.bench.throughput import CONTENDERS, work_off

LIGHT_RECORDS = 300_000
REAL_RECORDS = 60_000
REAL_CONTENDERS = ("lotrisk", "lotrisk_exactly_once", "raw_batch_loop", "confluent")


def run(figures: Figures, bootstrap_servers: str, rounds: int, console: Console) -> None:
    """Add `throughput.*` and `cpu_us.*` of the light function over 4 partitions."""
    with topics(bootstrap_servers, "light.", 4) as cluster:
        cluster.fill("light", LIGHT_RECORDS)
        _rounds(figures, cluster, CONTENDERS, LIGHT_RECORDS, "light", "", rounds, console)


def run_real(figures: Figures, bootstrap_servers: str, rounds: int, console: Console) -> None:
    """Add `throughput.real.*` and `cpu_us.real.*`: vehicles of the generated lot, enriched in full."""
    with topics(bootstrap_servers, "real.", 4) as cluster:
        cluster.fill("lot", REAL_RECORDS)
        _rounds(figures, cluster, REAL_CONTENDERS, REAL_RECORDS, "real", "real.", rounds, console)


def _rounds(
    figures: Figures, cluster: Cluster, names: Sequence[str], count: int, job: str, label: str, rounds: int,
    console: Console,
) -> None:  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        # Another one begins each round, so that nobody always follows the same neighbour.
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            found = work_off(cluster, name, count, job=job)
            rates[name].append(found.rate)
            cpu[name].append(found.cpu_us)
            console.print(f"round {number + 1} {job} {name}: {found.rate:,.0f} records/s, {found.cpu_us:.1f} us CPU")
    for name in names:
        figures.add(f"throughput.{label}{name}", "records/s", rates[name])
        figures.add(f"cpu_us.{label}{name}", "us", cpu[name])
