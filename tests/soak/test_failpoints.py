"""A worker killed at every step of the transport: each step is reached, and none of them loses or doubles a record."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from streams.failpoints import POINTS
from streams.settings import ProcessingGuarantee
from tests.rehearsal.fleet import wait_until
from tests.rehearsal.ground import load
from tests.rehearsal.rehearsal import Rehearsal, play
from tests.rehearsal.victims import still_to_die
from tests.wire.conftest import Broker

pytestmark = pytest.mark.soak

AT_A_TIME = 4
ONLY_IN_TRANSACTIONS = "batch.offsets_sent"


def points_of(guarantee: ProcessingGuarantee) -> tuple[str, ...]:
    """The points that a worker under `guarantee` passes."""
    return tuple(
        point for point in POINTS if point != ONLY_IN_TRANSACTIONS or guarantee is ProcessingGuarantee.EXACTLY_ONCE
    )


def when(point: str) -> str:
    """The second revoke finds batches in work, the first one nothing; a first batch is as good as any."""
    return f"{point}=kill@2" if point.startswith("revoke.") else f"{point}=kill"


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
