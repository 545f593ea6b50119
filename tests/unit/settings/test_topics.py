"""The topic catalogue and the plan that brings a cluster to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import topics
from streams.topics import CATALOGUE, Action, FoundTopic, Step, Topic, plan


def _plan(found: dict[str, FoundTopic], partitions: int = 8, replication_factor: int = 1) -> dict[str, Step]:
    steps = plan(found, prefix="t.", partitions=partitions, replication_factor=replication_factor)
    return {step.topic.name: step for step in steps}


def _as_wanted(topic: Topic, partitions: int = 8, **configs: str) -> FoundTopic:
    held = {"segment.bytes": "1073741824", **topic.configs, **{key.replace("_", "."): v for key, v in configs.items()}}
    return FoundTopic(topic.partitions or partitions, held)


def _cluster(partitions: int = 8) -> dict[str, FoundTopic]:
    return {topic.full_name("t."): _as_wanted(topic, partitions) for topic in CATALOGUE}


def test_the_catalogue_is_that_of_the_design() -> None:
    assert [topic.name for topic in CATALOGUE] == [
        "dms.vehicles",
        "dms.parts",
        "trade.policy",
        "vehicles.enriched",
        "parts.enriched",
        "risk.flags",
        "lotrisk.totals",
        "groups.enriched",
        "lotrisk.workers",
        "dms.vehicles.dlq",
        "dms.parts.dlq",
    ]
    common = {topic.name for topic in CATALOGUE if topic.partitions is None}
    assert {topic.name for topic in CATALOGUE} - common == {"trade.policy", "lotrisk.workers"}
    assert topics.POLICY.configs["retention.ms"] == "-1"
    assert topics.POLICY.configs["cleanup.policy"] == "delete"


def test_outputs_take_what_an_input_of_the_largest_size_becomes() -> None:
    for topic in (topics.VEHICLES_ENRICHED, topics.PARTS_ENRICHED, topics.VEHICLES_DLQ, topics.PARTS_DLQ):
        assert int(topic.configs["max.message.bytes"]) == int(topics.VEHICLES.configs["max.message.bytes"]) + 65_536


def test_an_empty_cluster_gets_every_topic_with_the_common_count() -> None:
    steps = _plan({}, partitions=12)
    assert {step.action for step in steps.values()} == {Action.CREATE}
    assert steps["dms.vehicles"].name == "t.dms.vehicles"
    assert {name: step.partitions for name, step in steps.items() if step.partitions != 12} == {
        "trade.policy": 1,
        "lotrisk.workers": 1,
    }
    assert dict(steps["dms.parts"].configs) == dict(topics.PARTS.configs)


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, None), (2, None), (3, "2"), (5, "4")])
def test_a_topic_of_three_replicas_waits_for_all_but_one(replicas: int, in_sync: str | None) -> None:
    assert _plan({}, replication_factor=replicas)["dms.parts"].configs.get("min.insync.replicas") == in_sync


def test_a_cluster_as_wanted_is_left_alone_whatever_else_is_set_on_it() -> None:
    steps = _plan(_cluster())
    assert {step.action for step in steps.values()} == {Action.UNCHANGED}
    assert not any(step.differences or step.configs for step in steps.values())


def test_a_config_that_differs_is_altered_and_only_that() -> None:
    cluster = _cluster() | {"t.risk.flags": _as_wanted(topics.FLAGS, retention_ms="1000")}
    step = _plan(cluster)["risk.flags"]
    assert (step.action, dict(step.configs)) == (Action.ALTER, {"retention.ms": "31536000000"})
    assert step.differences == ("retention.ms: 1000 -> 31536000000",)


def test_keyed_topics_are_never_grown() -> None:
    step = _plan(_cluster(4), partitions=8)["dms.vehicles"]
    assert step.action is Action.REFUSED
    assert step.differences == (
        "has 4 partitions, 8 wanted: keys would move away from their history; set LOTRISK_PARTITIONS=4, "
        "or make new topics under another prefix and load them again",
    )


def test_no_topic_is_ever_shrunk() -> None:
    step = _plan(_cluster(16), partitions=8)["vehicles.enriched"]
    assert step.action is Action.REFUSED
    assert step.differences == (
        "has 16 partitions, 8 wanted: Kafka can't remove partitions; set LOTRISK_PARTITIONS=16, or use another prefix",
    )


def test_a_log_in_one_order_stays_one_partition() -> None:
    cluster = _cluster() | {"t.trade.policy": FoundTopic(2, topics.POLICY.configs)}
    step = _plan(cluster)["trade.policy"]
    assert step.action is Action.REFUSED
    assert "it is one log in one order" in step.differences[0]


def test_a_refused_topic_says_its_other_differences_too() -> None:
    cluster = _cluster() | {"t.dms.parts": FoundTopic(1, {**topics.PARTS.configs, "cleanup.policy": "delete"})}
    step = _plan(cluster)["dms.parts"]
    assert step.action is Action.REFUSED
    assert step.differences[0].startswith("has 1 partition, 8 wanted")
    assert step.differences[1:] == ("cleanup.policy: delete -> compact",)


_found = st.dictionaries(
    st.sampled_from([topic.full_name("t.") for topic in CATALOGUE]),
    st.builds(
        FoundTopic,
        st.integers(1, 16),
        st.dictionaries(st.sampled_from(["cleanup.policy", "retention.ms"]), st.sampled_from(["compact", "-1", None])),
    ),
)


@given(_found, st.integers(1, 16))
def test_what_a_plan_would_do_leaves_nothing_to_do_and_changes_no_partition_count(
    found: dict[str, FoundTopic], partitions: int
) -> None:
    after = dict(found)
    for step in _plan(found, partitions).values():
        held = found.get(step.name)
        if step.action is Action.CREATE:
            after[step.name] = FoundTopic(step.partitions, step.configs)
        elif step.action is Action.ALTER:
            assert held is not None
            assert held.partitions == step.partitions
            after[step.name] = FoundTopic(held.partitions, {**held.configs, **step.configs})
    assert {step.action for step in _plan(after, partitions).values()} <= {Action.UNCHANGED, Action.REFUSED}
