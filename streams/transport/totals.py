"""What a lane tells of its totals: to which groups its partition adds what, on `lotrisk.totals`.

Always absolute, as of a place in the enriched log, so that telling again changes nothing. A record a group at most, in
the transaction of a batch or in one of its own; never faster than the groups' lanes and the eye can use it.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from schemas.cloudevents import EventType, HeaderTemplate
from streams.enrich.contribution import GRAMS
from streams.enrich.group_totals import RATED, rated_key, read_total_key, total_key
from streams.enrich.totals import LOT, Totals
from streams.instruments import LaneMetrics, LotShown
from streams.metrics import LOT_DOLLARS, LOT_DUTY_DOLLARS, LOT_FLAGS, LOT_GRAMS, LOT_RECORDS
from streams.state.view import PartitionState
from streams.transport.partitioning import partition_of
from streams.transport.reading import read_to_end
from streams.transport.settling import PATIENCE_SECONDS

if TYPE_CHECKING:
    from streams.policy.book import BookNumber
    from streams.settings import Settings
    from streams.transport.outbox import Draft
    from streams.transport.rater import LanePlace

QUIET_SECONDS: Final = 1.0
"""A lane without work for so long tells what has changed; and never sooner again than after that."""
GROUPS_A_SECOND: Final = 20
"""Under load: the groups told last time, at this pace, are the time until the next. Telling one costs, here and in the
groups' lane, about as much as a handful of vehicles."""
_SLICE_SECONDS: Final = 0.010
_NO_TIME_MS: Final = -1


class Told(NamedTuple):
    """What a draft tells: the groups up to the state's change of this number, and the book all is right under."""

    change: int
    groups: int
    rated: BookNumber | None


class LaneTotals:
    """The totals of one lane's partition and when to tell of them."""

    def __init__(
        self,
        place: LanePlace,
        state: PartitionState,
        metrics: LaneMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds, for the pace alone."""
        self._metrics = metrics
        topic = place.pipeline.totals
        self._topic = topic.full_name(place.prefix) if topic is not None else ""
        self._place = place
        self._state = state
        self._clock = clock
        self._worked = clock()
        self._told = clock()
        self._pause = QUIET_SECONDS
        self._rerating_since: float | None = clock()
        self._rated: BookNumber | None = None

    def show(self) -> None:
        """Show what the partition adds to the lot."""
        totals = self._state.totals if self._topic else None
        if totals is not None:
            totals.settle()
            self._metrics.lot = lot_shown(totals)

    def worked(self) -> None:
        """The lane has had something to do."""
        self._worked = self._clock()

    def rerating(self) -> None:
        """A new book is in force: the sums are a mixture from here on."""
        self._rated = None
        if self._rerating_since is None:
            self._rerating_since = self._clock()

    def rated(self, book: BookNumber) -> None:
        """All that is held is right under `book`: the groups wait to hear that."""
        self._rerating_since = None
        self._rated = book

    def seconds_left(self) -> float | None:
        """How long until it is time to tell; 0 or less: now; None where there is nothing to tell."""
        # Asked of the state each time: it has them only when it is restored.
        totals = self._state.totals if self._topic else None
        if totals is None:
            return None
        if self._rated is not None:
            return 0.0
        if not totals.changed:
            return None
        quiet = max(self._worked, self._told) + QUIET_SECONDS
        due = min(quiet, self._told + self._pause)
        if self._rerating_since is not None:
            due = max(due, self._rerating_since + PATIENCE_SECONDS)
        return due - self._clock()

    async def add_due(self, draft: Draft, book: str) -> Told | None:
        """Put into a draft what is to be told, if it is time; `book` is in force."""
        left = self.seconds_left()
        return await self._add(draft, book) if left is not None and left <= 0 else None

    async def _add(self, draft: Draft, book: str) -> Told:
        totals, place = self._state.totals, self._place
        assert totals is not None
        change = totals.settle()
        topic_id, position = self._state.position
        now_ms = int(time.time() * 1000)
        made, gone = (
            HeaderTemplate(event, place.enriched, topic_id, place.partition)
            for event in (EventType.GROUP_PARTIAL, EventType.GROUP_PARTIAL_REMOVED)
        )
        turn_ends = time.perf_counter() + _SLICE_SECONDS
        groups = 0
        for group, members in totals.waiting():
            value = None
            template = gone
            if members is not None:
                template = made
                place_of = {"group": group, "topic_id": topic_id, "position": position, "book": book}
                value = orjson.dumps(place_of | members)
            headers = template.headers_of(group, position, book, _NO_TIME_MS)
            key = total_key(group, place.source, place.partition)
            draft.add_to(_partition(group, place.partitions), self._topic, key, value, headers, now_ms)
            groups += 1
            if time.perf_counter() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = time.perf_counter() + _SLICE_SECONDS
        rated = self._rated
        if rated is not None:
            self._add_rated(draft, made, rated, now_ms)
        self._metrics.lot = lot_shown(totals)
        return Told(change, groups, rated)

    def _add_rated(self, draft: Draft, template: HeaderTemplate, rated: BookNumber, now_ms: int) -> None:
        """After the totals, wherever groups are: all of this partition is in them under the book."""
        topic_id, position = self._state.position
        book = str(rated)
        value = orjson.dumps({"topic_id": topic_id, "position": position, "book": book})
        key = rated_key(self._place.source, self._place.partition)
        for partition in range(self._place.partitions):
            headers = template.headers_of(f"{RATED.decode()}/{partition}", position, book, _NO_TIME_MS)
            draft.add_to(partition, self._topic, key, value, headers, now_ms)

    def told(self, what: Told) -> None:
        """What `add_due` put into a draft is committed."""
        self._state.told(what.change)
        self._told = self._clock()
        self._pause = max(QUIET_SECONDS, what.groups / GROUPS_A_SECOND)
        if what.rated == self._rated:
            self._rated = None


def lot_shown(totals: Totals) -> LotShown:
    """A partition's part of the gauges of the lot; totals are settled."""
    records: dict[tuple[str, ...], float] = {}
    value: dict[tuple[str, ...], float] = {}
    duty: dict[tuple[str, ...], float] = {}
    for (goods, origin, powertrain), found in totals.mix().items():
        one = found.amounts
        records[(goods,)] = records.get((goods,), 0) + one[0]
        value[goods, origin, powertrain] = one[2] / 100
        for view, cents in (("landed", one[5]), ("replacement", one[9]), ("expected_invoice_change", one[13])):
            duty[goods, view, origin, powertrain] = cents / 100
    lot = totals.group(LOT)
    grams = lot.grams() if lot is not None else {}
    flags = lot.flags if lot is not None else {}
    return {
        LOT_RECORDS: records,
        LOT_DOLLARS: value,
        LOT_DUTY_DOLLARS: duty,
        LOT_GRAMS: {(element,): row[1] / GRAMS for element, row in grams.items()},
        LOT_FLAGS: {tuple(name.split("/")): row[0] for name, row in flags.items()},
    }


@lru_cache(maxsize=65_536)
def _partition(group: str, partitions: int) -> int:
    """By the group alone: what all partitions tell of a group meets in one."""
    return partition_of(group.encode(), partitions)


async def groups_told(
    settings: Settings, topic: str, sources: Collection[tuple[str, int]]
) -> Mapping[tuple[str, int], set[str]]:
    """The groups that stand on `topic` (full name), by the input topic and partition that told of them."""
    found: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    async for record in read_to_end(settings, topic):
        read = read_total_key(record.key) if record.key is not None else None
        if read is None or (read.topic, read.partition) not in sources:
            continue
        groups = found[read.topic, read.partition]
        if record.value is None:
            groups.discard(read.group.decode())
        else:
            groups.add(read.group.decode())
    return found
