"""The autumn of 2025 as the demo plays it: days on which the book, as it was known then, had news for a dealer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from streams.policy.book import recorded
from streams.reference.trade import TradeReference
from streams.reference.trade_records import APPLIES, Kind, MeasureRecord, Status

BEGINS: Final = date(2025, 10, 8)
"""The day of the lot."""
ENDS: Final = date(2025, 12, 5)
_ONE_DAY = timedelta(days=1)

HEADLINES: Final = {
    date(2025, 10, 9): "China announces export controls Nos. 55 to 58, 61 and 62",
    date(2025, 10, 10): "A post threatens 100% more on China from 11-01; it names no authority",
    date(2025, 10, 17): "Proclamation 10984 is published: trucks, buses, further parts, from 11-01",
    date(2025, 11, 1): "Proclamation 10984 begins; the 100% does not come",
    date(2025, 11, 7): "China suspends Nos. 55 to 58, 61 and 62 until 2026-11-10",
    date(2025, 11, 8): "Nos. 55 to 58 would have begun",
    date(2025, 11, 10): "The fentanyl duty on China is 10% instead of 20%, by an order of 11-04",
    date(2025, 11, 25): "Nexperia's chips are shipped again",
    date(2025, 12, 1): "The 0.1% rule of No. 61 would have begun",
    date(2025, 12, 2): "First general licences for rare-earth exporters",
    date(2025, 12, 4): "Korea's 15% is published, back to 11-01: a refund is the importer's, no flag clears on it",
}
"""The days that are played, and what a newspaper would have said. Fact sheet 1.1, 1.5, 2.2, 8.5 and 8.16."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One day on which the book changed: what happened, to which measures (`{"announced": ("CN-55", ...)}`)."""

    day: date
    headline: str
    measures: dict[str, tuple[str, ...]]


def moments(trade: TradeReference) -> tuple[Moment, ...]:
    """The episode's days in order, from the book itself; what was published only later does not show."""
    found: dict[date, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for record in trade.measures:
        for day, what in _happens(record):
            if BEGINS < day <= ENDS and recorded(record) <= day:
                found[day][what].append(record.id)
    for period in trade.licences:
        if BEGINS < period.effective_from <= ENDS:
            found[period.effective_from]["licensing"].append(period.status.replace("_", " "))
    return tuple(
        Moment(day, HEADLINES[day], {what: tuple(ids) for what, ids in found[day].items()}) for day in sorted(HEADLINES)
    )


def _happens(record: MeasureRecord) -> Iterator[tuple[date, str]]:
    """Each day on which something happens to a measure, and what; a notice is what happens to others."""
    if record.kind is Kind.NOTICE:
        return
    law = record.status in APPLIES or record.status is Status.SUSPENDED
    begins = record.effective_from if law else None
    published = record.recorded_at
    if record.announced_at is not None:
        yield record.announced_at, "announced"
    elif published is not None and begins is not None and published != begins:
        yield published, "published" if published < begins else f"published, back to {begins}"
    if begins is not None:
        held_up = record.suspended_from is not None and record.suspended_from <= begins
        yield begins, "due, but suspended" if held_up else "begins"
    if record.suspended_from is not None:
        yield record.suspended_from, "suspended"
    if record.withdrawn_at is not None:
        yield record.withdrawn_at, "withdrawn" if begins is not None else "never came"
    if record.effective_to is not None and (record.end_recorded_at or date.min) <= record.effective_to:
        yield record.effective_to + _ONE_DAY, "ended"
    for step in record.steps[1:]:
        if step.recorded_at is not None and step.recorded_at < step.from_:
            yield step.recorded_at, f"{step.rate.normalize():f}% published"
        yield step.from_, f"{step.rate.normalize():f}%"
