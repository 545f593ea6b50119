"""`python -m tests.bench`: the whole bench, or with `--only` a part of it; `make bench` runs this."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from streams.broker.embedded import EmbeddedKafka
from streams.broker.faststart import LASTING
from tests.bench.cluster import RIVALS_PYTHON, ROOT
from tests.bench.figures import FIGURES, Figures
from tests.bench.page import PAGE, write_page
from tests.bench.parts import PARTS, Bench, Part
from tests.bench.rivals import SETTINGS


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


def run_part(part: Part, figures: Figures, rounds: int, console: Console) -> bool:
    """Run one part on a broker of its own and note how it went; False where it failed. What it had stays."""
    console.rule(part.name)
    began, load = time.monotonic(), os.getloadavg()[0]
    failure = None
    try:
        with contextlib.ExitStack() as stack:
            kafka = EmbeddedKafka(jvm_flags=LASTING, fast_start=False) if part.lasting else EmbeddedKafka()
            servers = stack.enter_context(kafka).bootstrap_servers if part.broker else ""
            part.function()(Bench(figures, servers, rounds, console))
    except Exception as error:
        console.print_exception()
        failure = f"{type(error).__name__}: {error}".splitlines()[0]
    seconds = time.monotonic() - began
    console.print(f"{part.name}: {'failed after ' if failure else ''}{seconds:.0f} s")
    figures.measured(
        part.name,
        when=datetime.now(UTC).date().isoformat(),
        load=[round(load, 1), round(os.getloadavg()[0], 1)],
        seconds=round(seconds),
        failure=failure,
    )
    return failure is None


def main() -> int:
    """Run what is asked for; a part that fails is told of, and the others go on. 1 where one did."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only",
        choices=[part.name for part in PARTS],
        help="run this part and keep the other figures: " + "; ".join(f"{one.name}, {one.shows}" for one in PARTS),
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the throughput parts (default 5)")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(ROOT)} from the last run")
    asked = parser.parse_args()
    figures = Figures()
    if asked.page:
        write_page(figures)
        return 0
    console = Console()
    began = time.monotonic()
    figures.about.update(machine())
    for name, settings in SETTINGS.items():
        console.print(f"[bold]{name}[/]: {settings}", soft_wrap=True)
    parts = [part for part in PARTS if (part.name == asked.only if asked.only else part.always)]
    failed = [part.name for part in parts if not run_part(part, figures, asked.rounds, console)]
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
    if failed:
        console.print(f"[red]failed: {', '.join(failed)}[/]; figures of an earlier run, if any, are still there for it")
    return 1 if failed or draw.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
