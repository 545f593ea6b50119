"""Workers killed, stopped, moved and cut off under load: in = out, exactly, each time."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from threading import Barrier

import psutil

from streams.broker import EmbeddedKafka
from streams.settings import ProcessingGuarantee
from tests.rehearsal.fleet import wait_until
from tests.rehearsal.ground import load
from tests.rehearsal.rehearsal import Rehearsal, play
from tests.wire.conftest import Broker

MIXED = load(poison_every=1000, tombstone_every=50)
"""A poison pill every 1,000 records, and a tombstone every 50."""
SHORT = {"session_timeout_seconds": 3, "rebalance_timeout_seconds": 12, "drain_seconds": 2}


def test_kill_minus_nine_of_one_of_two_workers(broker: Broker, tmp_path: Path) -> None:
    def scene(rehearsal: Rehearsal) -> None:
        rehearsal.fleet.kill("a")
        rehearsal.moves_on()

    for played in play(broker.bootstrap_servers, tmp_path, scene, record=MIXED, **SHORT):
        played.balances()
        assert played.exits == {-signal.SIGKILL: 1}
        assert played.books.reasons["not_json"] == played.books.dead_letters > 0


def test_a_worker_stopped_beyond_its_session_publishes_nothing_when_it_wakes(broker: Broker, tmp_path: Path) -> None:
    def scene(rehearsal: Rehearsal) -> None:
        zombie = rehearsal.fleet.workers["a"]
        rehearsal.fleet.wait_until_ready()
        rehearsal.fleet.arm("a", "batch.delivered=stop")  # with a batch that is sent and not committed
        process = psutil.Process(zombie.process.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, 20, "a stops", rehearsal.fleet.said)
        rehearsal.moves_on()  # the other one has taken over everything
        zombie.send(signal.SIGCONT)
        rehearsal.moves_on()

    for played in play(broker.bootstrap_servers, tmp_path, scene, record=MIXED, **SHORT):
        played.balances()
        if played.guarantee is ProcessingGuarantee.EXACTLY_ONCE:
            # By its next call, or, where it heard of the revoke first, in its log.
            assert played.exits.get(70, 0) + played.fenced == 1, played


def test_a_broker_that_restarts(own_broker: Callable[..., EmbeddedKafka], tmp_path: Path) -> None:
    kafka = own_broker()
    both_run = Barrier(2, action=kafka.restart)

    def scene(rehearsal: Rehearsal) -> None:
        both_run.wait(timeout=90)
        rehearsal.moves_on(60)

    for played in play(kafka.bootstrap_servers, tmp_path, scene, record=MIXED, per_second=500, **SHORT):
        played.balances()


def test_a_rebalance_every_other_second(broker: Broker, tmp_path: Path) -> None:
    """A third worker comes and goes under the real assignor."""

    def scene(rehearsal: Rehearsal) -> None:
        for _ in range(2):
            rehearsal.fleet.start("c")
            rehearsal.fleet.wait_until_ready()
            rehearsal.moves_on()
            status, seconds = rehearsal.fleet.stop("c")
            assert (status, seconds < 10) == (0, True), rehearsal.fleet.said()
            rehearsal.moves_on()

    for played in play(broker.bootstrap_servers, tmp_path, scene, record=MIXED, **SHORT):
        played.balances()
        assert played.exits == {0: 2}


def test_a_rebalance_loses_nothing_that_arrives_meanwhile(broker: Broker, tmp_path: Path) -> None:
    """A trickle: a fetch waits in vain, the partitions change hands, and the record comes to the old fetch."""

    def scene(rehearsal: Rehearsal) -> None:
        for done in range(6):
            rehearsal.fleet.rebalance()
            wait_until(lambda done=done: rehearsal.fleet.rebalances() > done, 20, "hands changed", rehearsal.fleet.said)
            rehearsal.moves_on()

    for played in play(broker.bootstrap_servers, tmp_path, scene, record=load(), per_second=40, variant="shuffle"):
        played.balances()
        assert played.exits == {}


def test_a_rebalance_that_overtakes_the_last_one(broker: Broker, tmp_path: Path) -> None:
    """Producers take a second to start, and the next rebalance doesn't wait for them."""

    def scene(rehearsal: Rehearsal) -> None:
        for _ in range(4):
            asked = rehearsal.fleet.rebalances()
            rehearsal.fleet.rebalance()
            wait_until(
                lambda asked=asked: rehearsal.fleet.rebalances() > asked, 20, "hands changed", rehearsal.fleet.said
            )
        rehearsal.moves_on()

    slow = "lease.producers_started=sleep:700;lease.lanes_stopped=sleep:300"
    for played in play(
        broker.bootstrap_servers, tmp_path, scene, record=MIXED, variant="shuffle", failpoints=slow, per_second=500
    ):
        played.balances()
