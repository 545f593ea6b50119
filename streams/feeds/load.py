"""From a feed's items to what is published, and the count of everything that happened on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from streams.feeds.kind import Kind
from streams.feeds.records import FeedRecord, Problem
from streams.feeds.snapshot import Snapshot
from streams.feeds.table import CUT_OFF

Report = Callable[[Problem], None]
"""Called with each problem as it is found."""


@dataclass(slots=True)
class Tally:
    """Counts of one load. read = good + bad lines; good = published + duplicates."""

    read: int = 0
    bad: int = 0
    duplicates: int = 0
    removed: int = 0
    published: dict[Kind, int] = field(default_factory=dict)
    deletions: int = 0

    def count(self, record: FeedRecord) -> None:
        """Count a record that was handed to Kafka."""
        if record.value is None and record.line == 0:
            self.removed += 1
        elif record.value is None:
            self.deletions += 1
        else:
            self.published[record.kind] = self.published.get(record.kind, 0) + 1


def passing(items: Iterable[FeedRecord | Problem], tally: Tally, report: Report) -> Iterator[FeedRecord]:
    """The good records as they come, in the file's order; problems go to `report`."""
    last_bad = 0
    for item in items:
        if isinstance(item, FeedRecord):
            tally.read += 1
            yield item
            continue
        report(item)
        if item.fatal and item.line != last_bad:
            last_bad = item.line
            tally.read += 1
            tally.bad += 1


@dataclass(frozen=True, slots=True)
class Held:
    """A whole feed in memory: its good records, of each key the last, and what it lists; whether its end is missing."""

    records: tuple[FeedRecord, ...]
    snapshots: dict[Kind, Snapshot]
    cut_off: bool = False


def held(items: Iterable[FeedRecord | Problem], tally: Tally, report: Report, kinds: Iterable[Kind]) -> Held:
    """Read a whole feed; of a key that comes twice the last line wins, and the earlier one is reported.

    A bad line keeps the record of its key that is there, but a later bad line doesn't undo an earlier good one.
    """
    legible: set[bytes] = set()
    cut_off = False

    def note(problem: Problem) -> None:
        nonlocal cut_off
        cut_off = cut_off or problem.field == CUT_OFF
        if problem.key is not None:
            legible.add(problem.key)
        report(problem)

    last: dict[tuple[Kind, bytes], FeedRecord] = {}
    for record in passing(items, tally, note):
        earlier = last.get((record.kind, record.key))
        if earlier is not None:
            tally.duplicates += 1
            report(
                Problem(
                    earlier.line, record.kind.id_field, f"{record.ident} again on line {record.line}, which wins", False
                )
            )
        last[record.kind, record.key] = record
    snapshots = {}
    for kind in kinds:
        live = [record for record in last.values() if record.kind is kind and record.value is not None]
        # A deletion in the file is published as such: the snapshot needn't remove it again.
        keys = {key for of_kind, key in last if of_kind is kind}
        snapshots[kind] = Snapshot(frozenset(keys | legible), frozenset(record.dealer_id for record in live))
    return Held(tuple(last.values()), snapshots, cut_off)
