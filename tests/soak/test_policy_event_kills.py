"""A worker killed at every step that a policy event leads to: of the book's change, re-rating and totals."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streams.failpoints import RERATE_POINTS, TOTALS_POINTS
from tests.rehearsal.fleet import wait_until
from tests.rehearsal.lot import ChangingLot, drawn
from tests.rehearsal.stage import Stage
from tests.rehearsal.victims import still_to_die
from tests.wire.conftest import Broker

AT_A_TIME = 5


@pytest.mark.soak
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
        for first in range(0, len(points), AT_A_TIME):
            now = points[first : first + AT_A_TIME]
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
