"""China's export controls as the book holds them on a day: what is controlled, how licences stand, the content rule.

A suspension whose text has ended is `review_required` until an operator confirms its status: never silently clear.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from streams.policy.book import Book, known_measures
from streams.reference.trade_records import ContentRuleRecord, Kind, MeasureRecord, Status

ANNOUNCED = "announced"
IN_FORCE = "in_force"
SUSPENDED = "suspended"
REVIEW_REQUIRED = "review_required"


@dataclass(frozen=True, slots=True)
class ControlInForce:
    """One control and where it stands on the book's day."""

    measure_id: str
    elements: frozenset[str]
    item_classes: tuple[str, ...]
    status: str
    reported_extension_until: date | None


@dataclass(frozen=True, slots=True)
class LicenceStanding:
    """How licences stand; `lead_weeks` is low, central, high, or None where nothing was found."""

    status: str
    lead_weeks: tuple[float, float, float] | None


def control_status(record: MeasureRecord, day: date) -> str | None:
    """Where a control stands on a day: announced, in_force, suspended, review_required, or None before and after it."""
    if record.withdrawn_at is not None and day >= record.withdrawn_at:
        return None
    if record.effective_to is not None and day > record.effective_to:
        return None
    if record.suspended_from is not None and day >= record.suspended_from:
        if record.suspended_until is None or day <= record.suspended_until:
            return SUSPENDED
        return record.operator_confirmed_status or REVIEW_REQUIRED
    if record.effective_from is not None and day >= record.effective_from:
        return IN_FORCE if record.status in (Status.IN_FORCE, Status.SUSPENDED, Status.SIGNED) else None
    if record.announced_at is not None and day >= record.announced_at:
        return ANNOUNCED
    return None


def controlled(book: Book) -> tuple[ControlInForce, ...]:
    """Every export control that stands on the book's day in any way, in the order of the data."""
    found = []
    for record in known_measures(book.versions, book.known_at):
        if record.kind is not Kind.EXPORT_CONTROL:
            continue
        status = control_status(record, book.day)
        if status is not None:
            found.append(
                ControlInForce(
                    record.id,
                    frozenset(record.elements),
                    record.item_classes,
                    status,
                    record.reported_extension_until,
                )
            )
    return tuple(found)


def entity_bans(book: Book) -> tuple[MeasureRecord, ...]:
    """Entity lists in force on the book's day; the parties are a hook that the shipped data leaves empty."""
    return tuple(
        record
        for record in known_measures(book.versions, book.known_at)
        if record.kind is Kind.ENTITY_BAN and control_status(record, book.day) == IN_FORCE
    )


def licence(book: Book, elements: Collection[str] = ()) -> LicenceStanding | None:
    """How licences stand on the book's day, for goods that hold `elements`; None before the first control."""
    general: LicenceStanding | None = None
    for period in book.trade.licences:
        if period.effective_from <= book.day and (period.effective_to is None or book.day <= period.effective_to):
            standing = LicenceStanding(period.status, period.lead_weeks)
            if period.elements:
                if not set(period.elements).isdisjoint(elements):
                    return standing
            else:
                general = standing
    return general


def content_rule(book: Book) -> tuple[ContentRuleRecord, str | None]:
    """The 0.1% rule as it is written, and where its measure stands on the book's day."""
    rule = book.trade.content_rules[0]
    for control in controlled(book):
        if control.measure_id == rule.measure:
            return rule, control.status
    return rule, None


def content_verdict(
    rule: ContentRuleRecord,
    numerator: tuple[Decimal, Decimal] | None,
    denominator: tuple[Decimal, Decimal] | None,
) -> str:
    """`below`, `at_or_above` or `indeterminate`, from low and high values in one currency; None is not known."""
    if numerator is None:
        return "indeterminate"
    if numerator[1] == 0:
        return "below"
    if denominator is None or denominator[0] <= 0:
        return "indeterminate"
    threshold = rule.threshold_percent / 100
    if numerator[0] >= threshold * denominator[1]:
        return "at_or_above"
    if numerator[1] < threshold * denominator[0]:
        return "below"
    return "indeterminate"
