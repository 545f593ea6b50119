"""The layout of an enriched value, written and read in one place: body, open flags, book.

    <canonical members>,<lotrisk's members>,"flags":[...],"book":"1.0.-1.2026-09-29"}
                       ^ canonical_end     ^ flags_start  ^ book_start

The header `lotrisk.layout` holds these offsets, when the DMS changed the record, and the digest, so that a restore
takes a record apart without parsing or hashing it: `canonical_end/flags_start/book_start/updated_at_ms/digest`.
`canonical_end` is -1 where the body was written anew because the producer uses lotrisk's own names; the time is empty
where the DMS says none; time and digest (hexadecimal) may be left out.
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from streams.compiled import COMPILED
from streams.enrich.outcome import assemble

HEADER: Final = "lotrisk.layout"
VERSION: Final = 1
"""Of what a state takes out of a record; a state of another version is built anew."""
UNKNOWN_DIGEST: Final = bytes(16)

FLAGS: Final = b',"flags":'
BOOK: Final = b',"book":"'
_TIME_LIMIT: Final = 2**62
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


if TYPE_CHECKING or not COMPILED:

    def _digest(*parts: bytes) -> bytes:
        """BLAKE2b of the parts, as if joined."""
        return blake2b(b"".join(parts), digest_size=16).digest()
else:
    from streams._compiled import digest as _digest


class Parts(NamedTuple):
    """An enriched value taken apart; see `streams.state.view.Held`. `book` is None where the value has none."""

    canonical: bytes
    digest: bytes
    flags: bytes
    book: str | None
    updated_at_ms: int | None


def digest_of(body: bytes, flags: bytes) -> bytes:
    """16 bytes that differ when what an output says differs; book, ids and order key are not part of it."""
    return _digest(body, FLAGS, flags)


def finish(
    body: bytes, flags: bytes, book: str, *, canonical_end: int, updated_at_ms: int | None, digest: bytes | None = None
) -> tuple[bytes, bytes]:
    """The enriched value and its layout header.

    `body`: the JSON object without its closing brace and without `flags` and `book`; `flags`: a JSON array; `digest`:
    `digest_of` both, left out of the header where None.
    """
    flags_start = len(body)
    updated = b"" if updated_at_ms is None else b"%d" % updated_at_ms
    layout = b"%d/%d/%d/%b" % (canonical_end, flags_start, flags_start + len(FLAGS) + len(flags), updated)
    if digest is not None:
        layout += b"/" + hexlify(digest)
    return assemble(body, flags, book), layout


class Marks(NamedTuple):
    """The parts of a layout header, checked against its value. `updated_at_ms` is as written, None where left out.

    `digest` is the value's own where the header has none.
    """

    canonical_end: int
    flags_start: int
    book_start: int
    updated_at_ms: bytes | None
    digest: bytes


def marks(value: bytes, layout: bytes) -> Marks | None:
    """Read the header of a value; None where it is of another form or doesn't fit the value."""
    parts = layout.split(b"/")
    try:
        end, flags_start, book_start = int(parts[0]), int(parts[1]), int(parts[2])
        updated = parts[3] if len(parts) > 3 else None
        if updated and not -_TIME_LIMIT < int(updated) < _TIME_LIMIT:
            return None
        digest = unhexlify(parts[4]) if len(parts) > 4 else None
    except (ValueError, IndexError):
        return None
    if digest is None:
        digest = blake2b(value[:book_start], digest_size=16).digest()
    elif len(digest) != 16:
        return None
    if (
        end <= flags_start
        and 0 <= flags_start < book_start
        and value.startswith(FLAGS, flags_start)
        and value.startswith(BOOK, book_start)
    ):
        return Marks(end, flags_start, book_start, updated, digest)
    return None


def take_apart(value: bytes, layout: bytes | None, owned: frozenset[str]) -> Parts:
    """Take an enriched value apart by its layout header; by parsing where it has none, or one that doesn't fit.

    `owned`: lotrisk's own member names in this contract. A record without a layout is an older release's: its digest is
    `UNKNOWN_DIGEST`, so that the first time it is rated again it is published again.

    Raises:
        ValueError: not a JSON object.
    """
    found = marks(value, layout) if layout is not None else None
    if found is not None:
        end, flags_start, book_start, updated, digest = found
        fields = _object(value) if end <= 0 or updated is None else {}
        return Parts(
            value[:end] + b"}" if end > 0 else _canonical(fields, owned),
            digest,
            value[flags_start + len(FLAGS) : book_start],
            value[book_start + len(BOOK) : -2].decode("utf-8", "replace"),
            moment_ms(fields.get("updated_at")) if updated is None else int(updated) if updated else None,
        )
    fields = _object(value)
    book_text = fields.get("book")
    flags_list = fields.get("flags")
    return Parts(
        _canonical(fields, owned),
        UNKNOWN_DIGEST,
        orjson.dumps(flags_list if isinstance(flags_list, list) else []),
        book_text if isinstance(book_text, str) else None,
        moment_ms(fields.get("updated_at")),
    )


def canonical_of(body: bytes, canonical_end: int, owned: frozenset[str]) -> bytes:
    """The canonical record in a body about to be published."""
    if canonical_end > 0:
        return body[:canonical_end] + b"}"
    return _canonical(_object(body + b"}"), owned)


def moment_ms(text: object) -> int | None:
    """Unix milliseconds of an RFC 3339 moment; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment - _EPOCH) // _MILLISECOND if moment.tzinfo is not None else None


def _object(value: bytes) -> dict[str, object]:
    fields = orjson.loads(value)
    if not isinstance(fields, dict):
        raise ValueError("the value is no JSON object")
    return fields


def _canonical(fields: dict[str, object], owned: frozenset[str]) -> bytes:
    """The canonical record of a parsed enriched one; what stood under `producer` gets its own names back."""
    canonical = {name: content for name, content in fields.items() if name not in owned}
    producer = fields.get("producer")
    if isinstance(producer, dict):
        canonical |= producer
    return orjson.dumps(canonical)
