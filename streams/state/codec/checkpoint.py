"""The checkpoint: up to where the state has taken the enriched partition in, and when that was so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import orjson

from streams.state import layout

FORMAT: Final = 2
"""Of the bytes in the state's directory; raise it with any change of `streams.state.codec`."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`position`: next offset of the enriched partition to take in; `saved_at_ms`: when it was that, Unix ms."""

    topic: str
    topic_id: str
    position: int
    saved_at_ms: int
    format: int = FORMAT
    layout: int = layout.VERSION

    def encode(self) -> bytes:
        """As JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def decode(cls, data: bytes) -> Checkpoint:
        """Read it.

        Raises:
            ValueError: not a checkpoint.
        """
        fields = orjson.loads(data)
        try:
            found = cls(**fields)
        except TypeError as error:
            raise ValueError(f"not a checkpoint: {data[:200]!r}") from error
        kept = (found.topic, found.topic_id, found.position, found.saved_at_ms, found.format, found.layout)
        if [type(part) for part in kept] != [str, str, int, int, int, int]:
            raise ValueError(f"not a checkpoint: {data[:200]!r}")
        return found
