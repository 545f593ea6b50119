"""Rights follow from the catalogue, are the least there are, and come out of `lotrisk deploy` as they are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import streams.cli
from streams.principals import (
    CONSUMER,
    DMS,
    EXPORTER,
    OPERATOR,
    POLICY_DESK,
    PRINCIPALS,
    WORKER,
    Acl,
    Operation,
    Principal,
    Resource,
    acls,
    matrix,
)
from streams.strimzi import Document, render, topic_documents, user_documents
from streams.topics import CATALOGUE, PARTS_DLQ, POLICY, TOTALS, VEHICLES, VEHICLES_ENRICHED, Topic

BY_ID = {"ids": lambda principal: principal.role}


def may(principal: Principal, topic: Topic, operation: Operation) -> bool:
    (cell,) = [
        cell for cell in matrix()
        if cell.principal is principal and cell.topic is topic and cell.operation is operation
    ]  # fmt: skip
    return cell.allowed


def test_every_writer_and_reader_of_the_catalogue_is_a_principal() -> None:
    roles = {role for topic in CATALOGUE for role in (*topic.writers, *topic.readers)}
    assert roles <= {principal.role for principal in PRINCIPALS}


def test_every_topic_has_a_writer_and_a_reader() -> None:
    assert [topic.name for topic in CATALOGUE if not topic.writers or not topic.readers] == []


@pytest.mark.parametrize("principal", PRINCIPALS, **BY_ID)
def test_nobody_may_delete_a_topic_or_grow_it(principal: Principal) -> None:
    for topic in CATALOGUE:
        assert not may(principal, topic, Operation.DELETE)
        assert not may(principal, topic, Operation.ALTER)


def test_only_the_policy_desk_writes_measures() -> None:
    writers = [principal for principal in PRINCIPALS if may(principal, POLICY, Operation.WRITE)]
    assert writers == [POLICY_DESK]


def test_only_workers_write_what_lotrisk_publishes() -> None:
    for topic in (VEHICLES_ENRICHED, PARTS_DLQ, TOTALS):
        assert [principal for principal in PRINCIPALS if may(principal, topic, Operation.WRITE)] == [WORKER]


def test_a_worker_writes_no_input() -> None:
    assert not may(WORKER, VEHICLES, Operation.WRITE)
    assert not may(WORKER, POLICY, Operation.WRITE)


def test_a_dealers_system_reads_nothing_and_the_exporter_sees_only_offsets() -> None:
    assert not [topic for topic in CATALOGUE if may(DMS, topic, Operation.READ)]
    assert not [topic for topic in CATALOGUE if may(EXPORTER, topic, Operation.READ)]
    assert [topic.name for topic in CATALOGUE if may(EXPORTER, topic, Operation.DESCRIBE)] == [
        "dms.vehicles",
        "dms.parts",
    ]


def test_a_consumer_writes_nothing_and_has_groups_of_its_own() -> None:
    assert not [topic for topic in CATALOGUE if may(CONSUMER, topic, Operation.WRITE)]
    groups = [acl for acl in acls(CONSUMER, group="g") if acl.resource is Resource.GROUP]
    assert any(acl.covers(Resource.GROUP, "lotrisk-consumer-pricing", Operation.READ) for acl in groups)
    assert not any(acl.covers(Resource.GROUP, "g", Operation.DESCRIBE) for acl in groups)


def test_prefix_and_group_are_in_every_name() -> None:
    names = {(acl.resource, acl.name) for acl in acls(WORKER, prefix="east.", group="g2")}
    assert (Resource.TOPIC, "east.vehicles.enriched") in names
    assert (Resource.GROUP, "g2") in names
    assert (Resource.TRANSACTIONAL_ID, "g2-east.dms.vehicles-") in names


def test_workers_and_policy_desk_cannot_fence_each_other() -> None:
    desk, worker = "lotrisk-trade.policy-desk", "lotrisk-dms.vehicles-0"
    for principal, own, other in ((WORKER, worker, desk), (POLICY_DESK, desk, worker)):
        held = acls(principal)
        assert any(acl.covers(Resource.TRANSACTIONAL_ID, own, Operation.WRITE) for acl in held)
        assert not any(acl.covers(Resource.TRANSACTIONAL_ID, other, Operation.DESCRIBE) for acl in held)


def test_a_literal_right_covers_its_name_and_a_prefixed_one_what_begins_so() -> None:
    literal, prefixed = (Acl(Resource.GROUP, "ab", (Operation.READ,), prefixed) for prefixed in (False, True))
    assert literal.covers(Resource.GROUP, "ab", Operation.DESCRIBE)
    assert not literal.covers(Resource.GROUP, "abc", Operation.READ)
    assert prefixed.covers(Resource.GROUP, "abc", Operation.READ)
    assert not prefixed.covers(Resource.GROUP, "a", Operation.READ)
    assert not prefixed.covers(Resource.TOPIC, "abc", Operation.READ)
    assert not prefixed.covers(Resource.GROUP, "abc", Operation.WRITE)


def test_the_operator_looks_and_replays() -> None:
    assert may(OPERATOR, VEHICLES, Operation.WRITE)
    assert may(OPERATOR, PARTS_DLQ, Operation.READ)
    assert not may(OPERATOR, VEHICLES_ENRICHED, Operation.WRITE)


def test_object_names_are_kubernetes_and_topic_names_kafkas() -> None:
    for document in topic_documents(prefix="East_1.", partitions=3, replication_factor=1, cluster="k"):
        metadata, spec = document["metadata"], document["spec"]
        assert isinstance(metadata, Mapping)
        assert isinstance(spec, Mapping)
        assert str(metadata["name"]).startswith("east-1.")
        assert str(spec["topicName"]).startswith("East_1.")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12) | st.sampled_from(
    ["yes", "null", "1", "1.5", "0x1f", "-", "*", "a: b", "# c", "true", "2026-01-01", "1e3", ".inf", "e\\d", '"', "~"]
)
NODES = st.recursive(
    TEXT | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(TEXT, NODES, min_size=1, max_size=4), min_size=1, max_size=3))
def test_what_is_rendered_is_read_back_as_it_was(documents: Sequence[Document]) -> None:
    assert list(yaml.safe_load_all(render(documents))) == documents


def test_deploy_prints_what_the_catalogues_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTRISK_TOPIC_PREFIX", "east.")
    monkeypatch.setenv("LOTRISK_GROUP", "g2")
    monkeypatch.setenv("LOTRISK_PARTITIONS", "24")
    app, runner = streams.cli.commands(), CliRunner()
    topics = list(yaml.safe_load_all(runner.invoke(app, ["deploy", "topics", "--replicas", "1"]).stdout))
    assert topics == list(topic_documents(prefix="east.", partitions=24, replication_factor=1, cluster="kafka"))
    users = list(yaml.safe_load_all(runner.invoke(app, ["deploy", "users", "--cluster", "c"]).stdout))
    assert users == list(user_documents(prefix="east.", group="g2", cluster="c"))
    lines = runner.invoke(app, ["deploy", "acls"]).stdout.splitlines()
    assert len(lines) == sum(len(acls(principal)) for principal in PRINCIPALS)
    assert (
        "--add --allow-principal User:lotrisk-worker --operation Write --transactional-id g2-east.dms.vehicles- "
        "--resource-pattern-type prefixed"
    ) in lines
