"""Canonical records as JSON Lines: one object a line, published byte for byte as it came.

A vehicle is told by `vin`, a part by `part_number`. An object of `dealer_id`, `vin` or `part_number`, and
`"deleted": true`, and nothing else, is a record that left the lot: a tombstone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.fields import DealerId, PartNumber, Vin
from streams.feeds.kind import Kind
from streams.feeds.records import FeedRecord, Problem, validated

_DEALER: TypeAdapter[str] = TypeAdapter(DealerId)
_IDENT: dict[Kind, TypeAdapter[str]] = {Kind.VEHICLES: TypeAdapter(Vin), Kind.PARTS: TypeAdapter(PartNumber)}


def read_json_lines(lines: Iterable[bytes], kind: Kind | None = None) -> Iterator[FeedRecord | Problem]:
    """The records of the lines; `kind` None is told by each object. Empty lines are left out."""
    for number, raw in enumerate(lines, start=1):
        line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        line = line.strip()
        if line:
            yield from _read(number, line, kind)


def _read(number: int, line: bytes, kind: Kind | None) -> Iterator[FeedRecord | Problem]:
    if kind is None:
        kind = Kind.VEHICLES if b'"vin"' in line else Kind.PARTS if b'"part_number"' in line else None
    if b'"deleted"' in line or kind is None or (b'"vin"' in line and b'"part_number"' in line):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Problem(number, "record", f"not JSON: {error}; write one record a line, for instance with: jq -c .")
            return
        if not isinstance(value, dict):
            yield Problem(number, "record", "not a JSON object; write one record a line")
            return
        kind = Kind.VEHICLES if "vin" in value else Kind.PARTS if "part_number" in value else kind
        if kind is None:
            yield Problem(number, "record", "neither vin nor part_number; add one, or say --kind")
            return
        if value.get("deleted") is True:
            yield from _deleted(number, kind, value)
            return
    result = validated(kind, number, line)
    if isinstance(result, FeedRecord):
        yield result
    else:
        key = _legible_key(kind, line)
        yield from (Problem(p.line, p.field, p.what, True, p.key or key) for p in result)


def _deleted(number: int, kind: Kind, value: dict[str, object]) -> Iterator[FeedRecord | Problem]:
    more = value.keys() - {"dealer_id", kind.id_field, "deleted"}
    if more:
        what = (
            f"stands beside {', '.join(sorted(more))[:60]}; of a unit that left say only dealer_id and {kind.id_field}"
        )
        yield Problem(number, "deleted", what, key=_key(kind, value))
        return
    try:
        dealer_id = _DEALER.validate_python(value.get("dealer_id"))
        ident = _IDENT[kind].validate_python(value[kind.id_field])
    except ValidationError as error:
        yield Problem(number, "record", f"can't say what was deleted: {error.errors()[0]['msg']}")
        return
    yield FeedRecord(kind, number, dealer_id, ident, None)


def deletion(record: FeedRecord) -> bytes:
    """The line that stands for a tombstone."""
    return orjson.dumps({"dealer_id": record.dealer_id, record.kind.id_field: record.ident, "deleted": True})


def _legible_key(kind: Kind, line: bytes) -> bytes | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return _key(kind, value) if isinstance(value, dict) else None


def _key(kind: Kind, value: dict[str, object]) -> bytes | None:
    dealer_id, ident = value.get("dealer_id"), value.get(kind.id_field)
    return f"{dealer_id}:{ident}".encode() if isinstance(dealer_id, str) and isinstance(ident, str) else None
