"""The parts of the bench by name: what `make bench` runs, and what `make bench ONLY=name` runs alone.

A part is a function of a `Bench` that adds figures as soon as it has them. To register one, add it to `PARTS`; with
`always=False` only `ONLY=` runs it. `minutes` is what it takes on two cores that nobody else uses: the parts that are
always run must stay within 15 in all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from rich.console import Console

from tests.bench.figures import Figures


@dataclass(frozen=True, slots=True)
class Bench:
    """What a part gets: where its figures go, a broker of its own (if it asks for one), and how many rounds to do."""

    figures: Figures
    servers: str
    rounds: int
    console: Console


@dataclass(frozen=True, slots=True)
class Part:
    """`run`: module under `tests.bench` and function, imported when it is run: one that fails harms no other.

    Of a part that is not `always` run the page shows the figures whose names begin with `name` and a dot, or with one
    of `figures`. The broker of a `lasting` part runs with Java's optimising compiler, which pays within minutes only.
    """

    name: str
    run: str
    shows: str
    minutes: float
    always: bool = True
    broker: bool = True
    lasting: bool = False
    figures: tuple[str, ...] = ()

    def function(self) -> Callable[[Bench], None]:
        """The part itself."""
        module, _, name = self.run.partition(":")
        found: Callable[[Bench], None] = getattr(import_module(f"tests.bench.{module}"), name)
        return found


PARTS: tuple[Part, ...] = (
    Part("throughput", "peers:run", "the same light function beside its rivals", 5.0),
    Part("real", "peers:run_real", "vehicles enriched in full beside its rivals", 2.0),
    Part("stages", "stages:run", "what a record costs in the core", 0.5, broker=False),
    Part("lane", "lane:run", "what a vehicle costs in its lane, without Kafka", 0.3, broker=False),
    Part("latency", "latency:run", "end to end at fixed rates", 4.0),
    Part("trace", "trace:run", "where a batch's time goes", 0.7),
    Part("growth", "growth:run", "over partitions, record size, workers and backlog", 2.5),
    Part(
        "state", "state:run", "restore from nothing and from a checkpoint, memory with its state", 3.0,
        always=False, figures=("restore.", "rss_mb.state_"),
    ),
    Part(
        "rerate", "rerate:run", "a measure over lots of 10,000 to 1,000,000, under live records", 12.0,
        always=False, lasting=True,
    ),
)  # fmt: skip
