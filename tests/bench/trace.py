"""Where a batch's time goes at 2,000 records/s over 4 partitions, in both guarantees: `make bench ONLY=trace`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.bench.figures import Figures
from tests.bench.growth import topics
from tests.bench.latency import GUARANTEES, measure, quantile

RATE, SECONDS = 2_000, 6.0


def run(figures: Figures, bootstrap_servers: str) -> None:
    """Add `trace.p50_ms.STEP[.exactly_once]`, `trace.p99_ms.*` and the share of transactions refused at first."""
    for label, guarantee in GUARANTEES.items():
        with topics(bootstrap_servers, f"trace{label}.", 4) as cluster, tempfile.TemporaryDirectory() as directory:
            found = Path(directory) / "trace.json"
            settings = {"LOTRISK_PROCESSING_GUARANTEE": guarantee, "LOTRISK_BENCH_TRACE": str(found)}
            measure(cluster, settings, rate=RATE, seconds=SECONDS, module="tests.bench.traced_worker")
            steps: dict[str, list[float]] = json.loads(found.read_text(encoding="ascii"))
        refused = steps.pop("refused", None)
        if refused:
            figures.add(f"trace.refused_percent{label}", "%", [100 * sum(refused) / len(refused)])
        for step, seconds in steps.items():
            ordered = sorted(1000 * value for value in seconds)
            figures.add(f"trace.p50_ms.{step}{label}", "ms", [quantile(ordered, 0.5)])
            figures.add(f"trace.p99_ms.{step}{label}", "ms", [quantile(ordered, 0.99)])
