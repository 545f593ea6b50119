"""`lotrisk worker` with a fault built in, named by RIGS: what no configuration can bring about.

losing: a bug in the enrichment that drops every 20th record without a word.
unverified: reference data that nobody has verified since 2020.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import date
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import streams.reference
from streams.agents import parts, vehicles
from streams.cli.worker import Agent, run
from streams.enrich.context import Context
from streams.enrich.outcome import Outcome
from streams.settings import Settings

RIGS = os.environ["RIGS"].split(",")


def agents() -> tuple[Agent, ...]:
    """Vehicles and parts, with the bug or without."""
    return tuple(_losing(agent) for agent in (vehicles, parts)) if "losing" in RIGS else (vehicles, parts)


def _losing(agent: Agent) -> Agent:
    seen = count(1)
    honest = agent.PIPELINE.enrich

    def enrich(key: bytes | None, value: bytes | None, context: Context) -> Outcome:
        return honest(key, value, context) if next(seen) % 20 else cast(Outcome, SimpleNamespace(key=b""))

    return cast(Agent, SimpleNamespace(PIPELINE=replace(agent.PIPELINE, enrich=enrich), register=agent.register))


def main() -> int:
    """Run the worker."""
    if "unverified" in RIGS:
        honest = streams.reference.load

        def load(*arguments: Any) -> streams.reference.Reference:
            reference = honest(*arguments)
            return replace(reference, trade=replace(reference.trade, verified=date(2020, 1, 1)))

        streams.reference.load = load
    return run(Settings(), agents())


if __name__ == "__main__":
    sys.exit(main())
