"""Work that has time, in turns with work that hasn't, on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final

TURN_SECONDS: Final = 0.004
"""How long the loop is held at a time by work that has time. A transaction is five answers one after the other, and
each of them may have to wait for such a turn."""
GOAL_SECONDS: Final = 0.120
"""How long a live batch may take from a lane's beginning on it to its commit before re-rating beside it takes less. A
record waits for most of the batch before its own at the worst."""
LEAST_SECONDS, MOST_SECONDS = 0.008, 0.040
"""A slice of re-rating beside a live batch, in its transaction. With less, a lot would never be through on a machine
whose cores are busy with live batches alone: then each takes longer than the goal, whatever is done beside it."""
ALONE_SECONDS: Final = 0.200
"""A slice of re-rating where no live batch came for a while: a transaction of about two thousand records. A live batch
that comes ends it."""
QUIET_SECONDS: Final = 1.0


class Pace:
    """How much re-rating a process does at a time, by how long its live batches take."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self.seconds = 2 * LEAST_SECONDS
        """How long a slice beside a live batch may take."""
        self._clock = clock
        self._live: float | None = None

    def took(self, seconds: float) -> None:
        """A live batch took so long, with what was rated again beside it."""
        self._live = self._clock()
        if seconds > GOAL_SECONDS:
            self.seconds = max(LEAST_SECONDS, self.seconds * 0.8)
        else:
            self.seconds = min(MOST_SECONDS, self.seconds * 1.1)

    @property
    def alone_seconds(self) -> float:
        """How long a slice by itself may take."""
        is_live = self._live is not None and self._clock() - self._live < QUIET_SECONDS
        return self.seconds if is_live else ALONE_SECONDS


async def in_turns(steps: Iterator[None]) -> None:
    """Take all `steps`, a turn at a time, and leave the loop to others after each."""
    began = time.perf_counter()
    for _ in steps:
        taken = time.perf_counter() - began
        if taken > TURN_SECONDS:
            await asyncio.sleep(TURN_SECONDS)
            began = time.perf_counter()
