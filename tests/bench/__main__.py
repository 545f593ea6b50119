"""`python -m tests.bench`: the whole bench, or with `--only` a part of it; `make bench` runs this."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from streams.broker.embedded import EmbeddedKafka
from tests.bench import growth, peers, stages, trace
from tests.bench.cluster import RIVALS_PYTHON, ROOT
from tests.bench.figures import FIGURES, Figures
from tests.bench.latency import run as run_latency
from tests.bench.page import PAGE, write_page
from tests.bench.rivals import SETTINGS

PARTS = ("throughput", "real", "stages", "latency", "trace", "growth")


def machine() -> dict[str, object]:
    """The machine and the versions the figures belong to."""
    cpu = next(
        (
            row.partition(":")[2].strip()
            for row in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in row
        ),
        platform.machine(),
    )
    memory = next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line)
    rival = subprocess.run(
        [
            RIVALS_PYTHON, "-c",
            "from importlib.metadata import version as v; print(v('confluent-kafka'), v('quixstreams'))",
        ],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gb": round(int(memory) / 1024 / 1024),
        "python": platform.python_version(),
        "kafka": "4.4.0",
        "versions": {
            **{name: version(name) for name in ("lotrisk", "aiokafka", "faust-streaming", "uvloop", "orjson")},
            "confluent-kafka": rival[0],
            "quixstreams": rival[1],
        },
    }


def main() -> None:
    """Run what is asked for, and write `build/bench.json` after every figure."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="run this part and keep the other figures")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the throughput parts (default 5)")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(ROOT)} from the last run")
    asked = parser.parse_args()
    figures = Figures()
    if asked.page:
        write_page(figures)
        return
    console = Console()
    parts = (asked.only,) if asked.only else PARTS
    began = time.monotonic()
    loads = [os.getloadavg()[0]]
    figures.about.update(machine())
    for name, settings in SETTINGS.items():
        console.print(f"[bold]{name}[/]: {settings}", soft_wrap=True)
    with EmbeddedKafka() as kafka:
        servers = kafka.bootstrap_servers
        jobs: dict[str, Callable[[], None]] = {
            "throughput": lambda: peers.run(figures, servers, asked.rounds, console),
            "real": lambda: peers.run_real(figures, servers, max(1, asked.rounds - 2), console),
            "stages": lambda: stages.run(figures, asked.rounds),
            "latency": lambda: run_latency(figures, servers, console),
            "trace": lambda: trace.run(figures, servers),
            "growth": lambda: growth.run(figures, servers),
        }
        for part in parts:
            console.rule(part)
            jobs[part]()
            loads.append(os.getloadavg()[0])
            when = {"when": datetime.now(UTC).date().isoformat(), "load": [round(load, 1) for load in loads[-2:]]}
            measured = figures.about.setdefault("measured", {})
            assert isinstance(measured, dict)
            measured[part] = when
            figures.write()
    draw = subprocess.run(
        [RIVALS_PYTHON, "-m", "tests.bench.charts"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    console.print(draw.stdout or draw.stderr, end="", soft_wrap=True)
    for figure in figures.under(""):
        low, high = figure.spread
        console.print(
            f"{figure.name:45} {figure.value:12,.1f} {figure.unit:10} {low:,.1f} to {high:,.1f}", soft_wrap=True
        )
    console.print(f"{FIGURES.relative_to(ROOT)} written, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
