"""Work that has time leaves the loop to others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from streams.transport.pace import (
    ALONE_SECONDS,
    GOAL_SECONDS,
    LEAST_SECONDS,
    MOST_SECONDS,
    QUIET_SECONDS,
    TURN_SECONDS,
    Pace,
    in_turns,
)


def test_steps_leave_the_loop_to_others_after_each_turn() -> None:
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


def test_a_slice_beside_live_batches_shrinks_while_they_take_long_and_grows_again() -> None:
    pace = Pace()
    for _ in range(100):
        pace.took(2 * GOAL_SECONDS)
    assert pace.seconds == LEAST_SECONDS
    for _ in range(100):
        pace.took(GOAL_SECONDS / 2)
    assert pace.seconds == MOST_SECONDS


def test_a_slice_by_itself_is_long_only_where_nothing_live_goes_on() -> None:
    now = [100.0]
    pace = Pace(lambda: now[0])
    assert pace.alone_seconds == ALONE_SECONDS
    pace.took(GOAL_SECONDS)
    assert pace.alone_seconds == pace.seconds
    now[0] += QUIET_SECONDS
    assert pace.alone_seconds == ALONE_SECONDS
