"""What comes of one input record: an enriched record, a tombstone, or a rejection with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from streams.enrich.contribution import Contribution
from streams.enrich.episodes import as_raised
from streams.enrich.flags import Candidate


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
    TOTAL_MALFORMED = "total_malformed"


def assemble(body: bytes, flags: bytes, book: str) -> bytes:
    """An enriched value: `body` is the JSON object without its closing brace, `flags` a JSON array."""
    return b'%b,"flags":%b,"book":"%b"}' % (body, flags, book.encode())


class Enriched(NamedTuple):
    """An enriched record but for its open flags and its book, which the lane adds.

    `body`: the JSON object without its closing brace, without `flags` and `book`. `body[:canonical_end]` and a brace
    are the record as it came; -1 where lotrisk's own names were in it, so that it was written anew. `flags`: what the
    record calls for under `book`. `notes`: short codes that the shell counts. `adds`: to the totals, but for the flags.
    """

    key: bytes
    body: bytes
    book: str
    flags: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()
    canonical_end: int = -1
    updated_at: datetime | None = None
    adds: Contribution | None = None

    @property
    def value(self) -> bytes:
        """The enriched record where nothing was open before."""
        return assemble(self.body, as_raised(self.flags, self.updated_at), self.book)


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
