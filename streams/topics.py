"""The topic catalogue: every topic lotrisk reads or writes, with its key, policy and limits; names stand only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

INPUT_MAX_BYTES = 1_048_576
"""Largest input record, value and key and headers together with the batch's own framing."""
OUTPUT_MAX_BYTES = INPUT_MAX_BYTES + 65_536
"""Largest enriched record or dead letter: an input plus what lotrisk adds."""

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `partitions` None means the common count of the settings."""

    name: str
    key: str
    holds: str
    writers: tuple[str, ...]
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


_AHEAD = {"message_timestamp_after_max_ms": str(7 * _DAY_MS)}
"""A DMS clock may be ahead: accepted on input, clamped on output and counted."""

VEHICLES = Topic(
    "dms.vehicles",
    "dealer_id:vin",
    "canonical vehicle records",
    ("dms", "feeds"),
    configs=_compact(INPUT_MAX_BYTES, **_AHEAD),
)
PARTS = Topic(
    "dms.parts",
    "dealer_id:part_number",
    "canonical part records",
    ("dms", "feeds"),
    configs=_compact(INPUT_MAX_BYTES, **_AHEAD),
)
POLICY = Topic(
    "trade.policy",
    "measure id",
    "versions of measures",
    ("policy",),
    partitions=1,
    keyed=False,
    configs=_delete(INPUT_MAX_BYTES, -1),
)
VEHICLES_ENRICHED = Topic(
    "vehicles.enriched",
    "dealer_id:vin",
    "vehicle, exposure, tariff, open flags",
    ("worker",),
    configs=_compact(OUTPUT_MAX_BYTES),
)
PARTS_ENRICHED = Topic(
    "parts.enriched",
    "dealer_id:part_number",
    "part, exposure, tariff, open flags",
    ("worker",),
    configs=_compact(OUTPUT_MAX_BYTES),
)
FLAGS = Topic(
    "risk.flags",
    "record key + flag type",
    "flags raised, changed, cleared",
    ("worker",),
    configs=_delete(OUTPUT_MAX_BYTES, 365 * _DAY_MS),
)
TOTALS = Topic(
    "lotrisk.totals",
    "group + source partition",
    "totals of one partition for one group",
    ("worker",),
    configs=_compact(INPUT_MAX_BYTES),
)
GROUPS_ENRICHED = Topic(
    "groups.enriched", "group", "summed totals and open group flags", ("worker",), configs=_compact(INPUT_MAX_BYTES)
)
WORKERS = Topic(
    "lotrisk.workers",
    "worker id",
    "heartbeat, book, partitions, progress",
    ("worker",),
    partitions=1,
    keyed=False,
    configs=_compact(INPUT_MAX_BYTES),
)
VEHICLES_DLQ = Topic(
    "dms.vehicles.dlq",
    "original key",
    "vehicle records that could not be enriched, untouched",
    ("worker",),
    configs=_delete(OUTPUT_MAX_BYTES, 90 * _DAY_MS),
)
PARTS_DLQ = Topic(
    "dms.parts.dlq",
    "original key",
    "part records that could not be enriched, untouched",
    ("worker",),
    configs=_delete(OUTPUT_MAX_BYTES, 90 * _DAY_MS),
)

CATALOGUE: tuple[Topic, ...] = (
    VEHICLES, PARTS, POLICY, VEHICLES_ENRICHED, PARTS_ENRICHED, FLAGS, TOTALS, GROUPS_ENRICHED, WORKERS,
    VEHICLES_DLQ, PARTS_DLQ,
)  # fmt: skip
