"""The book as a list: where each measure stands on the book's day, and what differs between two answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from streams.policy.book import Book, known_measures
from streams.policy.controls import control_status
from streams.policy.duty import DutyRates
from streams.policy.history import legal_status
from streams.policy.view import spans_of
from streams.reference.trade_records import APPLIES, Kind, MeasureRecord, RateType, Status


@dataclass(frozen=True, slots=True)
class ListedMeasure:
    """A measure with where it stands (`in force`, `announced`, `past` ...) and its rate as text."""

    record: MeasureRecord
    standing: str
    rate: str | None

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            **self.record.model_dump(mode="json", by_alias=True, exclude_none=True),
            "standing": self.standing,
            "rate_on_day": self.rate,
        }


class Change(NamedTuple):
    """One measure's rate in two answers; None where it does not apply."""

    measure: str
    authority: str
    before: float | None
    after: float | None


def listed(book: Book) -> tuple[ListedMeasure, ...]:
    """Every measure known, in the order of the data, with its standing on the book's day."""
    return tuple(
        ListedMeasure(record, *_standing(book, record)) for record in known_measures(book.versions, book.known_at)
    )


def _standing(book: Book, record: MeasureRecord) -> tuple[str, str | None]:
    day = book.day
    if record.kind not in (Kind.DUTY, Kind.OFFSET, Kind.NOTICE, Kind.PROHIBITION):
        return control_status(record, day) or "past", None
    coming = legal_status(record, day)
    if record.status in APPLIES and record.effective_from is not None:
        for span in spans_of(record, book.known_at, book.trade.last_day):
            if span.first <= day <= span.last:
                return "in force", _rate(record, f"{span.rate.normalize():f}")
        if record.effective_from > day:
            return coming or "not yet", None
        return "past", None
    if coming == "announced" or record.status is Status.OPEN:
        return coming or "open", None if record.rate is None else _rate(record, f"{record.rate.normalize():f}")
    return coming or "not in force", None


def _rate(record: MeasureRecord, rate: str) -> str:
    kind = record.rate_type
    if kind is RateType.EXEMPT:
        return "0"
    if kind is RateType.COLUMN_1:
        return "by line"
    if kind is RateType.UNKNOWN:
        return f"{record.rate_low} to {record.rate_high}"
    if kind is RateType.COMBINED_TO:
        return f"to {rate}"
    return rate


def changes(before: DutyRates, after: DutyRates) -> tuple[Change, ...]:
    """The components of both answers side by side, in the order of the first."""
    first = {part.measure: part for part in (before.central.components if before.central else ())}
    second = {part.measure: part for part in (after.central.components if after.central else ())}
    return tuple(
        Change(
            name,
            (first.get(name) or second[name]).authority,
            float(first[name].rate_percent) if name in first else None,
            float(second[name].rate_percent) if name in second else None,
        )
        for name in dict.fromkeys((*first, *second))
    )
