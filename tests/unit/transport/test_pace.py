"""Work that has time leaves the loop to others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from streams.transport.pace import TURN_SECONDS, in_turns


def test_steps_leave_the_loop_to_others_as_long_as_they_hold_it() -> None:
    turns = list[str]()

    def steps() -> Iterator[None]:
        for _ in range(3):
            ends = time.perf_counter() + 1.5 * TURN_SECONDS
            while time.perf_counter() < ends:
                pass
            turns.append("step")
            yield

    async def other() -> None:
        while turns.count("step") < 3:
            turns.append("other")
            await asyncio.sleep(TURN_SECONDS / 4)

    async def both() -> None:
        await asyncio.gather(in_turns(steps()), other())

    asyncio.run(both())
    assert turns.count("step") == 3
    assert "".join(turn[0] for turn in turns).count("ss") == 0, turns


def test_short_steps_are_taken_together() -> None:
    async def all_at_once() -> int:
        loop = asyncio.get_running_loop()
        others = 0

        def count() -> None:
            nonlocal others
            others += 1

        loop.call_soon(count)
        await in_turns(iter([None] * 5))
        return others

    assert asyncio.run(all_at_once()) == 0
