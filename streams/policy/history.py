"""A line's duty over time, and what threatens to change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from schemas.fields import LegalStatus
from streams.policy.book import Book, known_measures, recorded
from streams.policy.duty import DutyRates, rates
from streams.policy.facts import NO_FACTS, Facts
from streams.reference.trade_records import APPLIES, Kind, MeasureRecord, Status

_ONE_DAY = timedelta(days=1)
_COMING: Final = frozenset({"announced", "signed"})


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
    legal_status: LegalStatus
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
    """What hangs over a line on the book's day: announced and signed measures, and the rates with each.

    An investigation that is only open has announced no duty: it is not among them.
    """
    found = []
    today = rates(book, line, origin, book.day, facts)
    for record in known_measures(book.versions, book.known_at):
        status = legal_status(record, book.day)
        if status not in _COMING or record.kind is not Kind.DUTY or not _may_reach(record, line, origin, book):
            continue
        answer = rates(book.supposing(record.id), line, origin, book.day, facts)
        if answer.signature != today.signature:
            found.append(Threat(record, status, answer))
    return tuple(found)


def _may_reach(record: MeasureRecord, line: str, origin: str, book: Book) -> bool:
    """Whether origin and scope allow that the measure touches the line; spares a supposed book where they don't."""
    own = {origin, "*"} | ({"EU"} if origin in book.trade.eu else set())
    if own.isdisjoint(record.origins) or not own.isdisjoint(record.except_origins):
        return False
    digits = line.replace(".", "")
    return any(
        not entry[0].isdigit() or digits.startswith(stem[: len(digits)])
        for entry in record.scope
        for stem in [entry.partition("-")[0].replace(".", "")[:8]]
    )


def legal_status(record: MeasureRecord, day: date) -> LegalStatus | None:
    """Where a measure stands on a day; None where it has ended, is suspended, only investigated or not known yet."""
    if record.announced_at is not None and day < record.announced_at:
        return None
    if record.withdrawn_at is not None and day >= record.withdrawn_at:
        return "withdrawn"
    if record.status not in APPLIES:
        announced = record.announced_at is not None and record.status not in (Status.SUSPENDED, Status.OPEN)
        return "announced" if announced else None
    if record.effective_from is None or (record.effective_to is not None and record.effective_to < day):
        return None
    if record.effective_from <= day:
        return "in_force"
    return "signed" if recorded(record) <= day else None
