"""A line's duty over time, and what threatens to change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from streams.policy.book import Book, known_measures
from streams.policy.duty import DutyRates, rates
from streams.policy.facts import NO_FACTS, Facts
from streams.reference.trade_records import APPLIES, Kind, MeasureRecord, Status

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days, both inclusive, over which the answer is the same."""

    first: date
    last: date
    rates: DutyRates


@dataclass(frozen=True, slots=True)
class Threat:
    """A measure that is not law: where it stands, and the rates as they would be with it."""

    measure: MeasureRecord
    legal_status: str
    rates: DutyRates


def history(
    book: Book,
    line: str,
    origin: str,
    first: date,
    last: date,
    facts: Facts = NO_FACTS,
    known_at: date | None = None,
) -> tuple[Stretch, ...]:
    """The answers from one day to another, as stretches without gap or overlap.

    Raises:
        LineError, EstimateError: as `rates`; also where `last` is before `first`.
    """
    found: list[Stretch] = []
    day = first
    while day <= last:
        answer = rates(book, line, origin, day, facts, known_at)
        change = answer.range_changes_on
        until = last if change is None or change > last else change - _ONE_DAY
        found.append(Stretch(day, until, answer))
        day = until + _ONE_DAY
    return tuple(found)


def threatened(book: Book, line: str, origin: str, facts: Facts = NO_FACTS) -> tuple[Threat, ...]:
    """What hangs over a line on the book's day: announced, opened or signed measures, and the rates with each."""
    found = []
    today = rates(book, line, origin, book.day, facts)
    for record in known_measures(book.versions, book.known_at):
        status = legal_status(record, book.day)
        if status is None or record.kind is not Kind.DUTY or not record.scope:
            continue
        answer = rates(book.supposing(record.id), line, origin, book.day, facts)
        if answer.signature != today.signature:
            found.append(Threat(record, status, answer))
    return tuple(found)


def legal_status(record: MeasureRecord, day: date) -> str | None:
    """`announced` or `signed` for a measure that is not in force on a day but may come; None for the rest."""
    if record.announced_at is not None and day < record.announced_at:
        return None
    if record.withdrawn_at is not None and day >= record.withdrawn_at:
        return None
    if record.status in APPLIES:
        signed = record.effective_from is not None and record.effective_from > day
        known = record.recorded_at is None or record.recorded_at <= day
        return "signed" if signed and known and record.status is Status.SIGNED else None
    return "announced" if record.announced_at is not None and record.status is not Status.SUSPENDED else None
