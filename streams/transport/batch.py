"""A run of records of one input partition: the unit that Faust carries and a lane works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from faust.types import TP

Headers = Sequence[tuple[str, bytes | None]]

RECORD_BYTES = 100
"""What a record takes beside its key and value, roughly."""


class InputRecord(Protocol):
    """What the transport reads of a fetched record."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class RecordBatch:
    """Records of one partition, in offset order. Open for joining until a lane seals it."""

    __slots__ = ("bytes", "generation", "records", "sealed", "tp")

    def __init__(self, tp: TP, generation: int) -> None:
        self.tp = tp
        self.generation = generation
        self.records: list[InputRecord] = []
        self.bytes = 0
        self.sealed = False

    def join(self, records: Sequence[InputRecord]) -> None:
        """Append records fetched after those the batch holds.

        Raises:
            ValueError: the batch is sealed, or the records don't follow it.
        """
        if self.sealed:
            raise ValueError(f"{self.tp}: the batch is sealed")
        if self.records and records[0].offset <= self.records[-1].offset:
            raise ValueError(f"{self.tp}: offset {records[0].offset} does not follow {self.records[-1].offset}")
        self.records.extend(records)
        size = RECORD_BYTES * len(records)
        for record in records:
            size += len(record.key or b"") + len(record.value or b"")
        self.bytes += size

    @property
    def topic(self) -> str:
        """Name of the input topic."""
        return str(self.tp.topic)

    @property
    def partition(self) -> int:
        """Number of the input partition."""
        return int(self.tp.partition)

    @property
    def first_offset(self) -> int:
        """Offset of the first record."""
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        """Offset of the last record; grows while the batch is open."""
        return self.records[-1].offset

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        span = f"{self.first_offset}-{self.last_offset}" if self.records else "empty"
        return f"<RecordBatch {self.topic}[{self.partition}] {span}, {len(self)} records>"
