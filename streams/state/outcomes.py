"""What came of a key, as it is written into the state: from a lane's batch, or read from the enriched topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from schemas.cloudevents import ORDER
from streams.enrich import contribution
from streams.state.codec.held import Marker, encode_held, encode_marker, published_head
from streams.state.layout import HEADER
from streams.state.published import read_published
from streams.state.slices import PublishedRecord
from streams.state.view import Gone, Held

Outcome = tuple[bytes, bytes, bytes | None, contribution.Part | None, bytes]
"""Key, head (a record's or a marker's), canonical record or None where it stays; what it adds to totals in place of
the contribution that was held."""


def outcomes_of(published: Mapping[bytes, Held | Gone], expires_ms: int) -> Iterator[Outcome]:
    """Those of a batch; markers of what is gone may be forgotten at `expires_ms`."""
    for key, outcome in published.items():
        if type(outcome) is Held:
            adds = contribution.read(outcome.contribution)
            yield key, encode_held(outcome), outcome.canonical, adds, outcome.replaces
        else:
            yield key, encode_marker(Marker(outcome.order, expires_ms)), None, None, outcome.replaces


def outcomes_read(
    records: Iterable[PublishedRecord], owned: frozenset[str], expires_ms: int, unreadable: Callable[[], None]
) -> Iterator[Outcome]:
    """Those of published records; `unreadable` is told of each that isn't lotrisk's."""
    for record in records:
        key, value = record.key, record.value
        headers = dict(record.headers)
        order, layout, adds = headers.get(ORDER), headers.get(HEADER), headers.get(contribution.HEADER)
        part = contribution.checked(adds) if adds is not None else None
        if adds is None or part is None:
            adds = contribution.NOTHING
        if key is not None and value is not None and order is not None and layout is not None:
            taken = published_head(value, layout, order, adds)
            if taken is not None:
                yield key, *taken, part, contribution.NOTHING
                continue
        outcome = read_published(value, order, layout, owned, adds) if key is not None else None
        if key is None or outcome is None:
            unreadable()
        else:
            yield from outcomes_of({key: outcome}, expires_ms)
