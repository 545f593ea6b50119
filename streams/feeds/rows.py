"""A row's fields put together as a record of its contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import orjson

from streams.feeds.cells import CellValue
from streams.feeds.kind import Kind
from streams.feeds.records import FeedRecord, Problem, validated
from streams.feeds.table import CUT_OFF, RowReading


def row_record(
    kind: Kind, line: int, reading: RowReading, dealer: str | None, updated_at: str | None
) -> Iterator[FeedRecord | Problem]:
    """A row's record, a tombstone if it says that the unit left the lot, or all its problems.

    Problems carry the key where the row's identity is legible.
    """
    fields, problems = reading.fields, reading.problems
    if dealer:
        fields.setdefault("dealer_id", dealer)
    if updated_at:
        fields.setdefault("updated_at", updated_at)
    unread = {problem.field for problem in problems if problem.fatal}
    for field, remedy in (("dealer_id", "add --dealer ID or a dealer column"), (kind.id_field, "fill it in")):
        if field not in fields and unread.isdisjoint({field, "row", CUT_OFF}):
            problems.append(Problem(line, field, f"missing; {remedy}"))
    if any(problem.fatal for problem in problems):
        key = f"{fields['dealer_id']}:{fields[kind.id_field]}".encode() if _named(kind, fields) else None
        yield from (Problem(p.line, p.field, p.what, p.fatal, key) for p in problems)
        return
    yield from problems
    left = [fields.pop(field, False) for field in ("lot_status", "deleted")]
    ordered = {"dealer_id": fields.pop("dealer_id"), kind.id_field: fields.pop(kind.id_field)}
    # orjson's bytes keep the buffer they were written in, several times their length: a whole feed is held in memory.
    value = bytes(memoryview(orjson.dumps(ordered | fields | reading.extras)))
    result = validated(kind, line, value)
    if isinstance(result, FeedRecord):
        yield replace(result, value=None) if any(left) else result
    else:
        key = f"{ordered['dealer_id']}:{ordered[kind.id_field]}".encode()
        yield from (Problem(p.line, p.field, p.what, True, p.key or key) for p in result)


def _named(kind: Kind, fields: dict[str, CellValue]) -> bool:
    return "dealer_id" in fields and kind.id_field in fields
