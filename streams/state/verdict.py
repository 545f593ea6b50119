"""Whether a checkpoint may still be continued from, or the state has to be built anew from the topic."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from streams.state import layout
from streams.state.codec.checkpoint import FORMAT, Checkpoint

CLOCK_TOLERANCE_MS: Final = 300_000
"""How far a checkpoint may lie in the future before the clocks are not believed."""


class Rebuilt(StrEnum):
    """Why a state was thrown away and built anew."""

    DAMAGED = "damaged"
    UNFINISHED = "unfinished"
    FORMAT = "format"
    TOPIC_RECREATED = "topic_recreated"
    AHEAD = "ahead"
    TRUNCATED = "truncated"
    TOO_OLD = "too_old"


@dataclass(frozen=True, slots=True)
class EnrichedPartition:
    """The enriched partition as it stands: `begin` and `end` (last stable offset) of its log."""

    topic: str
    topic_id: str
    delete_retention_ms: int
    begin: int
    end: int


def why_rebuild(
    checkpoint: Checkpoint, partition: EnrichedPartition, now_ms: int, *, exactly_once: bool
) -> Rebuilt | None:
    """Why the state can't be continued from its checkpoint; None where it can.

    Compaction removes a tombstone `delete.retention.ms` after it came to stand in a cleaned part of the log. A state
    that never saw it would keep what was sold; half of that time leaves room for a slow restore and for clocks. An old
    checkpoint is good all the same where nothing was written since: in exactly once a record has its transaction's
    marker behind it, so a single offset after the last one taken in is only the marker of that one.
    """
    if checkpoint.format != FORMAT or checkpoint.layout != layout.VERSION:
        return Rebuilt.FORMAT
    if checkpoint.topic != partition.topic or checkpoint.topic_id != partition.topic_id:
        return Rebuilt.TOPIC_RECREATED
    if checkpoint.position > partition.end:
        return Rebuilt.AHEAD
    if checkpoint.position < partition.begin:
        return Rebuilt.TRUNCATED
    if partition.end - checkpoint.position <= (1 if exactly_once else 0):
        return None
    age = now_ms - checkpoint.saved_at_ms
    if not -CLOCK_TOLERANCE_MS <= age <= partition.delete_retention_ms // 2:
        return Rebuilt.TOO_OLD
    return None
