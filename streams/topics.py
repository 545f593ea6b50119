"""The topic catalogue: every topic lotrisk reads or writes, with its key, policy and limits; names stand only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

INPUT_MAX_BYTES = 1_048_576
"""Largest input record, value and key and headers together with the batch's own framing."""
OUTPUT_MAX_BYTES = INPUT_MAX_BYTES + 65_536
"""Largest enriched record or dead letter: an input plus what lotrisk adds."""

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `partitions` None means the common count of the settings.

    `writers` and `readers` are roles; `streams.principals` makes users and rights of them.
    """

    name: str
    key: str
    holds: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int | None = None
    keyed: bool = True
    configs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def full_name(self, prefix: str = "") -> str:
        """The topic's name on a cluster, `prefix` in front."""
        return f"{prefix}{self.name}"


def _compact(max_bytes: int, **more: str) -> Mapping[str, str]:
    return MappingProxyType(
        {"cleanup.policy": "compact", "max.message.bytes": str(max_bytes)}
        | {k.replace("_", "."): v for k, v in more.items()}
    )


def _delete(max_bytes: int, retention_ms: int) -> Mapping[str, str]:
    return MappingProxyType(
        {"cleanup.policy": "delete", "max.message.bytes": str(max_bytes), "retention.ms": str(retention_ms)}
    )


_STATE = {"delete_retention_ms": str(_DAY_MS)}
"""A worker's checkpoint older than half of this is thrown away: it would not see the tombstones that were compacted."""
_AHEAD = {"message_timestamp_after_max_ms": str(7 * _DAY_MS)}
"""A DMS clock may be ahead: accepted on input, clamped on output and counted."""

VEHICLES = Topic(
    "dms.vehicles",
    "dealer_id:vin",
    "canonical vehicle records",
    ("dms", "feeds", "operator"),
    ("worker", "feeds", "operator"),
    configs=_compact(INPUT_MAX_BYTES, **_AHEAD),
)
PARTS = Topic(
    "dms.parts",
    "dealer_id:part_number",
    "canonical part records",
    ("dms", "feeds", "operator"),
    ("worker", "feeds", "operator"),
    configs=_compact(INPUT_MAX_BYTES, **_AHEAD),
)
POLICY = Topic(
    "trade.policy",
    "measure id",
    "versions of measures",
    ("policy",),
    ("worker", "policy", "operator"),
    partitions=1,
    keyed=False,
    configs=_delete(INPUT_MAX_BYTES, -1),
)
VEHICLES_ENRICHED = Topic(
    "vehicles.enriched",
    "dealer_id:vin",
    "vehicle, exposure, tariff, open flags",
    ("worker",),
    ("worker", "consumer", "policy", "operator"),
    configs=_compact(OUTPUT_MAX_BYTES, **_STATE),
)
PARTS_ENRICHED = Topic(
    "parts.enriched",
    "dealer_id:part_number",
    "part, exposure, tariff, open flags",
    ("worker",),
    ("worker", "consumer", "policy", "operator"),
    configs=_compact(OUTPUT_MAX_BYTES, **_STATE),
)
FLAGS = Topic(
    "risk.flags",
    "record key + flag type",
    "flags raised, changed, cleared",
    ("worker",),
    ("consumer", "operator"),
    configs=_delete(OUTPUT_MAX_BYTES, 365 * _DAY_MS),
)
TOTALS = Topic(
    "lotrisk.totals",
    "group + source partition",
    "totals of one partition for one group",
    ("worker",),
    ("worker",),
    configs=_compact(INPUT_MAX_BYTES),
)
GROUPS_ENRICHED = Topic(
    "groups.enriched",
    "group",
    "summed totals and open group flags",
    ("worker",),
    ("worker", "consumer", "operator"),
    configs=_compact(OUTPUT_MAX_BYTES, **_STATE),
)
WORKERS = Topic(
    "lotrisk.workers",
    "worker id",
    "heartbeat, book, partitions, progress",
    ("worker",),
    ("worker", "policy", "operator"),
    partitions=1,
    keyed=False,
    # A beat every few seconds for ever, and every start reads all of it: small segments, so that the cleaner, which
    # never touches the one being written, keeps it small.
    configs=_compact(
        INPUT_MAX_BYTES,
        segment_bytes=str(4 * INPUT_MAX_BYTES),
        segment_ms=str(_DAY_MS // 24),
        min_cleanable_dirty_ratio="0.1",
        delete_retention_ms=str(_DAY_MS),
    ),
)
VEHICLES_DLQ = Topic(
    "dms.vehicles.dlq",
    "original key",
    "vehicle records that could not be enriched, untouched",
    ("worker",),
    ("operator",),
    configs=_delete(OUTPUT_MAX_BYTES, 90 * _DAY_MS),
)
PARTS_DLQ = Topic(
    "dms.parts.dlq",
    "original key",
    "part records that could not be enriched, untouched",
    ("worker",),
    ("operator",),
    configs=_delete(OUTPUT_MAX_BYTES, 90 * _DAY_MS),
)

CATALOGUE: tuple[Topic, ...] = (
    VEHICLES, PARTS, POLICY, VEHICLES_ENRICHED, PARTS_ENRICHED, FLAGS, TOTALS, GROUPS_ENRICHED, WORKERS,
    VEHICLES_DLQ, PARTS_DLQ,
)  # fmt: skip


class Action(StrEnum):
    """What `topics apply` would do with a topic."""

    CREATE = "create"
    ALTER = "alter"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as it stands on the cluster; `configs` holds every config in force, defaults too."""

    partitions: int
    configs: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with one topic, and why: `differences` are sentences, `configs` what is to be set."""

    topic: Topic
    name: str
    action: Action
    partitions: int
    differences: tuple[str, ...] = ()
    configs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def plan(found: Mapping[str, FoundTopic], *, prefix: str, partitions: int, replication_factor: int) -> tuple[Step, ...]:
    """What it takes to bring a cluster to the catalogue; `found` are its topics by full name.

    A topic whose partition count differs is refused: fewer can't be had from Kafka, and more would send a key's next
    record to another partition than its history, and so break its order, its state and its transactions.
    """
    return tuple(_step(topic, found, prefix, partitions, replication_factor) for topic in CATALOGUE)


def _step(topic: Topic, found: Mapping[str, FoundTopic], prefix: str, common: int, replication_factor: int) -> Step:
    name, wanted = topic.full_name(prefix), topic.partitions or common
    held = found.get(name)
    if held is None:
        # Only at creation, like the replication factor: what operators changed later is theirs.
        safe = {"min.insync.replicas": str(replication_factor - 1)} if replication_factor > 2 else {}
        return Step(topic, name, Action.CREATE, wanted, configs=MappingProxyType({**topic.configs, **safe}))
    changed = {key: value for key, value in topic.configs.items() if held.configs.get(key) != value}
    differences = [f"{key}: {held.configs.get(key)} -> {value}" for key, value in changed.items()]
    action = Action.ALTER if changed else Action.UNCHANGED
    if held.partitions != wanted:
        action = Action.REFUSED
        differences.insert(0, _refusal(topic, held.partitions, wanted))
    return Step(topic, name, action, wanted, tuple(differences), MappingProxyType(changed))


def _refusal(topic: Topic, held: int, wanted: int) -> str:
    counts = f"has {held} partition{'s' if held != 1 else ''}, {wanted} wanted"
    if topic.partitions is not None:
        return f"{counts}: it is one log in one order; move what it holds into a new topic of {wanted}"
    if held > wanted:
        return f"{counts}: Kafka can't remove partitions; set LOTRISK_PARTITIONS={held}, or use another prefix"
    return (
        f"{counts}: keys would move away from their history; set LOTRISK_PARTITIONS={held}, "
        "or make new topics under another prefix and load them again"
    )
