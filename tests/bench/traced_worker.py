"""lotrisk with the light function and a stop-watch on every step of a batch; writes all times when it is stopped.

Steps of one batch in order: `fetch` (a request to the broker that brought records, the wait for them included),
`queue` (fetched until the lane takes it), `enrich`, and in `publish` the requests of its transaction. A request that
was refused and repeated counts each time; `refused` has 1 for each AddPartitions request that was, else 0.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiokafka.consumer.fetcher import Fetcher
from aiokafka.producer import sender
from faust.types import TP

from streams.cli.worker import run
from streams.settings import Settings
from streams.transport import driver, outbox, rater
from streams.transport.batch import RecordBatch
from tests.bench.lotrisk_worker import LightAgent

SECONDS: defaultdict[str, list[float]] = defaultdict(list)
STEPS = (
    (Fetcher, "_proc_fetch_request", "fetch"),
    (rater.Rater, "rate", "enrich"),
    (outbox.Outbox, "publish", "publish"),
    (sender.AddPartitionsToTxnHandler, "do", "add_partitions"),
    (sender.SendProduceReqHandler, "do", "produce"),
    (sender.AddOffsetsToTxnHandler, "do", "add_offsets"),
    (sender.TxnOffsetCommitHandler, "do", "commit_offsets"),
    (sender.EndTxnHandler, "do", "end_transaction"),
)


def _watch(owner: Any, name: str, step: str) -> None:
    inner: Callable[..., Awaitable[object]] = getattr(owner, name)

    async def watched(*arguments: object, **named: object) -> object:
        started = time.perf_counter()
        brought: object = True
        try:
            brought = await inner(*arguments, **named)
            return brought
        finally:
            # One that waited for nothing holds up no record: before the load, or for a policy event.
            if step != "fetch" or brought:
                SECONDS[step].append(time.perf_counter() - started)

    setattr(owner, name, watched)


def _watch_queue() -> None:
    made: dict[int, float] = {}
    make, seal = RecordBatch.__init__, driver.Consumer.seal

    def timed_make(self: RecordBatch, tp: TP, generation: int) -> None:
        made[id(self)] = time.perf_counter()
        make(self, tp, generation)

    def timed_seal(self: driver.Consumer, batch: RecordBatch) -> None:
        SECONDS["queue"].append(time.perf_counter() - made.pop(id(batch)))
        seal(self, batch)

    RecordBatch.__init__ = timed_make  # type: ignore[method-assign]  # a stop-watch
    driver.Consumer.seal = timed_seal  # type: ignore[method-assign]  # a stop-watch


def _watch_refusals() -> None:
    inner = sender.AddPartitionsToTxnHandler.handle_response

    def counted(self: Any, response: object) -> object:
        pause = inner(self, response)
        SECONDS["refused"].append(float(pause is not None))
        return pause

    sender.AddPartitionsToTxnHandler.handle_response = counted


if __name__ == "__main__":
    for place in STEPS:
        _watch(*place)
    _watch_queue()
    _watch_refusals()
    status = run(Settings(), [LightAgent()])
    Path(os.environ["LOTRISK_BENCH_TRACE"]).write_text(json.dumps(SECONDS), encoding="ascii")
    sys.exit(status)
