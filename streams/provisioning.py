"""Bringing a cluster's topics to the catalogue, by kafka-python's admin client. It never removes anything."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError, for_code

from streams.connection import kafka_python_options
from streams.topics import Action, FoundTopic, Step, plan

if TYPE_CHECKING:
    from streams.settings import Settings

BOOTSTRAP_TIMEOUT_MS = 10_000
SETTLE_SECONDS = 15.0


class ProvisioningError(RuntimeError):
    """The cluster refused a topic, or a plan holds one that can't be brought to the catalogue."""


def make_plan(settings: Settings) -> tuple[Step, ...]:
    """Compare the cluster with the catalogue.

    Raises:
        SettingsError: no connection can be made from the settings.
        KafkaError: the brokers can't be reached or refuse.
    """
    admin = _admin(settings)
    try:
        return _plan(admin, settings)
    finally:
        admin.close()


def carry_out(settings: Settings, steps: Iterable[Step]) -> None:
    """Create and alter what the plan says, all or, where it holds a refused topic, nothing; then look again.

    Raises:
        ProvisioningError: a topic is refused, by the plan or by the cluster, or still differs afterwards.
        KafkaError: the brokers can't be reached.
    """
    steps = tuple(steps)
    refused = [step for step in steps if step.action is Action.REFUSED]
    if refused:
        raise ProvisioningError("\n".join(f"{step.name} {step.differences[0]}" for step in refused))
    admin = _admin(settings)
    try:
        _create(admin, [step for step in steps if step.action is Action.CREATE], settings.replication_factor)
        _alter(admin, [step for step in steps if step.action is Action.ALTER])
        left = _left_to_do(admin, settings)
    finally:
        admin.close()
    if left:
        said = [f"{step.name}: {step.action}: {'; '.join(step.differences)}" for step in left]
        raise ProvisioningError("still different after it was applied; somebody else changes it?\n" + "\n".join(said))


def apply_topics(settings: Settings) -> tuple[Step, ...]:
    """Plan and carry out in one, for programs that bring up a cluster of their own; returns what was done.

    Raises:
        ProvisioningError, SettingsError, KafkaError: as above.
    """
    steps = make_plan(settings)
    carry_out(settings, steps)
    return steps


def _admin(settings: Settings) -> KafkaAdminClient:
    return KafkaAdminClient(**kafka_python_options(settings), bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS)


def _plan(admin: KafkaAdminClient, settings: Settings) -> tuple[Step, ...]:
    wanted = {step.name for step in plan({}, prefix=settings.topic_prefix, partitions=1, replication_factor=1)}
    counts = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics() if topic["name"] in wanted}
    configs: Mapping[str, Mapping[str, Mapping[str, str | None]]] = {}
    if counts:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(counts)]
        configs = admin.describe_configs(resources, config_filter="all")["topic"]
    found = {
        name: FoundTopic(count, {key: entry["value"] for key, entry in configs[name].items()})
        for name, count in counts.items()
    }
    return plan(
        found,
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        replication_factor=settings.replication_factor,
    )


def _left_to_do(admin: KafkaAdminClient, settings: Settings) -> list[Step]:
    """What still differs; a broker answers with the old configs for a moment after it has accepted new ones."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        left = [step for step in _plan(admin, settings) if step.action is not Action.UNCHANGED]
        if not left or time.monotonic() > deadline or any(step.action is Action.REFUSED for step in left):
            return left
        time.sleep(0.1)


def _create(admin: KafkaAdminClient, steps: list[Step], replication_factor: int) -> None:
    if not steps:
        return
    answer = admin.create_topics(
        {
            step.name: {
                "num_partitions": step.partitions,
                "replication_factor": replication_factor,
                "configs": dict(step.configs),
            }
            for step in steps
        },
        raise_errors=False,
    )
    problems = []
    for topic in answer["topics"]:
        error = for_code(topic["error_code"])
        # Made by somebody else since the plan: the look afterwards tells whether it fits.
        if topic["error_code"] != 0 and error is not TopicAlreadyExistsError:
            problems.append(f"{topic['name']}: {error.__name__}: {topic['error_message']}")
    if problems:
        raise ProvisioningError("\n".join(problems))
    admin.wait_for_topics([step.name for step in steps])


def _alter(admin: KafkaAdminClient, steps: list[Step]) -> None:
    if not steps:
        return
    resources = [ConfigResource(ConfigResourceType.TOPIC, step.name, dict(step.configs)) for step in steps]
    answer = admin.alter_configs(resources)["topic"]
    problems = [f"{name}: {result}" for name, result in answer.items() if result != "OK"]
    if problems:
        raise ProvisioningError("\n".join(problems))
