"""A worker process with the light function: `lotrisk worker` in all but its agent.

`REHEARSAL_VARIANT` changes it: see `tests.rehearsal.variants`. SIGUSR1 makes it ask for a rebalance.
"""

from __future__ import annotations

import os
import sys

import faust

from schemas.cloudevents import EventType
from tests.rehearsal.light import light


class LightAgent:
    """A module of `streams.agents` in all but its place."""

    def __init__(self) -> None:
        from streams.topics import VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED
        from streams.transport.pipeline import Pipeline

        self.PIPELINE = Pipeline(
            VEHICLES, VEHICLES_ENRICHED, VEHICLES_DLQ, EventType.VEHICLE_ENRICHED, EventType.VEHICLE_REMOVED, light
        )

    def register(self, app: object) -> None:
        """Add the agent to `app`."""
        from streams.app import batch_topic
        from tests.rehearsal import variants

        variants.listen(app)

        @app.agent(batch_topic(app, self.PIPELINE), name="vehicles", concurrency=1)  # type: ignore[attr-defined]
        async def vehicles(batches: faust.StreamT) -> None:
            async for batch in batches:
                app.lanes.submit(batch)  # type: ignore[attr-defined]  # a LotriskApp


def main() -> int:
    """Run until stopped."""
    from tests.rehearsal import variants

    variant = os.environ.get("REHEARSAL_VARIANT", "")
    variants.apply(variant)
    from streams.cli.worker import run
    from streams.settings import Settings

    # What fencing alone protects must not be mended by what a worker remembers.
    return run(Settings(), [LightAgent()], remember="without_drain" not in variant)


if __name__ == "__main__":
    sys.exit(main())
