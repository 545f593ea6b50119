"""Where a batch's time goes at 2,000 records/s over 4 partitions, in both guarantees: `make bench ONLY=trace`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.bench.growth import topics
from tests.bench.latency import GUARANTEES, measure, quantile
from tests.bench.parts import Bench

RATE, SECONDS = 2_000, 6.0


def run(bench: Bench) -> None:
    """Add `trace.mean_ms.STEP[.exactly_once]`, `trace.p99_ms.*` and refusals a hundred transactions.

    The means of a publication's requests are a batch, repeats included, so that they add up to `publish` but for what
    the sender's own task takes between them.
    """
    figures, bootstrap_servers = bench.figures, bench.servers
    for label, guarantee in GUARANTEES.items():
        with topics(bootstrap_servers, f"trace{label}.", 4) as cluster, tempfile.TemporaryDirectory() as directory:
            found = Path(directory) / "trace.json"
            settings = {"LOTRISK_PROCESSING_GUARANTEE": guarantee, "LOTRISK_BENCH_TRACE": str(found)}
            measure(cluster, settings, rate=RATE, seconds=SECONDS, module="tests.bench.traced_worker")
            steps: dict[str, list[float]] = json.loads(found.read_text(encoding="ascii"))
        refused = steps.pop("refused", None)
        batches = len(steps["publish"])
        if refused:
            figures.add(f"trace.refusals_per_100{label}", "refusals", [100 * sum(refused) / batches])
        for step, seconds in steps.items():
            ordered = sorted(1000 * value for value in seconds)
            each = len(ordered) if step in ("fetch", "queue") else batches
            figures.add(f"trace.mean_ms.{step}{label}", "ms", [sum(ordered) / each])
            figures.add(f"trace.p99_ms.{step}{label}", "ms", [quantile(ordered, 0.99)])
