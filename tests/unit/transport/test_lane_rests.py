"""After a transaction a lane lets the next batch grow for twice as long as that took; a full one is taken at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from streams.transport import lane as lane_module
from streams.transport.outbox import Landed
from tests.unit.transport.test_lane_of_groups import SOURCES, Scene, Sent

TRANSACTION_SECONDS = 0.2


class Transactions(Sent):
    """An outbox whose transactions take their time."""

    transactional_id = "t"

    async def publish(
        self, draft: Any, partition: int, *, last: str, offsets: Mapping[tuple[str, int], int]
    ) -> Landed | None:
        await asyncio.sleep(TRANSACTION_SECONDS)
        return await super().publish(draft, partition, last=last, offsets=offsets)


async def _one_transaction(full_at: int) -> Scene:
    scene = Scene(full_at=full_at)
    scene.lane.outbox = scene.sent = Transactions()  # type: ignore[assignment]  # what a lane uses
    scene.lane.start()
    scene.comes(*(scene.rated(source) for source in SOURCES))
    await scene.until(lambda: scene.lane.finished_offset == 2 and scene.lane.lease.idle)
    return scene


def test_what_comes_after_a_transaction_joins_the_batch_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "MOST_REST_SECONDS", 10)

    async def play() -> None:
        scene = await _one_transaction(1000)
        scene.comes(scene.rated(SOURCES[0]))
        await scene.turns(4)
        first = scene.batch
        assert first is not None, "taken at once"
        scene.comes(scene.rated(SOURCES[1]))
        assert scene.batch is first
        await scene.until(lambda: scene.lane.finished_offset == 4)
        assert len(first) == 2
        await scene.end()

    asyncio.run(play())


def test_a_batch_that_is_full_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "MOST_REST_SECONDS", 10)
    monkeypatch.setattr(f"{__name__}.TRANSACTION_SECONDS", 0.5)

    async def play() -> None:
        scene = await _one_transaction(2)
        began = asyncio.get_running_loop().time()
        scene.comes(scene.rated(SOURCES[0]))
        await scene.turns(2)
        assert scene.batch is not None
        scene.comes(scene.rated(SOURCES[1]))
        scene.lane.filled()
        await scene.until(lambda: scene.batch is None)
        assert asyncio.get_running_loop().time() - began < 0.4
        await scene.end()

    asyncio.run(play())


def test_no_rest_is_longer_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_module, "MOST_REST_SECONDS", 0.0)

    async def play() -> None:
        scene = await _one_transaction(1000)
        scene.comes(scene.rated(SOURCES[0]))
        await scene.turns(2)
        assert scene.batch is None
        await scene.end()

    asyncio.run(play())
