"""Who may do what on the brokers: each kind of client, its Kafka user, and the least rights with which it does its job.

Rights on topics follow from the catalogue's writers and readers; the manifests, the commands for `kafka-acls.sh`, the
page of the documentation and the tests that try every cell are made from what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from streams.topics import (
    CATALOGUE,
    GROUPS_ENRICHED,
    PARTS,
    PARTS_ENRICHED,
    POLICY,
    TOTALS,
    VEHICLES,
    VEHICLES_ENRICHED,
    Topic,
)


class Operation(StrEnum):
    """Kafka's operations, as its ACLs name them."""

    READ = "Read"
    WRITE = "Write"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"
    CREATE = "Create"
    ALTER = "Alter"
    ALTER_CONFIGS = "AlterConfigs"
    DELETE = "Delete"


class Resource(StrEnum):
    """Kafka's kinds of resources that lotrisk has rights on; none on the cluster itself is needed."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactionalId"


IMPLIES = {
    Operation.READ: Operation.DESCRIBE,
    Operation.WRITE: Operation.DESCRIBE,
    Operation.ALTER: Operation.DESCRIBE,
    Operation.DELETE: Operation.DESCRIBE,
    Operation.ALTER_CONFIGS: Operation.DESCRIBE_CONFIGS,
}
"""What Kafka's StandardAuthorizer grants along with an operation."""


@dataclass(frozen=True, slots=True)
class Acl:
    """Rights on one resource; `prefixed`: on all whose names begin with `name`."""

    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    prefixed: bool = False

    def covers(self, resource: Resource, name: str, operation: Operation) -> bool:
        """Whether Kafka would allow `operation` on the resource because of this."""
        if resource is not self.resource or not (name.startswith(self.name) if self.prefixed else name == self.name):
            return False
        return operation in self.operations or any(IMPLIES.get(given) is operation for given in self.operations)


@dataclass(frozen=True, slots=True)
class Principal:
    """One kind of client. It reads and writes the topics of the catalogue that name `role`.

    `describes` are topics whose offsets it asks for without reading them; `configs` those whose configs it looks up, to
    know how old a state may be; `transactions` the topics that its transactional ids name; `provisions` creates and
    alters every topic.
    """

    role: str
    job: str
    describes: tuple[Topic, ...] = ()
    configs: tuple[Topic, ...] = ()
    transactions: tuple[Topic, ...] = ()
    joins_group: bool = False
    describes_group: bool = False
    own_groups: bool = False
    provisions: bool = False

    @property
    def user(self) -> str:
        """Its SCRAM user, or the common name of its certificate."""
        return f"lotrisk-{self.role}"


ADMIN = Principal("admin", "creates and alters the topics: `lotrisk topics apply`", provisions=True)
DMS = Principal("dms", "a dealer's system that writes canonical records itself")
FEEDS = Principal("feeds", "loads files: `lotrisk load`; reads what stands, to find what a snapshot leaves out")
POLICY_DESK = Principal(
    "policy",
    "publishes measures: `lotrisk policy publish`; reads the lot for the preview, and heartbeats to see them taken in",
    transactions=(POLICY,),
)
WORKER = Principal(
    "worker",
    "enriches: `lotrisk worker`",
    configs=(VEHICLES_ENRICHED, PARTS_ENRICHED, GROUPS_ENRICHED),
    transactions=(VEHICLES, PARTS, TOTALS),
    joins_group=True,
)
EXPORTER = Principal(
    "exporter", "measures the group's lag: `lotrisk lag`", describes=(VEHICLES, PARTS), describes_group=True
)
CONSUMER = Principal(
    "consumer", "reads what lotrisk publishes: pricing, search, BI; groups of its own", own_groups=True
)
OPERATOR = Principal(
    "operator",
    "a person on call: `lotrisk status`, `lotrisk get`, `lotrisk dlq list`, `lotrisk dlq replay`",
    describes_group=True,
)

PRINCIPALS: tuple[Principal, ...] = (ADMIN, DMS, FEEDS, POLICY_DESK, WORKER, EXPORTER, CONSUMER, OPERATOR)

_PROVISIONING = (Operation.CREATE, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS)


def acls(principal: Principal, *, prefix: str = "", group: str = "lotrisk") -> tuple[Acl, ...]:
    """The rights of `principal` on a cluster whose topics have `prefix` and whose workers' group is `group`.

    Transactional ids are `<group>-<topic>-...`: a worker's name its input, the policy desk's `trade.policy`, so that
    neither can fence the other. A consumer's groups begin with its user's name.
    """
    found = []
    for topic in CATALOGUE:
        if operations := tuple(_on_topic(principal, topic)):
            found.append(Acl(Resource.TOPIC, topic.full_name(prefix), operations))
    if principal.joins_group:
        found.append(Acl(Resource.GROUP, group, (Operation.READ,)))
    if principal.describes_group:
        found.append(Acl(Resource.GROUP, group, (Operation.DESCRIBE,)))
    if principal.own_groups:
        found.append(Acl(Resource.GROUP, principal.user, (Operation.READ,), prefixed=True))
    for topic in principal.transactions:
        found.append(
            Acl(Resource.TRANSACTIONAL_ID, f"{group}-{topic.full_name(prefix)}-", (Operation.WRITE,), prefixed=True)
        )
    return tuple(found)


def _on_topic(principal: Principal, topic: Topic) -> Iterator[Operation]:
    if principal.role in topic.readers:
        yield Operation.READ
    if principal.role in topic.writers:
        yield Operation.WRITE
    if topic in principal.describes:
        yield Operation.DESCRIBE
    if topic in principal.configs:
        yield Operation.DESCRIBE_CONFIGS
    if principal.provisions:
        yield from _PROVISIONING


@dataclass(frozen=True, slots=True)
class Cell:
    """One square of the matrix: may `principal` do `operation` on `topic`?"""

    principal: Principal
    topic: Topic
    operation: Operation
    allowed: bool


def matrix() -> tuple[Cell, ...]:
    """Every principal with every topic and every operation."""
    return tuple(
        Cell(principal, topic, operation, any(acl.covers(Resource.TOPIC, topic.name, operation) for acl in held))
        for principal in PRINCIPALS
        for held in [acls(principal)]
        for topic in CATALOGUE
        for operation in Operation
    )
