"""The light function: decode, add a field, encode. What comes of a record is told from the record alone."""

from __future__ import annotations

import orjson

from streams.enrich.context import Context
from streams.enrich.outcome import Enriched, Outcome, Reason, Rejected, Removed

POISON = b"poison"
"""A value that can't be enriched."""


def light(key: bytes | None, value: bytes | None, context: Context | None = None) -> Outcome:
    """Enrich: `grow` in the record asks for an output of that many bytes more."""
    book = "" if context is None else str(context.book.number)
    if key is None:
        return Rejected(Reason.NULL_KEY, "the record has no key")
    if value is None:
        return Removed(key)
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return Rejected(Reason.NOT_JSON, str(error))
    document["light"] = True
    if "grow" in document:
        document["grown"] = "x" * document["grow"]
    return Enriched(key, orjson.dumps(document)[:-1], book)
