"""What a feed file turns into: records ready to publish, and what is wrong with the lines that aren't."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas import fields
from schemas.part import Part
from schemas.vehicle import Vehicle
from streams.feeds.kind import Kind
from streams.topics import INPUT_MAX_BYTES

_FRAMING_BYTES = 128
"""A record batch's header (61 bytes) and the longest record header, rounded up."""


_MODELS: dict[Kind, type[BaseModel]] = {Kind.VEHICLES: Vehicle, Kind.PARTS: Part}


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """One record to publish. `value` None is a tombstone; `line` is 0 for a record the file doesn't hold.

    `partition` is set where the record it removes lies elsewhere than its key says.
    """

    kind: Kind
    line: int
    dealer_id: str
    ident: str
    value: bytes | None
    partition: int | None = None

    @property
    def key(self) -> bytes:
        """The record's key on its topic, `dealer_id:vin` or `dealer_id:part_number`."""
        return f"{self.dealer_id}:{self.ident}".encode()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about one line. `fatal` lines are not published; the others are, without the value named.

    `key` is the record's key where the line's identity is legible: a snapshot leaves that record alone.
    """

    line: int
    field: str
    what: str
    fatal: bool = True
    key: bytes | None = None

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.what}"


def validated(kind: Kind, line: int, value: bytes) -> FeedRecord | list[Problem]:
    """The record a JSON object holds, or everything that is wrong with it by the contract of `kind`.

    The value is kept as it came. A record too large for the topic is refused with its size.
    """
    try:
        model = _MODELS[kind].__pydantic_validator__.validate_json(value)
    except ValidationError as error:
        return [
            Problem(line, ".".join(map(str, found["loc"])) or "record", fault(found))
            for found in error.errors(include_url=False)
        ]
    dealer_id: str = model.dealer_id
    ident: str = getattr(model, kind.id_field)
    record = FeedRecord(kind, line, dealer_id, ident, value)
    size = len(value) + len(record.key) + _FRAMING_BYTES
    if size > INPUT_MAX_BYTES:
        what = f"{size:,} bytes with its key; {kind.topic.name} takes {INPUT_MAX_BYTES:,}: leave out photos or options"
        return [Problem(line, "record", what, key=record.key)]
    return record


def _pattern(annotated: object) -> str:
    (constraint, *_) = annotated.__metadata__  # type: ignore[attr-defined]  # Annotated's own, which object lacks
    return str(constraint.pattern)


_FORMS = {
    _pattern(fields.Vin): "a VIN has 17 digits and capital letters, never I, O or Q",
    _pattern(fields.DealerId): "write 1 to 64 characters without a colon, which separates the parts of a key",
    _pattern(fields.PartNumber): "write 1 to 64 printable characters",
    _pattern(fields.Usd): 'write dollars as text, 0 or more, with two decimals at most, like "38990.00"',
    _pattern(fields.Day): 'write a day like "2026-10-01"',
    _pattern(fields.Moment): 'write a moment with its offset, like "2026-10-01T09:30:00Z"',
    _pattern(fields.HtsNumber): 'write 4, 6, 8 or 10 digits, like "8708.30.50"',
    _pattern(fields.Country): 'write the ISO code of two letters, like "MX"',
}
"""What the contracts' patterns ask for, in words."""


def _what(error: ErrorDetails) -> str:
    """A fault in words that say what to write."""
    if error["type"] == "string_pattern_mismatch":
        return _FORMS.get(error["ctx"]["pattern"], error["msg"])
    if error["type"] == "string_type":
        return 'write it as text, in quotes, like "38990.00"' if str(error["loc"][-1]).endswith("_usd") else _AS_TEXT
    return error["msg"]


_AS_TEXT = "write it as text, in quotes"


def fault(error: ErrorDetails) -> str:
    """What is wrong with a field and what to write, with the value as it came."""
    message, value = _what(error), error.get("input")
    shown = repr(value) if isinstance(value, str | int | float | bool) else ""
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return f"{shown}: {message}" if shown else message
