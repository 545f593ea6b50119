"""What comes of one input record: an enriched record, a tombstone, or a rejection with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Why a record can't be enriched; the `error.reason` of its dead letter."""

    NULL_KEY = "null_key"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    SCHEMA_INVALID = "schema_invalid"
    VIN_INVALID = "vin_invalid"
    CHECK_DIGIT = "check_digit"
    KEY_MISMATCH = "key_mismatch"
    DEALER_ID_COLON = "dealer_id_colon"
    TOO_LARGE = "too_large"


class Enriched(NamedTuple):
    """The key and the JSON value for the enriched topic; `notes` are short codes the shell counts."""

    key: bytes
    value: bytes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Removed:
    """The unit left the lot: a tombstone for the enriched topic."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record for the dead-letter topic; `detail` says what is wrong, where, and what to do."""

    reason: Reason
    detail: str


Outcome = Enriched | Removed | Rejected
