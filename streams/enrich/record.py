"""What vehicles and parts share at the edge of the core: bytes to a validated record, and the enriched bytes back.

The enriched value is the record as it came with lotrisk's members spliced in, so that every field of the producer
keeps its own spelling. Only a record that uses one of lotrisk's own names is written anew, with those fields under
`producer`.
"""

from __future__ import annotations

from typing import Final, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from streams.enrich.outcome import Reason, Rejected, Removed

_MOST_PROBLEMS: Final = 5
_MOST_SHOWN: Final = 60

M = TypeVar("M", bound=BaseModel)


def read_record(key: bytes | None, value: bytes | None, model: type[M], identity: str) -> M | Removed | Rejected:
    """Check key and value of an input record and parse it.

    `identity`: the field that follows the dealer in the key, `vin` or `part_number`. A null value is a tombstone.
    """
    if key is None:
        return Rejected(Reason.NULL_KEY, f"the record has no key; send it with the key dealer_id:{identity}")
    if value is None:
        return Removed(key)
    try:
        record = model.__pydantic_validator__.validate_json(value)
    except ValidationError as error:
        return _why_invalid(value, error, identity)
    assert isinstance(record, model)
    # The contract's own numbers are finite; only among other fields the parser lets pass what JSON doesn't know.
    if (
        record.__pydantic_extra__
        and (b"NaN" in value or b"Infinity" in value)
        and (problem := _not_json(value)) is not None
    ):
        return problem
    fields = record.__dict__
    expected = f"{fields['dealer_id']}:{fields[identity]}".encode()
    if key != expected:
        return Rejected(
            Reason.KEY_MISMATCH,
            f"the key is {_shown(key.decode('utf-8', 'backslashreplace'))}, the value's dealer_id and {identity} make "
            f"{_shown(expected.decode())}; send it with that key",
        )
    return record


def splice(value: bytes, extra: dict[str, object] | None, owned: frozenset[str], *members: bytes) -> tuple[bytes, int]:
    """The record `value` with `members` (JSON members without braces) added, without the closing brace.

    `extra`: the fields of the record that the contract doesn't name. Those with one of the `owned` names go under
    `producer`. Second: where the record as it came ends in it; -1 where it was written anew.
    """
    if extra and not owned.isdisjoint(extra):
        fields: dict[str, object] = orjson.loads(value)
        producer = {name: fields.pop(name) for name in list(fields) if name in owned}
        return b"".join((orjson.dumps(fields)[:-1], b',"producer":', orjson.dumps(producer), b",", *members)), -1
    end = value.rindex(b"}")
    return b"".join((value[:end], b",", *members)), end


def _not_json(value: bytes) -> Rejected | None:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected(Reason.NOT_UTF8, f"byte {error.start} of the value isn't UTF-8; send the value as UTF-8 JSON")
    if text.startswith("\ufeff"):
        return Rejected(Reason.NOT_JSON, "the value begins with a byte-order mark; send it without")
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return Rejected(
            Reason.NOT_JSON, f"the value isn't JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        )
    return None


def _why_invalid(value: bytes, error: ValidationError, identity: str) -> Rejected:
    problem = _not_json(value)
    if problem is not None:
        return problem
    problems = error.errors(include_url=False, include_context=False)
    by_field = {str(one["loc"][0]): one for one in problems if one["loc"]}
    dealer = by_field.get("dealer_id")
    if dealer is not None and isinstance(dealer["input"], str) and ":" in dealer["input"]:
        return Rejected(
            Reason.DEALER_ID_COLON,
            f"dealer_id {_shown(dealer['input'])} holds a colon, which separates the parts of a key; use another sign",
        )
    number = by_field.get(identity)
    if identity == "vin" and number is not None and isinstance(number["input"], str):
        return Rejected(Reason.VIN_INVALID, vin_problem(number["input"]))
    shown = [
        f"{'.'.join(str(part) for part in one['loc']) or 'value'}: {one['msg']}"
        + (f", got {_shown(one['input'])}" if one["type"] != "missing" else "")
        for one in problems[:_MOST_PROBLEMS]
    ]
    if len(problems) > _MOST_PROBLEMS:
        shown.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return Rejected(Reason.SCHEMA_INVALID, "; ".join(shown))


def vin_problem(vin: str) -> str:
    """Why a string isn't a VIN, in words."""
    if len(vin) != 17:
        return f"vin {_shown(vin)} has {len(vin)} characters; a VIN has 17"
    wrong = sorted({sign for sign in vin if sign not in "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"})
    return f"vin {_shown(vin)} holds {', '.join(wrong)}; a VIN has capital letters and digits, never I, O or Q"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"
