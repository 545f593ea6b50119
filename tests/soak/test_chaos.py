"""Interruptions in a random order, under both guarantees: the books balance after each run."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.broker import EmbeddedKafka
from streams.settings import ProcessingGuarantee
from tests.rehearsal.ground import load
from tests.rehearsal.rehearsal import Rehearsal, play

pytestmark = pytest.mark.soak

STEPS = 8
"""Interruptions in a run."""


def kill(rehearsal: Rehearsal, chance: random.Random) -> None:
    """kill -9 of a worker, or of both at once."""
    for name in chance.choice([["a"], ["b"], ["a", "b"]]):
        rehearsal.fleet.kill(name)
    rehearsal.moves_on(60)


def pause(rehearsal: Rehearsal, chance: random.Random) -> None:
    """SIGSTOP until the others have taken over, then SIGCONT."""
    sleeper = rehearsal.fleet.workers[chance.choice("ab")]
    sleeper.send(signal.SIGSTOP)
    rehearsal.moves_on(60)
    sleeper.send(signal.SIGCONT)
    rehearsal.moves_on(60)


def visit(rehearsal: Rehearsal, chance: random.Random) -> None:
    """A third worker comes and goes."""
    rehearsal.fleet.start("c")
    rehearsal.fleet.wait_until_ready(60)
    rehearsal.moves_on(60)
    rehearsal.fleet.stop("c")
    rehearsal.moves_on(60)


def rebalances(rehearsal: Rehearsal, chance: random.Random) -> None:
    """One rebalance overtakes the other."""
    for _ in range(chance.randint(2, 6)):
        rehearsal.fleet.rebalance()
    rehearsal.moves_on(60)


INTERRUPTIONS = (kill, pause, visit, rebalances)


def test_random_interruptions(own_broker: Callable[..., EmbeddedKafka], tmp_path: Path, rounds: int, seed: int) -> None:
    kafka = own_broker()
    for number in range(rounds):
        plan = random.Random(seed + number).choices(INTERRUPTIONS, k=STEPS)

        def scene(rehearsal: Rehearsal, number: int = number, plan: list[Callable[..., None]] = plan) -> None:
            chance = random.Random(f"{seed + number} {rehearsal.guarantee}")
            for position, interrupt in enumerate(plan):
                if position == STEPS // 2 and rehearsal.guarantee is ProcessingGuarantee.EXACTLY_ONCE:
                    kafka.restart()
                interrupt(rehearsal, chance)

        directory = tmp_path / str(number)
        for played in play(
            kafka.bootstrap_servers,
            directory,
            scene,
            record=load(poison_every=1000, tombstone_every=50),
            variant="shuffle",
            failpoints="batch.delivered=sleep:50",
            per_second=800,
            catch_up_seconds=120,
            session_timeout_seconds=4,
            rebalance_timeout_seconds=12,
            drain_seconds=2,
        ):
            print(
                f"seed {seed + number}, {[step.__name__ for step in plan]}, {played.guarantee}: exits {played.exits}, "
                f"fenced {played.fenced}, {played.books}",
                flush=True,
            )
            played.balances()
