"""The layout of an enriched value, written and read in one place: body, open flags, book.

    <canonical members>,<lotrisk's members>,"flags":[...],"book":"1.0.-1.2026-09-29"}
                       ^ canonical_end     ^ flags_start  ^ book_start

The header `lotrisk.layout` holds these offsets, and when the DMS changed the record, so that a restore takes a record
apart without parsing JSON: `canonical_end/flags_start/book_start/updated_at_ms`. `canonical_end` is -1 where the body
was written anew because the producer uses lotrisk's own names; the last part is empty where the DMS says no time, and
may be left out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

HEADER: Final = "lotrisk.layout"
VERSION: Final = 1
"""Of what a state takes out of a record; a state of another version is built anew."""
UNKNOWN_DIGEST: Final = bytes(16)

_FLAGS: Final = b',"flags":'
_BOOK: Final = b',"book":"'
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Parts(NamedTuple):
    """An enriched value taken apart; see `streams.state.view.Held`. `book` is None where the value has none."""

    canonical: bytes
    digest: bytes
    flags: bytes
    book: str | None
    updated_at_ms: int | None


def digest_of(body: bytes, flags: bytes) -> bytes:
    """16 bytes that differ when what an output says differs; book, ids and order key are not part of it."""
    digest = blake2b(body, digest_size=16)
    digest.update(flags)
    return digest.digest()


def finish(
    body: bytes, flags: bytes, book: str, *, canonical_end: int, updated_at_ms: int | None
) -> tuple[bytes, bytes]:
    """The enriched value and its layout header.

    `body`: the JSON object without its closing brace and without `flags` and `book`; `flags`: a JSON array.
    """
    flags_start = len(body)
    updated = b"" if updated_at_ms is None else b"%d" % updated_at_ms
    return (
        b'%b,"flags":%b,"book":"%b"}' % (body, flags, book.encode()),
        b"%d/%d/%d/%b" % (canonical_end, flags_start, flags_start + len(_FLAGS) + len(flags), updated),
    )


def take_apart(value: bytes, layout: bytes | None, owned: frozenset[str]) -> Parts:
    """Take an enriched value apart by its layout header; by parsing where it has none, or one that doesn't fit.

    `owned`: lotrisk's own member names in this contract. A record without a layout is an older release's: its digest is
    `UNKNOWN_DIGEST`, so that the first time it is rated again it is published again.

    Raises:
        ValueError: not a JSON object.
    """
    offsets = _offsets(layout) if layout is not None else None
    if offsets is not None:
        end, flags_start, book_start, updated = offsets
        if value.startswith(_FLAGS, flags_start) and value.startswith(_BOOK, book_start) and end <= flags_start:
            body = value[:flags_start]
            flags = value[flags_start + len(_FLAGS) : book_start]
            canonical = body[:end] + b"}" if end > 0 else None
            if canonical is None or updated == b"?":
                fields = _object(value)
                updated_at_ms = moment_ms(fields.get("updated_at"))
                canonical = _canonical(fields, owned) if canonical is None else canonical
            else:
                updated_at_ms = int(updated) if updated else None
            book = value[book_start + len(_BOOK) : -2].decode("utf-8", "replace")
            return Parts(canonical, digest_of(body, flags), flags, book, updated_at_ms)
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


def moment_ms(text: object) -> int | None:
    """Unix milliseconds of an RFC 3339 moment; None where it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment - _EPOCH) // _MILLISECOND if moment.tzinfo is not None else None


def _offsets(layout: bytes) -> tuple[int, int, int, bytes] | None:
    """The header's parts; the fourth is `?` where it is left out. None where the header is of another form."""
    parts = layout.split(b"/")
    if not 3 <= len(parts) <= 4:
        return None
    try:
        end, flags_start, book_start = int(parts[0]), int(parts[1]), int(parts[2])
        updated = parts[3] if len(parts) == 4 else b"?"
        if updated not in (b"", b"?"):
            int(updated)
    except ValueError:
        return None
    return (end, flags_start, book_start, updated) if 0 <= flags_start < book_start else None


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
