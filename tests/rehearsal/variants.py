"""Workers that are broken on purpose, or made to rebalance at will. Only rehearsals import this.

shuffle        partitions change hands at every rebalance, and SIGUSR1 asks for one
without_drain  nothing waits for the batch in work when partitions are revoked: only fencing protects
late_init      the classic bug: a lane's producer starts late, at its first batch, after the committed offset was read
next, back     the release of that name (`tests.rehearsal.releases`), with the real vehicle agent
ahead          the worker's clock is two hours ahead
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from streams import failpoints

AHEAD_SECONDS = 7200
LATE_SECONDS = 0.8
"""Longer than a slow transaction: one that was open when the offset was read is through before it would be fenced."""


def apply(names: str) -> None:
    """Change the transport as the comma separated `names` say."""
    for name in filter(None, names.split(",")):
        {
            "shuffle": _shuffle,
            "without_drain": _without_drain,
            "late_init": _late_init,
            "next": lambda: _release("next"),
            "back": lambda: _release("back"),
            "ahead": _ahead,
        }[name]()


def listen(app: Any) -> None:
    """SIGUSR1 asks for a rebalance, as a member that joins would; SIGUSR2 arms what the file REHEARSAL_ORDERS says."""

    def ask() -> None:
        thread = app.consumer._thread
        thread.thread_loop.call_soon_threadsafe(thread._consumer._coordinator.request_rejoin)

    def arm() -> None:
        failpoints.arm(Path(os.environ["REHEARSAL_ORDERS"]).read_text("ascii"))

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, ask)
    loop.add_signal_handler(signal.SIGUSR2, arm)


def _shuffle() -> None:
    from aiokafka.coordinator.assignors.sticky import sticky_assignor
    from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

    turn = 0

    def assign(cls: Any, cluster: Any, members: Any) -> Any:
        nonlocal turn
        turn += 1
        print(f"shuffled {turn}", file=sys.stderr, flush=True)
        names = sorted(members)
        given: dict[str, dict[str, list[int]]] = {name: {} for name in names}
        topics = {topic for metadata in members.values() for topic in metadata.subscription}
        for topic in sorted(topics):
            for number in sorted(cluster.partitions_for_topic(topic) or ()):
                given[names[(number + turn) % len(names)]].setdefault(topic, []).append(number)
        return {
            name: ConsumerProtocolMemberAssignment(cls.version, sorted(topics.items()), b"")
            for name, topics in given.items()
        }

    sticky_assignor.StickyPartitionAssignor.assign = classmethod(assign)


def _without_drain() -> None:
    from streams.transport.lane import Lane
    from streams.transport.lanes import Lanes
    from streams.transport.lease import Lease, LeaseState

    async def close_at_once(self: Any, seconds: float) -> bool:
        self.state = LeaseState.CLOSED
        return True

    async def end_later(self: Any) -> None:
        """The batch in work goes on behind everybody's back; its producer is stopped when it is through."""

    async def stop_when_idle(lane: Any) -> None:
        await lane.lease._idle.wait()
        lane._task.cancel()
        await lane.outbox.stop()

    async def end_all(self: Any) -> None:
        lanes, self._lanes = self._lanes, {}
        for tp, lane in lanes.items():
            self._metrics.release(tp.topic, tp.partition)
            lane.lease.state = LeaseState.CLOSED
            zombies.append(asyncio.ensure_future(stop_when_idle(lane)))

    zombies: list[asyncio.Future[None]] = []
    Lease.drain = close_at_once  # type: ignore[method-assign]  # broken on purpose
    Lane.end = end_later  # type: ignore[method-assign]  # broken on purpose
    Lanes._end_all = end_all  # type: ignore[method-assign]  # broken on purpose


def _release(name: str) -> None:
    from schemas import cloudevents
    from streams import reference
    from streams.agents import vehicles
    from tests.rehearsal.releases import release

    made = release(name)
    reference.load = lambda: made.reference
    setattr(cloudevents, "VERSION", made.schemas)  # noqa: B010 - the module does not offer it to be set
    owned = vehicles.PIPELINE.owned | {"rehearsed_release"}
    vehicles.PIPELINE = replace(vehicles.PIPELINE, enrich=made.enrich, owned=owned)


def _ahead() -> None:
    now = time.time
    time.time = lambda: now() + AHEAD_SECONDS


def _late_init() -> None:
    from streams.transport.lane import Lane
    from streams.transport.outbox import Outbox

    start, work = Outbox.start, Lane._work

    async def start_later(self: Any) -> None:
        """Not now."""

    async def start_at_first_batch(self: Any, *taken: Any) -> None:
        if not getattr(self, "started", False):
            self.started = True
            await asyncio.sleep(LATE_SECONDS)
            await start(self.outbox)
        await work(self, *taken)

    Outbox.start = start_later  # type: ignore[method-assign]  # broken on purpose
    Lane._work = start_at_first_batch  # type: ignore[method-assign]  # broken on purpose
