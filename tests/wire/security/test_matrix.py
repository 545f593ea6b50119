"""Every cell of the matrix principal x topic x operation, and groups and transactional ids, tried on a real broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code

from streams.principals import PRINCIPALS, Operation, Principal, Resource, acls, matrix
from streams.topics import CATALOGUE
from tests.wire.security.guarded import STRANGER, Clients, allowed

GetClients = Callable[[str], Clients]


def _raise(code: int) -> None:
    if code:
        raise for_code(code)


def _describe_configs(clients: Clients, topic: str) -> None:
    answer = clients.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    if not answer["topic"][topic]:
        # kafka-python shows a refusal as a topic without configs.
        raise TopicAuthorizationFailedError


def _create(clients: Clients, topic: str) -> None:
    """Only validated: what is allowed gets as far as hearing that the topic is there."""
    answer = clients.admin.create_topics(
        {topic: {"num_partitions": 1, "replication_factor": 1}}, validate_only=True, raise_errors=False
    )
    code = answer["topics"][0]["error_code"]
    if for_code(code) is not TopicAlreadyExistsError:
        _raise(code)


def _alter(clients: Clients, topic: str) -> None:
    clients.admin.create_partitions({topic: 9}, validate_only=True)


def _alter_configs(clients: Clients, topic: str) -> None:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"segment.ms": "86400000"})
    answer = clients.admin.alter_configs([resource], validate_only=True, raise_on_unknown=False)["topic"][topic]
    if answer != "OK":
        _raise(29 if "Authorization" in str(answer) else -1)


def _delete(clients: Clients, topic: str) -> None:
    clients.admin.delete_topics([topic])


ATTEMPTS: Mapping[Operation, Callable[[Clients, str], object]] = {
    Operation.READ: Clients.read,
    Operation.WRITE: Clients.write,
    Operation.DESCRIBE: Clients.describe,
    Operation.DESCRIBE_CONFIGS: _describe_configs,
    Operation.CREATE: _create,
    Operation.ALTER: _alter,
    Operation.ALTER_CONFIGS: _alter_configs,
    Operation.DELETE: _delete,
}
CELLS = matrix()


def test_the_matrix_has_every_principal_topic_and_operation() -> None:
    assert len(CELLS) == len(PRINCIPALS) * len(CATALOGUE) * len(Operation)
    assert set(ATTEMPTS) == set(Operation)


@pytest.mark.parametrize("topic", [topic.name for topic in CATALOGUE])
@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda principal: principal.role)
def test_a_principal_can_do_what_the_matrix_says_and_nothing_more(
    clients: GetClients, principal: Principal, topic: str
) -> None:
    wanted = {
        cell.operation: cell.allowed for cell in CELLS if cell.principal is principal and cell.topic.name == topic
    }
    held = clients(principal.user)
    found = {operation: allowed(attempt, held, topic) for operation, attempt in ATTEMPTS.items()}
    assert found == wanted


@pytest.mark.parametrize("topic", [topic.name for topic in CATALOGUE])
def test_a_user_without_rights_is_refused_everything(clients: GetClients, topic: str) -> None:
    held = clients(STRANGER)
    assert [operation for operation, attempt in ATTEMPTS.items() if allowed(attempt, held, topic)] == []


GROUPS = ["lotrisk", "lotrisk-consumer", "lotrisk-consumer-pricing", "somebody-else"]
TRANSACTIONS = [
    "lotrisk-dms.vehicles-0",
    "lotrisk-dms.parts-1",
    "lotrisk-lotrisk.totals-0",
    "lotrisk-trade.policy-desk",
    "other",
]


def _may(principal: Principal, resource: Resource, name: str, operation: Operation) -> bool:
    return any(acl.covers(resource, name, operation) for acl in acls(principal))


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda principal: principal.role)
@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_described_and_committed_only_by_its_own(
    clients: GetClients, principal: Principal, group: str
) -> None:
    held = clients(principal.user)
    wanted = _may(principal, Resource.GROUP, group, Operation.DESCRIBE)
    assert allowed(held.admin.describe_groups, [group]) == wanted
    readable = [
        cell.topic.name for cell in CELLS if cell.principal is principal and cell.operation == "Read" and cell.allowed
    ]
    if readable:
        wanted = _may(principal, Resource.GROUP, group, Operation.READ)
        assert allowed(held.read, readable[0], group) == wanted


@pytest.mark.parametrize("principal", PRINCIPALS, ids=lambda principal: principal.role)
@pytest.mark.parametrize("transactional_id", TRANSACTIONS)
def test_a_transactional_id_is_used_only_by_its_own(
    clients: GetClients, principal: Principal, transactional_id: str
) -> None:
    wanted = _may(principal, Resource.TRANSACTIONAL_ID, transactional_id, Operation.WRITE)
    assert allowed(clients(principal.user).begin, transactional_id) == wanted


def test_the_exporters_question_is_one_it_may_ask(clients: GetClients) -> None:
    offsets = clients("lotrisk-exporter").admin.list_group_offsets({"lotrisk": [TopicPartition("dms.vehicles", 0)]})
    assert "lotrisk" in offsets
