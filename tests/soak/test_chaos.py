"""Whatever can happen to workers, brokers, disks and the network, one after the other, under both guarantees.

Two fleets on one broker: a lot under a moving policy in exactly once, and a light load in at least once. In the end the
books balance: nothing lost, and in exactly once nothing doubled.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.broker import EmbeddedKafka
from streams.settings import ProcessingGuarantee
from tests.rehearsal.accounts import account
from tests.rehearsal.fleet import Fleet, limit_files, wait_until
from tests.rehearsal.ground import Ground, SteadyLoad, load
from tests.rehearsal.lot import ChangingLot, drawn
from tests.rehearsal.network import FROM_BROKER, TO_BROKER, Wiring
from tests.rehearsal.stage import Stage

pytestmark = pytest.mark.soak

NAMES = "ab"
SHORT = {"session_timeout_seconds": 4, "rebalance_timeout_seconds": 12, "drain_seconds": 2}
BROKER_FULL_BYTES = 100_000
CATCH_UP_SECONDS = 120


@dataclass
class Chaos:
    """What can be interrupted."""

    kafka: EmbeddedKafka
    wiring: Wiring
    stage: Stage
    light: Ground
    light_fleet: Fleet
    chance: random.Random

    def fleets(self) -> tuple[Fleet, Fleet]:
        """The lot's workers and the light ones."""
        return self.stage.fleet, self.light_fleet

    def some(self) -> str:
        """Names of the workers it happens to: one, or both."""
        return self.chance.choice(["a", "b", NAMES])

    def said(self) -> str:
        """What the workers said last."""
        return "\n".join(fleet.said() for fleet in self.fleets())

    def works_without(self, names: str, interrupt: Callable[[], object]) -> None:
        """Interrupt `names`, and poll until the others have their part, if there are others."""
        before = [fleet.rebalances() for fleet in self.fleets()]
        interrupt()
        if names == NAMES:
            return
        for fleet, seen in zip(self.fleets(), before, strict=True):
            wait_until(
                lambda fleet=fleet, seen=seen: fleet.rebalances() > seen,
                CATCH_UP_SECONDS,
                "others took over",
                self.said,
            )
        self.moves_on()

    def moves_on(self) -> None:
        """Poll until every partition of both moves."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda ground: ground.wait_for_progress(CATCH_UP_SECONDS, self.said),
                          (self.stage.ground, self.light)))  # fmt: skip


def kill(chaos: Chaos) -> None:
    """kill -9 of a worker, or of all at once."""
    for name in chaos.some():
        for fleet in chaos.fleets():
            fleet.kill(name)


def pause(chaos: Chaos) -> None:
    """SIGSTOP until the others have taken over, then SIGCONT: zombies."""
    name = chaos.chance.choice(NAMES)
    sleepers = [fleet.workers[name] for fleet in chaos.fleets()]
    chaos.works_without(name, lambda: [worker.send(signal.SIGSTOP) for worker in sleepers])
    for worker in sleepers:
        worker.send(signal.SIGCONT)


def visit(chaos: Chaos) -> None:
    """A third worker comes and goes."""
    for fleet in chaos.fleets():
        fleet.start("c")
    for fleet in chaos.fleets():
        fleet.wait_until_ready(CATCH_UP_SECONDS)
    chaos.moves_on()
    for fleet in chaos.fleets():
        fleet.stop("c")


def rebalances(chaos: Chaos) -> None:
    """One rebalance overtakes the other."""
    for _ in range(chaos.chance.randint(2, 6)):
        for fleet in chaos.fleets():
            fleet.rebalance()


def policy(chaos: Chaos) -> None:
    """Two measures, the second while the lot is rated under the first."""
    chaos.stage.desk.next()
    chaos.stage.desk.next()


def broker_restarts(chaos: Chaos) -> None:
    """In good order."""
    chaos.kafka.restart()


def broker_is_killed(chaos: Chaos) -> None:
    """kill -9."""
    chaos.kafka.kill()
    chaos.kafka.start()


def cable_is_cut(chaos: Chaos) -> None:
    """All connections of a worker end, and it gets no new ones until the others have its part."""
    names = chaos.some()
    chaos.works_without(names, lambda: [chaos.wiring.cables[name].cut() for name in names])


def cable_is_held(chaos: Chaos) -> None:
    """Nothing comes through, in one direction or both, and no connection ends."""
    names = chaos.some()
    directions = chaos.chance.choice([(), (TO_BROKER,), (FROM_BROKER,)])
    chaos.works_without(names, lambda: [chaos.wiring.cables[name].hold(*directions) for name in names])


def cable_is_slow(chaos: Chaos) -> None:
    """A quarter of a second each way."""
    for name in NAMES:
        chaos.wiring.cables[name].slow(0.25)
    chaos.moves_on()


def disk_is_full(chaos: Chaos) -> None:
    """The file system of a worker's state has no byte left: it ends, and comes back once there is room."""
    name = chaos.chance.choice(NAMES)
    chaos.works_without(name, lambda: [fleet.fill_disk(name) for fleet in chaos.fleets()])


def broker_disk_is_full(chaos: Chaos) -> None:
    """No log segment of the broker grows any more: it ends, and is started again with room."""
    pid = chaos.kafka.pid
    assert pid is not None
    limit_files(pid, BROKER_FULL_BYTES)
    wait_until(lambda: chaos.kafka.pid is None, CATCH_UP_SECONDS, "the broker gives up", chaos.said)
    chaos.kafka.start()


INTERRUPTIONS = (
    kill, pause, visit, rebalances, policy, broker_restarts, broker_is_killed, cable_is_cut, cable_is_held,
    cable_is_slow, disk_is_full, broker_disk_is_full,
)  # fmt: skip


def mend(chaos: Chaos) -> None:
    """Whatever was broken works again; both fleets go on."""
    for cable in chaos.wiring.cables.values():
        cable.mend()
    for fleet in chaos.fleets():
        for name in NAMES:
            fleet.free_disk(name)
    for fleet in chaos.fleets():
        fleet.wait_until_ready(CATCH_UP_SECONDS)
    chaos.moves_on()


def plan(chance: random.Random) -> Callable[[], Callable[[Chaos], None]]:
    """Interruptions without end: all kinds in a random order, then all kinds in another."""
    left: list[Callable[[Chaos], None]] = []

    def take() -> Callable[[Chaos], None]:
        if not left:
            left.extend(chance.sample(INTERRUPTIONS, len(INTERRUPTIONS)))
        return left.pop()

    return take


@pytest.fixture
def seconds() -> float:
    """LOTRISK_SOAK_CHAOS_SECONDS: no interruption begins later."""
    return float(os.environ.get("LOTRISK_SOAK_CHAOS_SECONDS", "600"))


def test_chaos_ends_with_balanced_books(
    own_broker: Callable[..., EmbeddedKafka], tmp_path: Path, seconds: float, seed: int
) -> None:
    chance = random.Random(seed)
    played: Counter[str] = Counter()
    with ExitStack() as stack:
        wiring = stack.enter_context(Wiring(NAMES))
        kafka = own_broker(**wiring.arguments)
        of_each = wiring.variables()
        directories = [tmp_path / "lot", tmp_path / "light"]
        for directory in directories:
            directory.mkdir()
        stage = stack.enter_context(
            Stage(kafka.bootstrap_servers, directories[0], variant="shuffle", of_each=of_each, own_disks=True, **SHORT)
        )
        light = stack.enter_context(
            Ground(
                kafka.bootstrap_servers, processing_guarantee=ProcessingGuarantee.AT_LEAST_ONCE, **SHORT,
            )
        )  # fmt: skip
        environment = light.environment(REHEARSAL_VARIANT="shuffle", LOTRISK_FAILPOINTS="batch.delivered=sleep:50")
        light_fleet = stack.enter_context(Fleet(environment, directories[1], of_each=of_each, own_disks=True))
        chaos = Chaos(kafka, wiring, stage, light, light_fleet, chance)
        for fleet in chaos.fleets():
            for name in NAMES:
                fleet.start(name)
        with (
            SteadyLoad(stage.ground, ChangingLot(drawn(600)), 100),
            SteadyLoad(light, load(poison_every=1000, tombstone_every=50), 300),
        ):
            chaos.moves_on()
            take, began = plan(chance), time.monotonic()
            while time.monotonic() - began < seconds:
                interrupt, before = take(), time.monotonic()
                interrupt(chaos)
                mend(chaos)
                played[interrupt.__name__] += 1
                print(f"{interrupt.__name__}: {time.monotonic() - before:.1f} s", flush=True)
        light.wait_for_no_lag(CATCH_UP_SECONDS, chaos.said)
        stage.settle(CATCH_UP_SECONDS)
        accounts, light_accounts = stage.accounts(), account(light.settings)
        exits = [dict(fleet.exit_codes()) for fleet in chaos.fleets()]
    print(f"seed {seed}, {dict(played)}")
    print(f"exactly once: exits {exits[0]}, {stage.desk.events} policy events, {accounts}")
    print(f"at least once: exits {exits[1]}, {light_accounts}", flush=True)
    accounts.balance()
    light_accounts.balance_with_repeats()
