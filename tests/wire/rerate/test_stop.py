"""A worker is told to stop while it rates what it holds again, with records coming in besides. Real Kafka."""

from __future__ import annotations

import json
from pathlib import Path

from tests.rehearsal.fleet import WorkerProcess, wait_until
from tests.rehearsal.ground import SteadyLoad
from tests.rehearsal.lot import ChangingLot, drawn
from tests.rehearsal.stage import Stage
from tests.wire.conftest import Broker

SLOW = "rerate.rated=sleep:500"


def pending(worker: WorkerProcess) -> int:
    """Records that are still to be looked at."""
    found = json.loads(worker.get("/status")[1])["rerate"]["pending"]
    assert isinstance(found, int)
    return found


def test_sigterm_while_rerating_under_load_ends_it_within_ten_seconds(broker: Broker, tmp_path: Path) -> None:
    """The slice in work is committed or read again; the next worker goes on with the rest."""
    lot = ChangingLot(drawn(1_500))
    with Stage(broker.bootstrap_servers, tmp_path) as stage:
        worker = stage.fleet.start("a")
        stage.ground.put(1_500, lot)
        stage.ground.wait_for_no_lag(60, stage.fleet.said)
        stage.fleet.wait_until_ready(60)
        stage.fleet.arm("a", SLOW)
        with SteadyLoad(stage.ground, lambda number: lot(1_500 + number), 200):
            stage.desk.next()
            wait_until(lambda: pending(worker) > 0, 30, "it rates again", stage.fleet.said)
            status, seconds = stage.fleet.stop("a")
            stage.fleet.start("b")
            stage.fleet.wait_until_ready(60)
        print(f"ended after {seconds:.1f} s")
        assert (status, seconds < 10) == (0, True), f"{status} after {seconds:.1f} s\n{stage.fleet.said()}"
        stage.settle(60)
        accounts = stage.accounts()
    accounts.balance()
    assert accounts.rerated > 0
