"""Records as they stand in a batch of Kafka's, written by the compiled module where it is there, else in Python.

`streams/_compiled.c` does what `records_python` and `partitioning` do, byte for byte, in a fraction of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.cloudevents import ID, ORDER, TIME, TRACEPARENT, HeaderTemplate
from streams.compiled import COMPILED
from streams.enrich import contribution
from streams.state import layout
from streams.transport.records_python import VARINT

if TYPE_CHECKING or not COMPILED:
    from streams.transport.partitioning import count_elsewhere
    from streams.transport.records_python import Records, Stamp, encode_headers
else:
    from streams._compiled import Records, Stamp, count_elsewhere, encode_headers

__all__ = ["Records", "Stamp", "count_elsewhere", "encode_headers", "stamp_of"]


def _name(name: str) -> bytes:
    text = name.encode()
    return VARINT[len(text)] + text


_VARYING: Final = tuple(map(_name, (ID, ORDER, TIME, TRACEPARENT, layout.HEADER, contribution.HEADER)))


def stamp_of(template: HeaderTemplate, subject: str | None = None) -> Stamp:
    """What the headers share that a template writes, for `Records.add_enriched`; `subject` as in its `headers_of`."""
    constant = template.constant
    count = len(constant)
    encoded = encode_headers(constant).removeprefix(VARINT[count])
    hashed = template.hashed if subject is None else template.hashed_of(subject)
    return Stamp(encoded, count, hashed, template.order, _VARYING)
