"""A worker process with the real vehicle agent and no other.

`REHEARSAL_CLOCK` names a file that holds the time, RFC 3339: the worker's clock, for as long as it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any


class VehicleAgent:
    """`streams.agents.vehicles` with an ear for the rehearsal's signals."""

    def __init__(self) -> None:
        from streams.agents import vehicles

        self.PIPELINE = vehicles.PIPELINE
        self._register: Callable[[Any], None] = vehicles.register

    def register(self, app: Any) -> None:
        """Add the agent to `app`."""
        from tests.rehearsal import variants

        variants.listen(app)
        self._register(app)


class FileClock:
    """Tells the time that stands in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        """The present moment."""
        return datetime.fromisoformat(self._path.read_text("ascii").strip())


def main() -> int:
    """Run until stopped."""
    from tests.rehearsal import variants

    variants.apply(os.environ.get("REHEARSAL_VARIANT", ""))
    if path := os.environ.get("REHEARSAL_CLOCK"):
        from streams import clock

        clock.clock_for = lambda *_: FileClock(Path(path))
    from streams.cli.worker import run
    from streams.settings import Settings

    return run(Settings(), [VehicleAgent()])


if __name__ == "__main__":
    sys.exit(main())
