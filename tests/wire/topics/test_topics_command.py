"""`lotrisk topics` against a real broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from typer import Typer
from typer.testing import CliRunner, Result

from streams.cli import topics as command
from streams.connection import kafka_python_options
from streams.provisioning import ProvisioningError, apply_topics, carry_out, make_plan
from streams.settings import Settings
from streams.topics import CATALOGUE, VEHICLES, Action


@pytest.fixture
def admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(**kafka_python_options(settings))
    yield client
    client.close()


@pytest.fixture
def fresh(settings: Settings) -> Settings:
    """The broker with a prefix under which nothing has been made."""
    return settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}fresh-", "partitions": 3})


def _run(monkeypatch: pytest.MonkeyPatch, settings: Settings, *arguments: str, answer: str | None = None) -> Result:
    monkeypatch.setenv("LOTRISK_BOOTSTRAP_SERVERS", settings.bootstrap_servers)
    monkeypatch.setenv("LOTRISK_TOPIC_PREFIX", settings.topic_prefix)
    monkeypatch.setenv("LOTRISK_PARTITIONS", str(settings.partitions))
    monkeypatch.setenv("LOTRISK_REPLICATION_FACTOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    app = Typer()
    command.register(app)
    return CliRunner().invoke(app, ["topics", *arguments], input=answer)


def _partitions(admin: KafkaAdminClient, prefix: str) -> dict[str, int]:
    return {
        topic["name"].removeprefix(prefix): len(topic["partitions"])
        for topic in admin.describe_topics()
        if topic["name"].startswith(prefix)
    }


def _await_config(admin: KafkaAdminClient, topic: str, key: str, value: str) -> None:
    """A broker answers with the old configs for a moment after it has accepted new ones."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    deadline = time.monotonic() + 20
    while admin.describe_configs([resource], config_filter="all")["topic"][topic][key]["value"] != value:
        assert time.monotonic() < deadline, f"{key} of {topic} never became {value}"


def test_apply_makes_every_topic_and_a_second_apply_changes_nothing(
    fresh: Settings, admin: KafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _run(monkeypatch, fresh, "apply", "--yes")
    assert first.exit_code == 0, first.output
    assert f"Done: {len(CATALOGUE)} topics." in first.stdout
    assert _partitions(admin, fresh.topic_prefix) == {topic.name: topic.partitions or 3 for topic in CATALOGUE}
    configs = admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic.full_name(fresh.topic_prefix)) for topic in CATALOGUE]
    )["topic"]
    for topic in CATALOGUE:
        held = configs[topic.full_name(fresh.topic_prefix)]
        assert {key: held[key]["value"] for key in topic.configs} == dict(topic.configs)

    second = _run(monkeypatch, fresh, "apply")
    assert second.exit_code == 0, second.output
    assert "Nothing to do." in second.stdout
    assert _run(monkeypatch, fresh, "check").exit_code == 0


def test_the_plan_is_shown_and_nothing_is_done_without_a_yes(
    fresh: Settings, admin: KafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer in ("n\n", None):
        result = _run(monkeypatch, fresh, "apply", answer=answer)
        assert result.exit_code == 1
        assert f"{fresh.topic_prefix}dms.vehicles" in result.stdout
        assert "create" in result.stdout
        assert _partitions(admin, fresh.topic_prefix) == {}
    assert _run(monkeypatch, fresh, "apply", answer="y\n").exit_code == 0
    assert len(_partitions(admin, fresh.topic_prefix)) == len(CATALOGUE)


def test_check_says_what_is_missing_and_fails(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run(monkeypatch, fresh, "check")
    assert result.exit_code == 1
    assert f"{len(CATALOGUE)} of {len(CATALOGUE)} topics differ from the catalogue." in result.stderr


def test_a_config_changed_by_hand_is_found_and_set_again_and_others_are_kept(
    fresh: Settings, admin: KafkaAdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_topics(fresh)
    name = VEHICLES.full_name(fresh.topic_prefix)
    admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": "delete", "segment.ms": "77777"})]
    )
    _await_config(admin, name, "segment.ms", "77777")
    check = _run(monkeypatch, fresh, "check")
    assert check.exit_code == 1
    assert "cleanup.policy: delete -> compact" in check.stdout
    assert _run(monkeypatch, fresh, "apply", "--yes").exit_code == 0
    held = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])["topic"][name]
    assert (held["cleanup.policy"]["value"], held["segment.ms"]["value"]) == ("compact", "77777")


@pytest.mark.parametrize(("wanted", "said"), [(4, "keys would move"), (2, "can't remove partitions")])
def test_another_partition_count_is_refused_and_nothing_at_all_is_changed(
    fresh: Settings, admin: KafkaAdminClient, monkeypatch: pytest.MonkeyPatch, wanted: int, said: str
) -> None:
    name = VEHICLES.full_name(fresh.topic_prefix)
    admin.create_topics({name: {"num_partitions": 3, "replication_factor": 1}}, wait_for_metadata=True)
    other = fresh.model_copy(update={"partitions": wanted})
    result = _run(monkeypatch, other, "apply", "--yes")
    assert result.exit_code == 1
    assert said in " ".join(result.stdout.split())
    assert "Nothing was changed" in result.stderr
    assert _partitions(admin, fresh.topic_prefix) == {"dms.vehicles": 3}
    with pytest.raises(ProvisioningError, match=f"{name} has 3 partitions, {wanted} wanted"):
        apply_topics(other)
    assert _partitions(admin, fresh.topic_prefix) == {"dms.vehicles": 3}


def test_two_that_apply_at_once_both_end_well(fresh: Settings) -> None:
    failures: list[BaseException] = []
    together = threading.Barrier(2)

    def apply() -> None:
        try:
            together.wait(30)
            apply_topics(fresh)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=apply) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert {step.action for step in make_plan(fresh)} == {Action.UNCHANGED}


def test_a_topic_that_somebody_makes_otherwise_meanwhile_is_told(fresh: Settings, admin: KafkaAdminClient) -> None:
    steps = make_plan(fresh)
    name = VEHICLES.full_name(fresh.topic_prefix)
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    with pytest.raises(ProvisioningError, match=r"still different.*\n.*has 1 partition, 3 wanted"):
        carry_out(fresh, steps)


def test_what_the_cluster_refuses_is_said_with_the_topic(fresh: Settings) -> None:
    with pytest.raises(ProvisioningError, match=r"dms\.vehicles: InvalidReplicationFactorError"):
        apply_topics(fresh.model_copy(update={"replication_factor": 9}))


def test_a_broker_that_does_not_answer_is_named_with_the_variable(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.provisioning.BOOTSTRAP_TIMEOUT_MS", 200)
    result = _run(monkeypatch, fresh.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}), "check")
    assert result.exit_code == 1
    assert result.stderr.startswith("Kafka at 127.0.0.1:1 (LOTRISK_BOOTSTRAP_SERVERS) can't be used")


def test_the_list_shows_the_catalogue_without_a_broker(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run(monkeypatch, fresh.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}), "list")
    assert result.exit_code == 0
    assert all(topic.full_name(fresh.topic_prefix) in result.stdout for topic in CATALOGUE)
