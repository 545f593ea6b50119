"""lotrisk as a contender: `real` is what `lotrisk worker` runs, `light` its transport with the light function.

`light forget` keeps no state, as no rival does.
"""

from __future__ import annotations

import sys
from typing import ClassVar

import faust

from schemas.cloudevents import EventType
from streams.app import LotriskApp, batch_topic
from streams.cli.worker import run
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched, Outcome, Removed
from streams.settings import Settings
from streams.topics import VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED
from streams.transport.batch import RecordBatch
from streams.transport.pipeline import Pipeline
from tests.bench.light import light


def _enrich(key: bytes | None, value: bytes | None, context: Context) -> Outcome:
    assert key is not None
    if value is None:
        return Removed(key)
    return Enriched(key, light(value)[:-1], context.book_text, canonical_end=len(value) - 1)


class LightAgent:
    """A module of `streams.agents` in all but its place."""

    PIPELINE: ClassVar[Pipeline] = Pipeline(
        VEHICLES, VEHICLES_ENRICHED, VEHICLES_DLQ, EventType.VEHICLE_ENRICHED, EventType.VEHICLE_REMOVED, _enrich
    )

    @staticmethod
    def register(app: LotriskApp) -> None:
        """Add the agent to `app`."""

        @app.agent(batch_topic(app, LightAgent.PIPELINE), name="vehicles", concurrency=1)  # type: ignore[untyped-decorator]  # Faust ships no types
        async def vehicles(batches: faust.StreamT[RecordBatch]) -> None:
            async for batch in batches:
                app.lanes.submit(batch)


if __name__ == "__main__":
    what, *more = sys.argv[1:]
    if what == "real":
        sys.exit(run(Settings()))
    sys.exit(run(Settings(), [LightAgent()], remember=more != ["forget"]))
