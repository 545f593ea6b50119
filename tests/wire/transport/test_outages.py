"""A network that breaks, a slow broker, a full disk, a wrong clock, letters that nobody takes: in = out after each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams.broker import EmbeddedKafka
from streams.topics import VEHICLES_DLQ
from tests.rehearsal.accounts import account
from tests.rehearsal.fleet import Fleet, wait_until
from tests.rehearsal.ground import Ground, load
from tests.rehearsal.network import FROM_BROKER, Wiring
from tests.rehearsal.pair import MIXED, SHORT, two_workers
from tests.wire.conftest import Broker


def test_a_broker_that_answers_too_late_ends_the_worker_before_the_commit(
    own_broker: Callable[..., EmbeddedKafka], tmp_path: Path
) -> None:
    """Nobody can take over: both workers end themselves with status 70, and go on once the broker answers again."""
    with Wiring("ab") as wiring:
        kafka = own_broker(**wiring.arguments)
        with Ground(kafka.bootstrap_servers, **SHORT) as ground:
            with two_workers(ground, tmp_path, of_each=wiring.variables()) as fleet:
                for cable in wiring.cables.values():
                    cable.hold(FROM_BROKER)
                wait_until(lambda: fleet.exit_codes()[70] >= 2, 60, "both workers end themselves", fleet.said)
                for cable in wiring.cables.values():
                    cable.mend()
            account(ground.settings).balance()
            assert any("took longer than 4 s" in log for log in fleet.logs()), fleet.said()


def test_a_state_directory_on_a_full_disk(broker: Broker, tmp_path: Path) -> None:
    """The worker says which directory and what to do, and ends; the other one works; with room it comes back."""
    with Ground(broker.bootstrap_servers, **SHORT) as ground:
        with two_workers(ground, tmp_path, own_disks=True) as fleet:
            fleet.fill_disk("a")
            wait_until(
                lambda: any(f"state directory {fleet.state_of('a')}" in log for log in fleet.logs()), 60,
                "the worker says that its disk is full", fleet.said,
            )  # fmt: skip
            said = next(log for log in fleet.logs() if f"state directory {fleet.state_of('a')}" in log)
            assert "can't be used" in said
            assert "free space" in said
            ground.wait_for_progress(60, fleet.said)
            fleet.free_disk("a")
            fleet.wait_until_ready(60)
        account(ground.settings).balance()


def test_dead_letters_that_their_topic_does_not_take(broker: Broker, tmp_path: Path) -> None:
    """No letter, no commit: the worker ends, again and again, and nothing is lost once the topic takes them."""
    with Ground(broker.bootstrap_servers, **SHORT) as ground, KafkaAdmin(ground) as takes:
        ground.put(500, load())
        with Fleet(ground.environment(), tmp_path) as fleet:
            fleet.start("a")
            ground.wait_for_no_lag(60, fleet.said)
            takes("100")
            ground.put(500, MIXED, start=500)
            wait_until(lambda: fleet.exit_codes()[70] >= 2, 60, "the worker ends itself, twice", fleet.said)
            lost = ground.lag()
            assert lost > 0, "what can't be buried is not committed"
            takes(VEHICLES_DLQ.configs["max.message.bytes"])
            ground.wait_for_no_lag(60, fleet.said)
        books = account(ground.settings)
        books.balance()
        assert books.dead_letters > 0


class KafkaAdmin:
    """Sets how large a dead letter may be."""

    def __init__(self, ground: Ground) -> None:
        self._name = ground.name(VEHICLES_DLQ)
        self._admin = KafkaAdminClient(bootstrap_servers=ground.settings.bootstrap_servers)

    def __enter__(self) -> Callable[[str], None]:
        return self._takes

    def __exit__(self, *_: object) -> None:
        self._admin.close()

    def _takes(self, most_bytes: str) -> None:
        resource = ConfigResource(ConfigResourceType.TOPIC, self._name, configs={"max.message.bytes": most_bytes})
        self._admin.alter_configs([resource])


def test_a_worker_that_is_stuck_ends_itself(broker: Broker, tmp_path: Path) -> None:
    """Its process runs, its port answers, its session lives, and nothing moves: it is not left like that."""
    with Ground(broker.bootstrap_servers, stall_seconds=4, **SHORT) as ground:
        with two_workers(ground, tmp_path) as fleet:
            stuck = fleet.workers["a"]
            fleet.arm("a", "batch.begun=sleep:600000")
            wait_until(lambda: not stuck.alive, 60, "the stuck worker ends itself", fleet.said)
            assert stuck.process.returncode == 70
            assert "StalledError" in stuck.said()
            ground.wait_for_progress(60, fleet.said)
        account(ground.settings).balance()


def test_a_clock_two_hours_ahead_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    """The brokers refuse what is dated more than an hour ahead: that worker publishes nothing, another one goes on."""
    with Ground(broker.bootstrap_servers, **SHORT) as ground:
        ground.put(500, MIXED)
        with Fleet(ground.environment(), tmp_path) as fleet:
            ahead = fleet.start("a", restart=False, REHEARSAL_VARIANT="ahead")
            ground.put(500, MIXED, start=500)
            wait_until(lambda: not ahead.alive, 60, "it ends itself", fleet.said)
            assert ahead.process.returncode == 70
            assert "InvalidTimestampError" in ahead.said()
            fleet.start("b")
            ground.put(500, MIXED, start=1000)
            ground.wait_for_no_lag(60, fleet.said)
        account(ground.settings).balance()
