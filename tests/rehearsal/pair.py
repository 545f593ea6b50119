"""Two workers under a steady load, for rehearsals of what happens to one of them, or to both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rehearsal.fleet import Fleet
from tests.rehearsal.ground import Ground, SteadyLoad, load

MIXED = load(poison_every=500, tombstone_every=50)
SHORT = {
    "session_timeout_seconds": 3, "rebalance_timeout_seconds": 12, "drain_seconds": 2, "transaction_timeout_seconds": 5,
}  # fmt: skip


@contextmanager
def two_workers(ground: Ground, directory: Path, **more: object) -> Iterator[Fleet]:
    """Workers a and b under a steady load, both at work; afterwards everything is worked off."""
    with Fleet(ground.environment(), directory, **more) as fleet:  # type: ignore[arg-type]  # Fleet's own
        for name in "ab":
            fleet.start(name)
        with SteadyLoad(ground, MIXED, 400):
            fleet.wait_until_ready(60)
            ground.wait_for_progress(60, fleet.said)
            yield fleet
            ground.wait_for_progress(60, fleet.said)
        ground.wait_for_no_lag(60, fleet.said)
