"""What a lane does with a record of one input topic, apart from moving it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.cloudevents import EventType
from streams.enrich.context import Context
from streams.enrich.outcome import Outcome
from streams.topics import Topic

Enrich = Callable[[bytes | None, bytes | None, Context], Outcome]
"""A pure function of key, value and context."""
Unmoved = Callable[[Context, Context], Callable[[bytes, bytes], bool]]
"""From two books of the same reference data to a function of key and canonical record: whether the second is known to
say the same of it as the first."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """From one input topic to its enriched topic and its dead letters."""

    source: Topic
    enriched: Topic
    dead_letters: Topic
    enriched_event: EventType
    removed_event: EventType
    enrich: Enrich = field(repr=False)
    identity: str = "vin"
    """The field that follows the dealer in a key."""
    owned: frozenset[str] = frozenset()
    """lotrisk's own member names in the enriched record."""
    unmoved: Unmoved | None = field(default=None, repr=False)
    """Tells records that need not be rated again under a new book."""
