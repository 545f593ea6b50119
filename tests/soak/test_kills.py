"""kill -9, half of the times at random and half at named steps, while records come and the policy changes."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.broker import EmbeddedKafka
from streams.failpoints import POINTS, RERATE_POINTS, TOTALS_POINTS
from tests.rehearsal.fleet import wait_until
from tests.rehearsal.ground import SteadyLoad
from tests.rehearsal.lot import ChangingLot, drawn
from tests.rehearsal.stage import Stage

pytestmark = pytest.mark.soak

NAMES = "ab"
VEHICLES = 1500
"""At this rate a vehicle comes again after a quarter of a minute: most are re-rated before."""
PER_SECOND = 100
POINTS_OF_A_REBALANCE = ("revoke.", "assigned", "lease.", "state.", "seek.")
DEATH_SECONDS = 60


@pytest.fixture
def kills() -> int:
    """LOTRISK_SOAK_KILLS: how many workers are killed."""
    return int(os.environ.get("LOTRISK_SOAK_KILLS", "200"))


def test_nothing_is_lost_or_doubled_under_kills(
    own_broker: Callable[..., EmbeddedKafka], tmp_path: Path, kills: int, seed: int
) -> None:
    chance = random.Random(seed)
    points = [*POINTS, *RERATE_POINTS, *TOTALS_POINTS]
    named = [point for _ in range(-(-kills // 2 // len(points))) for point in chance.sample(points, len(points))]
    plan = [*named[: kills // 2], *[None] * (kills - kills // 2)]
    chance.shuffle(plan)
    kafka = own_broker()
    with Stage(
        kafka.bootstrap_servers, tmp_path, variant="shuffle", session_timeout_seconds=2, rebalance_timeout_seconds=9,
        drain_seconds=2,
    ) as stage:  # fmt: skip
        for name in NAMES:
            stage.fleet.start(name)
        with SteadyLoad(stage.ground, ChangingLot(drawn(VEHICLES)), PER_SECOND) as load:
            stage.fleet.wait_until_ready(60)
            stage.ground.wait_for_progress(60, stage.fleet.said)
            for number, point in enumerate(plan, 1):
                began = time.monotonic()
                kill(stage, load, chance, point)
                stage.fleet.wait_until_ready(60)
                stage.ground.wait_for_progress(60, stage.fleet.said)
                print(f"kill {number} of {kills}, {point or 'at random'}: {time.monotonic() - began:.1f} s", flush=True)
        stage.settle(120)
        accounts, counted, exits = stage.accounts(), stage.fleet.failpoints_hit(), stage.fleet.exit_codes()
    print(f"kills by point: {', '.join(f'{point} {counted[point]}' for point in points)}")
    print(f"seed {seed}, {kills} kills, {stage.desk.events} policy events, exits {dict(exits)}: {accounts}", flush=True)
    accounts.balance()
    assert counted.total() == kills // 2
    assert exits[-9] == kills
    assert accounts.rerated > 0
    if kills // 2 >= len(points):
        assert min(counted[point] for point in points) > 0, counted


def kill(stage: Stage, load: SteadyLoad, chance: random.Random, point: str | None) -> None:
    """Kill one worker, at a step or whenever it happens, with a policy event under way."""
    name = chance.choice(NAMES)
    if point is None:
        victim = stage.fleet.workers[name]
        stage.desk.next()
        # It is to die before, while and after the lot is rated again.
        victim_dies_at = time.monotonic() + chance.random() * 1.5
        wait_until(lambda: time.monotonic() > victim_dies_at, 2, "its time has come")
        stage.fleet.kill(name)
        wait_until(lambda: stage.fleet.workers[name] is not victim, 10, f"{name} is started again", stage.fleet.said)
        return
    before = stage.fleet.failpoints_hit()[point]
    while stage.fleet.failpoints_hit()[point] == before:
        # More than once where it ended itself meanwhile, fenced by the other one.
        stage.fleet.wait_until_ready(60)
        kill_at(stage, load, name, point)


def kill_at(stage: Stage, load: SteadyLoad, name: str, point: str) -> None:
    """Arm a worker, let happen what leads to the point, and wait until it has died and was started again."""
    victim = stage.fleet.workers[name]
    stage.fleet.arm(name, f"{point}=kill")
    asked: list[float] = []

    def dead() -> bool:
        if not asked or time.monotonic() - asked[-1] > 5:
            # Again where the signal came while the group was not listening, or the event changed nothing of its part.
            asked.append(time.monotonic())
            stage.desk.next()
            if point.startswith(POINTS_OF_A_REBALANCE):
                stage.fleet.rebalance()
        return not victim.alive

    if point in TOTALS_POINTS:
        # Only a lane without work for a second tells of totals by themselves.
        load.flowing.clear()
    wait_until(dead, DEATH_SECONDS, f"{name} dies at {point}", stage.fleet.said)
    load.flowing.set()
    wait_until(lambda: stage.fleet.workers[name] is not victim, 10, f"{name} is started again", stage.fleet.said)
