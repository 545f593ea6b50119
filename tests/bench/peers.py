"""Side by side: every contender on the same backlog, interleaved, round after round."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.cluster import Cluster
from tests.bench.growth import topics
from tests.bench.parts import Bench
from tests.bench.throughput import CONTENDERS, Run, work_off

LIGHT_RECORDS = 200_000
REAL_RECORDS = 50_000
REAL_CONTENDERS = ("lotrisk", "lotrisk_exactly_once", "raw_batch_loop", "confluent")
GIVEN_UP_AFTER = 2
"""Failures of one contender, after which its other rounds are left out."""


def run(bench: Bench) -> None:
    """Add `throughput.*` and `cpu_us.*` of the light function over 4 partitions."""
    with topics(bench.servers, "light.", 4) as cluster:
        cluster.fill("light", LIGHT_RECORDS)
        _rounds(bench, cluster, CONTENDERS, LIGHT_RECORDS, "light", "")


def run_real(bench: Bench) -> None:
    """Add `throughput.real.*` and `cpu_us.real.*`: vehicles of the generated lot, enriched in full."""
    with topics(bench.servers, "real.", 4) as cluster:
        # No key twice: what is unchanged is not published again. Its VIN patterns are known when the clock begins.
        cluster.fill(f"lots:{REAL_RECORDS // 10}", REAL_RECORDS)
        _rounds(bench, cluster, REAL_CONTENDERS, REAL_RECORDS, "real", "real.")


def _rounds(bench: Bench, cluster: Cluster, names: Sequence[str], count: int, job: str, label: str) -> None:
    """Figures stand after each round. A contender that fails is told of, and at last that it did fails the part."""
    runs: dict[str, list[Run]] = {name: [] for name in names}
    failures: dict[str, list[str]] = {name: [] for name in names}
    for number in range(bench.rounds):
        # Another one begins each round, so that nobody always follows the same neighbour.
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            if len(failures[name]) >= GIVEN_UP_AFTER:
                continue
            try:
                found = work_off(cluster, name, count, job=job)
            except Exception as error:
                failures[name].append(repr(error))
                bench.console.print(f"round {number + 1} {job} {name}: [red]{error!r}[/]")
                continue
            runs[name].append(found)
            bench.figures.add(f"throughput.{label}{name}", "records/s", [one.rate for one in runs[name]])
            bench.figures.add(f"cpu_us.{label}{name}", "us", [one.cpu_us for one in runs[name]])
            bench.console.print(
                f"round {number + 1} {job} {name}: {found.rate:,.0f} records/s, {found.cpu_us:.1f} us CPU"
            )
    failed = {name: told for name, told in failures.items() if told}
    if failed:
        raise RuntimeError(f"rounds failed: {failed}")
