"""What a lane asks about what it published before. The view itself comes later; until then every record is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Held:
    """What was last published under a key: digest of the output, its order key, and when the DMS changed the record."""

    digest: bytes
    order: tuple[str, int, str]
    updated_at: str | None


class PartitionState(Protocol):
    """The state of one input partition. It belongs to its lane; nobody else touches it."""

    async def restore(self) -> None:
        """Bring the view to the end of the enriched partition; after the producer's start, before the first batch."""

    def held(self, key: bytes) -> Held | None:
        """What was last published under `key`; None for a new or a removed one."""

    def apply(self, published: Mapping[bytes, Held | None], next_offset: int) -> None:
        """Take in what a committed batch published; None is a tombstone. Never before the commit."""


class EveryRecordNew:
    """The state that remembers nothing: no record is unchanged or superseded."""

    async def restore(self) -> None:
        """Nothing to restore."""

    def held(self, key: bytes) -> Held | None:
        """Always None."""
        return None

    def apply(self, published: Mapping[bytes, Held | None], next_offset: int) -> None:
        """Forget it."""
