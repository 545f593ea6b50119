"""What a lane does with a record of one input topic, apart from moving it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.cloudevents import EventType
from streams.enrich.context import Context
from streams.enrich.outcome import Outcome, Rejected
from streams.topics import Topic

Enrich = Callable[[bytes | None, bytes | None, Context], Outcome]
"""A pure function of key, value and context."""
Join = Callable[
    [bytes | None, bytes | None, Callable[[bytes], bytes | None]], tuple[bytes, bytes | None] | Rejected | None
]
"""A pure function of key, value and what is held: the key that the record belongs to, and what is held there then; None
for a record that is no part of anything."""
Unmoved = Callable[[Context, Context], Callable[[bytes, bytes], bool]]
"""From two books of the same reference data to a function of key and canonical record: whether the second is known to
say the same of it as the first."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """From one input topic to its enriched topic and its dead letters; without a topic for these they are dropped.

    `totals`: where the sums over what is enriched go. `join`: for input records that are parts of what is enriched.
    """

    source: Topic
    enriched: Topic
    dead_letters: Topic | None
    enriched_event: EventType
    removed_event: EventType
    enrich: Enrich = field(repr=False)
    identity: str = "vin"
    """The field that follows the dealer in a key, or the only one of a key without a dealer: `group`."""
    owned: frozenset[str] = frozenset()
    """lotrisk's own member names in the enriched record."""
    totals: Topic | None = None
    join: Join | None = field(default=None, repr=False)
    unmoved: Unmoved | None = field(default=None, repr=False)
    """Tells records that need not be rated again under a new book."""

    @property
    def outputs(self) -> tuple[Topic, ...]:
        """The topics that have as many partitions as the input."""
        return tuple(topic for topic in (self.enriched, self.dead_letters, self.totals) if topic is not None)
