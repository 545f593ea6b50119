"""Work that has time, in turns with work that hasn't, on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Final

TURN_SECONDS: Final = 0.004
"""How long the loop is held at a time by work that has time."""


async def in_turns(steps: Iterator[None]) -> None:
    """Take all `steps`, a turn at a time, and leave the loop as long to others after each."""
    began = time.perf_counter()
    for _ in steps:
        taken = time.perf_counter() - began
        if taken > TURN_SECONDS:
            await asyncio.sleep(taken)
            began = time.perf_counter()
