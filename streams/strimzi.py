"""Strimzi's `KafkaTopic` and `KafkaUser` resources, made of the catalogues of topics and principals, as YAML text.

The v1 API (Strimzi 0.49 and later). The documents are plain dictionaries, so that tests can hold them to the catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from streams.principals import PRINCIPALS, Acl, Principal, acls
from streams.topics import plan

API_VERSION = "kafka.strimzi.io/v1"

Node = str | int | bool | Mapping[str, "Node"] | Sequence["Node"]
Document = Mapping[str, Node]


def topic_documents(*, prefix: str, partitions: int, replication_factor: int, cluster: str) -> tuple[Document, ...]:
    """One `KafkaTopic` a topic of the catalogue, as `lotrisk topics apply` would create it."""
    return tuple(
        {
            "apiVersion": API_VERSION,
            "kind": "KafkaTopic",
            "metadata": {"name": _object_name(step.name), "labels": {"strimzi.io/cluster": cluster}},
            "spec": {
                "topicName": step.name,
                "partitions": step.partitions,
                "replicas": replication_factor,
                "config": dict(step.configs),
            },
        }
        for step in plan({}, prefix=prefix, partitions=partitions, replication_factor=replication_factor)
    )


def user_documents(*, prefix: str, group: str, cluster: str) -> tuple[Document, ...]:
    """One `KafkaUser` a principal: SCRAM-SHA-512, and its ACLs.

    Strimzi writes the password into a Secret of the user's name. The principal that provisions topics is left out:
    here the topics are Strimzi's.
    """
    return tuple(
        {
            "apiVersion": API_VERSION,
            "kind": "KafkaUser",
            "metadata": {"name": principal.user, "labels": {"strimzi.io/cluster": cluster}},
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                "authorization": {
                    "type": "simple",
                    "acls": [_acl(acl) for acl in acls(principal, prefix=prefix, group=group)],
                },
            },
        }
        for principal in PRINCIPALS
        if not principal.provisions
    )


def _acl(acl: Acl) -> Document:
    return {
        "resource": {
            "type": acl.resource.value,
            "name": acl.name,
            "patternType": "prefix" if acl.prefixed else "literal",
        },
        "operations": [operation.value for operation in acl.operations],
    }


def acl_commands(principal: Principal, *, prefix: str, group: str) -> tuple[str, ...]:
    """The arguments of Kafka's own `kafka-acls.sh` that give `principal` its rights; one call a resource."""
    option = {"topic": "--topic", "group": "--group", "transactionalId": "--transactional-id"}
    return tuple(
        " ".join(
            [
                "--add",
                f"--allow-principal User:{principal.user}",
                *(f"--operation {operation.value}" for operation in acl.operations),
                f"{option[acl.resource]} {acl.name}",
                f"--resource-pattern-type {'prefixed' if acl.prefixed else 'literal'}",
            ]
        )
        for acl in acls(principal, prefix=prefix, group=group)
    )


def render(documents: Iterable[Document]) -> str:
    """`documents` as one YAML stream: block style, every text that is not a plain word in double quotes."""
    return "".join("---\n" + "\n".join(_lines(document, 0)) + "\n" for document in documents)


def _lines(node: Node, depth: int) -> list[str]:
    pad = "  " * depth
    found = []
    if isinstance(node, Mapping):
        for key, value in node.items():
            if isinstance(value, str | int) or not value:
                found.append(f"{pad}{_scalar(key)}: {_scalar(value)}")
            else:
                found += [f"{pad}{_scalar(key)}:", *_lines(value, depth + 1)]
        return found
    assert isinstance(node, Sequence)
    for value in node:
        if isinstance(value, str | int) or not value:
            found.append(f"{pad}- {_scalar(value)}")
        else:
            first, *rest = _lines(value, depth + 1)
            found += [f"{pad}- {first.lstrip()}", *rest]
    return found


def _scalar(value: Node) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        plain = value.replace("-", "").replace(".", "").replace("/", "")
        words = plain.isalnum() and value[0].isalpha() and value.isascii()
        # YAML 1.1 takes these words for booleans and nothing.
        return value if words and value.lower() not in _NOT_TEXT else json.dumps(value, ensure_ascii=False)
    return "{}" if isinstance(value, Mapping) else "[]"


_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def _object_name(topic: str) -> str:
    """A Kubernetes name: lower case, without underscores; Kafka's own name stands in `topicName`."""
    return topic.lower().replace("_", "-").strip("-.")
