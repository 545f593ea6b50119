"""A lane of groups waits until all that adds to them is right under the book in force, and not for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry

from streams import reference
from streams.agents.groups import PIPELINE
from streams.enrich.context import Context
from streams.enrich.group_totals import rated_key
from streams.instruments import Metrics
from streams.policy.book import BookNumber
from streams.transport import settling as settling_module
from streams.transport.batch import RecordBatch
from streams.transport.dlq_limit import DlqLimit
from streams.transport.joining import Joined
from streams.transport.lane import Lane
from streams.transport.lease import Lease
from streams.transport.outbox import Landed
from streams.transport.pace import Pace
from streams.transport.rater import LanePlace
from streams.transport.rerating import RerateSlot
from streams.transport.settling import Settling
from tests.unit.transport.test_rater import Drafted, Remembered, book, told

REFERENCE = reference.load()
SOURCES = ("dms.vehicles/0", "dms.parts/0")
LIMIT = 0.4


class Sent:
    """An outbox that keeps what is published."""

    transactional_id: str | None = None

    def __init__(self) -> None:
        self.drafts: list[Any] = []

    def draft(self, step: str = "batch") -> Any:
        found = Drafted()
        found.step, found.records = step, 0  # type: ignore[attr-defined]  # what a lane asks of a draft
        return found

    async def publish(
        self, draft: Any, partition: int, *, last: str, offsets: Mapping[tuple[str, int], int]
    ) -> Landed | None:
        self.drafts.append(draft)
        return Landed(0, len(draft.out))

    def groups(self) -> dict[str, dict[str, Any]]:
        """What stands under each group."""
        return {
            key.decode(): orjson.loads(value or b"{}")
            for draft in self.drafts
            for topic, key, value, _ in draft.out
            if topic == "t.groups.enriched"
        }

    def flags(self) -> list[str]:
        """What was said of flags, in order."""
        return [
            f"{key.decode()} {orjson.loads(value or b'{}')['change']}"
            for draft in self.drafts
            for topic, key, value, _ in draft.out
            if topic == "t.risk.flags"
        ]


class Scene:
    """A lane with a batch that waits and is joined, as the driver does it."""

    def __init__(self, *, full_at: int = 1000) -> None:
        self.context = Context(REFERENCE, book())
        self.sent = Sent()
        self._offset = 0
        self.batch: RecordBatch | None = None
        self.failed: list[BaseException] = []
        self.lane = Lane(
            LanePlace("t.", "id", 0, 1, PIPELINE),
            lease=Lease(1),
            turns=asyncio.Semaphore(2),
            slot=RerateSlot(),
            pace=Pace(),
            outbox=self.sent,  # type: ignore[arg-type]  # what a lane uses
            state=Remembered(),
            context=lambda: self.context,
            since=None,
            limit=DlqLimit(100, 50.0),
            metrics=Metrics(CollectorRegistry()).lane("t.lotrisk.totals", 0),
            seal=self._seal,
            pause=lambda _: None,
            fatal=self.failed.append,
            is_full=lambda batch: len(batch) >= full_at,
            settling=Settling(SOURCES),
        )

    def _seal(self, batch: RecordBatch) -> None:
        batch.sealed, self.batch = True, None

    def comes(self, *records: tuple[bytes, bytes]) -> None:
        fresh = self.batch is None
        if self.batch is None:
            self.batch = RecordBatch(TP("t.lotrisk.totals", 0), 1)
        self.batch.join(
            [Joined(key, value, (), self._offset + number, 1) for number, (key, value) in enumerate(records)]
        )
        self._offset += len(records)
        if fresh:
            self.lane.offer(self.batch)

    def rated(self, source: str, number: BookNumber | None = None) -> tuple[bytes, bytes]:
        topic, _, partition = source.partition("/")
        named = str(number or self.context.book.number)
        return rated_key(topic, int(partition)), orjson.dumps({"topic_id": "id", "position": 1, "book": named})

    async def until(self, true: Any, seconds: float = 10) -> None:
        ends = asyncio.get_running_loop().time() + seconds
        while not true():
            assert not self.failed, self.failed
            assert asyncio.get_running_loop().time() < ends, self.sent.drafts
            await asyncio.sleep(0.005)

    async def turns(self, many: int = 20) -> None:
        """Let the lane look, often enough for it to begin if it would."""
        for _ in range(many):
            await asyncio.sleep(0.005)

    async def end(self) -> None:
        await self.lane.lease.drain(1)
        await self.lane.end()
        assert not self.failed, self.failed


COSTS = {"change_cents": [0, 600_000, 900_000]}
GROUP = "origin:part/CN"


def test_groups_are_judged_when_the_last_partition_has_come_once_and_by_all_sums() -> None:
    async def play() -> None:
        scene = Scene()
        scene.lane.start()
        scene.comes(told(GROUP, SOURCES[1], **COSTS), scene.rated(SOURCES[1]))
        await scene.turns()
        assert scene.sent.drafts == []
        scene.comes(told(GROUP, SOURCES[1], change_cents=[0, 0, 0], position=9))
        await scene.turns()
        scene.comes(scene.rated(SOURCES[0]))
        await scene.until(lambda: GROUP in scene.sent.groups())
        assert scene.sent.flags() == [], "by the last sums: nothing to say"

        # A new book: what comes of it waits for everybody again.
        scene.context = Context(REFERENCE, book(3))
        scene.lane.book_changed()
        scene.comes(told(GROUP, SOURCES[1], position=10, **COSTS), scene.rated(SOURCES[1]))
        await scene.turns()
        assert scene.sent.flags() == []
        scene.comes(scene.rated(SOURCES[0]))
        await scene.until(lambda: scene.sent.flags() == [f"{GROUP}:source_cost_up raised"])
        assert "behind" not in scene.sent.groups()[GROUP]

        # Between events nobody waits.
        scene.comes(told(GROUP, SOURCES[1], change_cents=[0, 0, 0], position=11))
        await scene.until(lambda: scene.sent.flags()[1:] == [f"{GROUP}:source_cost_up cleared"])
        await scene.end()

    asyncio.run(play())


def test_who_never_comes_is_waited_for_so_long_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settling_module, "PATIENCE_SECONDS", LIMIT)

    async def play() -> None:
        scene = Scene()
        scene.lane.start()
        begun = asyncio.get_running_loop().time()
        scene.comes(told(GROUP, SOURCES[1], **COSTS), told("model:A/B", SOURCES[0]), scene.rated(SOURCES[1]))
        await scene.until(lambda: GROUP in scene.sent.groups())
        assert asyncio.get_running_loop().time() - begun >= LIMIT
        assert scene.sent.groups()["model:A/B"]["behind"] == [SOURCES[0]]
        assert "behind" not in scene.sent.groups()[GROUP], "all of it has come"
        scene.comes(scene.rated(SOURCES[0]))
        await scene.until(lambda: "behind" not in scene.sent.groups()["model:A/B"])
        await scene.end()

    with caplog.at_level(logging.WARNING, "streams.transport.lane"):
        asyncio.run(play())
    [said] = [record.getMessage() for record in caplog.records]
    assert f"records of {SOURCES[0]} are not right under the book yet" in said


def test_a_batch_that_nothing_joins_any_more_is_taken() -> None:
    async def play() -> None:
        scene = Scene(full_at=2)
        scene.lane.start()
        scene.comes(told(GROUP, SOURCES[1], **COSTS), told("model:A/B", SOURCES[0]))
        await scene.until(lambda: len(scene.sent.groups()) == 2)
        await scene.end()

    asyncio.run(play())


def test_a_partition_that_is_taken_away_waits_for_nobody() -> None:
    async def play() -> None:
        scene = Scene()
        scene.lane.start()
        scene.comes(told(GROUP, SOURCES[1], **COSTS))
        await scene.turns()
        assert await scene.lane.lease.drain(0.5), "nothing was begun"
        await scene.end()
        assert scene.sent.drafts == []

    asyncio.run(play())
