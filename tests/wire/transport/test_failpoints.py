"""A worker killed at every step of the transport: each step is reached, and none of them loses or doubles a record."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from streams.failpoints import POINTS, RERATE_POINTS, TOTALS_POINTS
from streams.settings import ProcessingGuarantee
from tests.rehearsal.fleet import Fleet, wait_until
from tests.rehearsal.ground import load
from tests.rehearsal.lot import ChangingLot, drawn
from tests.rehearsal.rehearsal import Rehearsal, play
from tests.rehearsal.stage import Stage
from tests.wire.conftest import Broker

AT_A_TIME = 3
MORE_AT_A_TIME = 5
"""Of those that nothing but a policy event leads to."""
ONLY_IN_TRANSACTIONS = "batch.offsets_sent"


def points_of(guarantee: ProcessingGuarantee) -> tuple[str, ...]:
    """The points that a worker under `guarantee` passes."""
    return tuple(
        point for point in POINTS if point != ONLY_IN_TRANSACTIONS or guarantee is ProcessingGuarantee.EXACTLY_ONCE
    )


def when(point: str) -> str:
    """The second revoke finds batches in work, the first one nothing; a first batch is as good as any."""
    return f"{point}=kill@2" if point.startswith("revoke.") else f"{point}=kill"


def still_to_die(fleet: Fleet, victims: dict[str, str]) -> set[str]:
    """The points of `victims` (points to orders) at which none has died; each has a worker that lives.

    One that lost its session on a busy machine ends itself before it comes to its point: another takes its place.
    """
    workers = {point: fleet.workers.get(f"victim-{point}") for point in victims}
    # First who is dead, then why: one that dies meanwhile is looked at the next time.
    dead = {point for point, worker in workers.items() if worker is None or not worker.alive}
    hits = fleet.failpoints_hit()
    left = {point for point in victims if not hits[point]}
    for point in left & dead:
        fleet.start(f"victim-{point}", restart=False, LOTRISK_FAILPOINTS=victims[point])
    return left


def test_kill_at_every_failpoint(broker: Broker, tmp_path: Path) -> None:
    def scene(rehearsal: Rehearsal) -> None:
        fleet = rehearsal.fleet
        points = points_of(rehearsal.guarantee)
        for first in range(0, len(points), AT_A_TIME):
            victims = {point: when(point) for point in points[first : first + AT_A_TIME]}
            asked = [time.monotonic()]

            def all_died(victims: dict[str, str] = victims, asked: list[float] = asked) -> bool:
                if time.monotonic() - asked[0] > 3:
                    # Somebody waits for a second revoke, and the arrivals and deaths of the others are over.
                    asked[0] = time.monotonic()
                    rehearsal.fleet.workers["a"].send(signal.SIGUSR1)
                    rehearsal.fleet.workers["b"].send(signal.SIGUSR1)
                return not still_to_die(fleet, victims)

            wait_until(all_died, 90, f"victims die at {sorted(victims)}", fleet.said)
        rehearsal.moves_on()

    for played in play(
        broker.bootstrap_servers,
        tmp_path,
        scene,
        record=load(poison_every=1000, tombstone_every=50),
        per_second=500,
        partitions=8,
        session_timeout_seconds=2,
        rebalance_timeout_seconds=9,
        drain_seconds=2,
    ):
        played.balances()
        print(f"{played.guarantee}: kills by point {played.failpoints}; {played.books}")
        assert played.failpoints == dict.fromkeys(points_of(played.guarantee), 1)


def test_kill_at_every_step_of_a_policy_event(broker: Broker, tmp_path: Path) -> None:
    """While the book changes, what is held is brought up to it, and totals are told: no flag event lost or doubled."""
    points = (*RERATE_POINTS, *TOTALS_POINTS)
    cars = drawn(400)
    with Stage(
        broker.bootstrap_servers,
        tmp_path,
        partitions=8,
        session_timeout_seconds=2,
        rebalance_timeout_seconds=9,
        drain_seconds=2,
    ) as stage:
        fleet = stage.fleet
        fleet.start("a")
        stage.ground.put(len(cars), ChangingLot(cars))
        for first in range(0, len(points), MORE_AT_A_TIME):
            now = points[first : first + MORE_AT_A_TIME]
            victims = {point: f"{point}=kill" for point in now}
            still_to_die(fleet, victims)
            stage.ground.wait_for_no_lag(60, fleet.said)
            published = [0.0]

            def all_died(victims: dict[str, str] = victims, published: list[float] = published) -> bool:
                if time.monotonic() - published[0] > 5:
                    published[0] = time.monotonic()
                    stage.desk.next()
                return not still_to_die(fleet, victims)

            wait_until(all_died, 90, f"victims die at {now}", fleet.said)
        stage.settle(60)
        accounts, hits = stage.accounts(), dict(fleet.failpoints_hit())
    print(f"kills by point {hits}; {stage.desk.events} policy events, {accounts}")
    accounts.balance()
    assert hits == dict.fromkeys(points, 1)
    assert accounts.rerated > 0
