"""What a vehicle costs in its lane, step by step, without Kafka: a rater, its draft and its state in this process."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from faust.types import TP

from streams.agents.vehicles import PIPELINE
from streams.enrich.context import Context
from streams.enrich.outcome import Outcome
from streams.heap import set_aside
from streams.state.codec.checkpoint import Checkpoint
from streams.state.partition import Place, RocksState
from streams.state.rocks import Memory
from streams.transport.batch import RecordBatch
from streams.transport.dlq_limit import DlqLimit
from streams.transport.outbox import Draft
from streams.transport.rater import Findings, LanePlace, Rater
from tests.bench.parts import Bench
from tests.bench.payload import Payload
from tests.bench.stages import BATCH, lot_context

LOT, TIMES = 5_000, 5
"""Vehicles of the lot, and how often it comes, each time of other dealers; the first time brings the VIN patterns and
is not counted."""
TOPIC_ID = "452967de-70c6-41b1-9202-29a8e8583a91"


class _Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class _NothingToRestore:
    async def restore(self, states: Sequence[RocksState]) -> None:
        del states


class _Lane:
    """What a lane is made of, with a stop-watch on each step, in seconds of processor time of all threads."""

    def __init__(self, directory: Path) -> None:
        self._now_ms = int(time.time() * 1000)
        self._context = lot_context()
        self._state = RocksState(
            Place("dms.vehicles", "vehicles.enriched", 0, PIPELINE.owned), directory, Memory(), _NothingToRestore(),
            exactly_once=True, now_ms=lambda: self._now_ms,
        )  # fmt: skip
        self._state.open()
        self._state.checkpoint = Checkpoint("vehicles.enriched", TOPIC_ID, 0, self._now_ms)
        place = LanePlace("", TOPIC_ID, 0, 1, replace(PIPELINE, enrich=self._enrich))
        self._rater = Rater(place, self._state, DlqLimit(100, 50))
        self._at = 0
        self.seconds = dict.fromkeys(("enrich", "draft", "compress", "state"), 0.0)

    def _enrich(self, key: bytes | None, value: bytes | None, context: Context) -> Outcome:
        started = time.thread_time()
        outcome = PIPELINE.enrich(key, value, context)
        self.seconds["enrich"] += time.thread_time() - started
        return outcome

    async def work(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        batch = RecordBatch(TP("dms.vehicles", 0), 1)
        batch.join([_Record(self._at + number, self._now_ms, *row) for number, row in enumerate(rows)])
        self._at += len(rows)
        draft = Draft(transactional=True)
        times, enriched = [time.process_time()], self.seconds["enrich"]
        found = await self._rater.rate(batch, draft, self._context)
        assert isinstance(found, Findings)
        times.append(time.process_time())
        await draft.batches(last="vehicles.enriched")
        times.append(time.process_time())
        self._state.apply(found.published, self._at)
        times.append(time.process_time())
        for step, began, ended in zip(("draft", "compress", "state"), times, times[1:], strict=False):
            self.seconds[step] += ended - began
        self.seconds["draft"] -= self.seconds["enrich"] - enriched

    def close(self) -> None:
        self._state.close()


def run(bench: Bench) -> None:
    """Add `lane.us.vehicle` and its steps, microseconds of processor time a record of a batch of a thousand.

    `enrich`: the whole core, at its place in the lane; `draft`: what is held under the key, digest, headers, flags and
    their events, the record in its batch; `compress`; `state`: the write to RocksDB, totals included.
    """
    rows = list(islice(Payload(f"lots:{LOT}").records(), LOT * TIMES))
    found: dict[str, list[float]] = {}
    for _ in range(bench.rounds):
        with tempfile.TemporaryDirectory() as directory:
            steps = asyncio.run(_round(rows, Path(directory) / "state"))
        for name, value in (("", sum(steps.values())), *((f".{step}", value) for step, value in steps.items())):
            found.setdefault(f"lane.us.vehicle{name}", []).append(value)
    for name, values in found.items():
        bench.figures.add(name, "us", values)


async def _round(rows: Sequence[tuple[bytes, bytes]], directory: Path) -> dict[str, float]:
    lane = _Lane(directory)
    try:
        for start in range(0, len(rows), BATCH):
            if start == LOT:
                # As in a worker.
                set_aside()
                lane.seconds = dict.fromkeys(lane.seconds, 0.0)
            await lane.work(rows[start : start + BATCH])
    finally:
        lane.close()
    return {step: seconds / (len(rows) - LOT) * 1e6 for step, seconds in lane.seconds.items()}
