"""A worker process with the light function: `lotrisk worker` in all but its agent and its book.

`REHEARSAL_VARIANT` changes it: see `tests.rehearsal.variants`. SIGUSR1 makes it ask for a rebalance.
"""

from __future__ import annotations

import os
import sys
import types
from types import SimpleNamespace

import faust

from schemas.cloudevents import EventType
from tests.rehearsal.light import light

BOOK = "1.0.-1.2026-10-01"


def fix_the_book() -> None:
    """One book that never changes: rehearsals are about moving records, and start in half the time without data."""
    import streams.reference

    class Books:
        def __init__(self, *_: object, **__: object) -> None:
            self._context = SimpleNamespace(book=SimpleNamespace(number=BOOK))

        def context(self) -> SimpleNamespace:
            return self._context

        def on_change(self, _: object) -> None:
            """It never does."""

    class PolicyFollower:
        def __init__(self, *_: object) -> None: ...
        def on_read(self, _: object) -> None: ...
        def report(self) -> dict[str, object]:
            return {}

        async def start(self) -> None: ...
        async def stop(self) -> None: ...

    books, follower = types.ModuleType("streams.transport.books"), types.ModuleType("streams.transport.follower")
    books.Books = Books  # type: ignore[attr-defined]  # made here
    follower.PolicyFollower = PolicyFollower  # type: ignore[attr-defined]  # made here
    for module in (books, follower):
        sys.modules[module.__name__] = module
    streams.reference.load = lambda: None  # type: ignore[assignment,return-value]  # nobody reads it


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

        variants.listen_for_rebalance(app)

        @app.agent(batch_topic(app, self.PIPELINE), name="vehicles", concurrency=1)  # type: ignore[attr-defined]
        async def vehicles(batches: faust.StreamT) -> None:
            async for batch in batches:
                app.lanes.submit(batch)  # type: ignore[attr-defined]  # a LotriskApp


def main() -> int:
    """Run until stopped."""
    fix_the_book()
    from tests.rehearsal import variants

    variants.apply(os.environ.get("REHEARSAL_VARIANT", ""))
    from streams.cli.worker import run
    from streams.settings import Settings

    return run(Settings(), [LightAgent()])


if __name__ == "__main__":
    sys.exit(main())
