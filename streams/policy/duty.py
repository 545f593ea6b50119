"""Duty on one line, origin and day: which measures apply, at what rate, why the others don't, what facts are missing.

Rates are percent of customs value; money is integer cents, each component rounded half up, then summed (CBP practice).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from streams.policy.book import Book
from streams.policy.facts import NO_FACTS, Facts, contradiction
from streams.policy.lines import LineError
from streams.policy.view import Plan
from streams.policy.walk import Charge, NotApplied, Outcome, reasons, walk

__all__ = [
    "Component",
    "DutyEstimate",
    "DutyRates",
    "EstimateError",
    "LineError",
    "NotApplied",
    "Scenario",
    "estimate",
    "rates",
]

MAX_VALUE_CENTS = 10**14
"""A customs value of 10^12 dollars."""


class EstimateError(ValueError):
    """What was asked can't be estimated: a date outside the book, a negative value, facts that exclude each other."""


class Component(NamedTuple):
    """One measure's part of the duty. `amount_cents` is None in rates, which hold for any value."""

    measure: str
    authority: str
    heading: str | None
    rate_type: str
    rate_percent: Decimal
    amount_cents: int | None
    refundable: bool


_Term = tuple[str, str, str | None, str, Decimal, bool, int, int, int]
"""A component's fields, then numerator, half of the denominator and denominator of its share of a value in cents."""


class Scenario(NamedTuple):
    """The components that apply under one reading of the facts, and their sum."""

    components: tuple[Component, ...]
    total_rate_percent: Decimal
    total_cents: int | None
    terms: tuple[_Term, ...]
    """The components with their rates as whole numbers, ready for any value."""


_new = tuple.__new__
"""A named tuple made from its fields in place: half the cost of the call, on the path of every record."""


@dataclass(slots=True)
class DutyRates:
    """What is owed per cent of value: `low` and `high` span what missing facts open, `central` is the default answer.

    `central` is None where there is no answer under the defaults; all three are None where nothing can be said or the
    goods may not be imported (`prohibited` names the measures).
    """

    line: str
    origin: str
    low: Scenario | None
    central: Scenario | None
    high: Scenario | None
    not_applied: tuple[NotApplied, ...]
    missing_facts: tuple[str, ...]
    at_zero: tuple[Component, ...]
    prohibited: tuple[str, ...]
    warnings: tuple[str, ...]
    in_book: bool
    _later: tuple[Plan, int, Facts] = field(repr=False)
    _changes_on: date | None = None
    _looked: bool = False

    @property
    def changes_on(self) -> date | None:
        """The next day on which the default answer differs, or the range where there is none; None if none is known."""
        if not self._looked:
            plan, interval, facts = self._later
            for day, later in _later_answers(plan, interval, facts):
                if later.answer != self.answer:
                    self._changes_on = day
                    break
            self._looked = True
        return self._changes_on

    @property
    def range_changes_on(self) -> date | None:
        """The next day on which anything differs: the default answer, the range or the missing facts."""
        for day, later in _later_answers(*self._later):
            if later.signature != self.signature:
                return day
        return None

    @property
    def answer(self) -> tuple[object, ...]:
        """What the default answer says to the importer, or the range where there is none.

        A record that follows another of the same authority, heading and rate says nothing new, nor does another order.
        """
        if self.central is not None:
            return (_said(self.central),)
        return (_said(self.low), _said(self.high), self.prohibited)

    @property
    def signature(self) -> tuple[object, ...]:
        """What makes two answers the same."""
        return (self.low, self.central, self.high, self.missing_facts, self.prohibited)


@dataclass(slots=True)
class DutyEstimate:
    """The rates on one value."""

    rates: DutyRates
    value_cents: int
    low: Scenario | None
    central: Scenario | None
    high: Scenario | None

    @property
    def not_applied(self) -> tuple[NotApplied, ...]:
        """Measures considered and not applied, with the rule that switched each off."""
        return self.rates.not_applied

    @property
    def missing_facts(self) -> tuple[str, ...]:
        """Facts whose absence opens the range."""
        return self.rates.missing_facts

    @property
    def changes_on(self) -> date | None:
        """The next day on which the answer differs."""
        return self.rates.changes_on


def rates(
    book: Book,
    line: str,
    origin: str,
    entry_date: date,
    facts: Facts = NO_FACTS,
    known_at: date | None = None,
) -> DutyRates:
    """The duty rates on a line of 4 to 10 digits from an origin (ISO alpha-2, or EU) entered on a day.

    Remembered by line, origin, interval of dates in which nothing changes, and facts. `known_at` reads the book as it
    was known at the end of that day.

    Raises:
        LineError: not an HTS number.
        EstimateError: the day is outside the book, or facts contradict each other or the origin.
    """
    view = book.view(known_at)
    plan = view.plans.get((line, origin)) or view.plan(line, origin)
    key = (bisect_right(plan.days, entry_date), facts)
    found = plan.memo.get(key)
    if found is None:
        found = _rate(book, plan, key[0], entry_date, facts)
        plan.remember(key, found)
    return found


def estimate(
    book: Book,
    line: str,
    origin: str,
    entry_date: date,
    value_cents: int,
    facts: Facts = NO_FACTS,
    known_at: date | None = None,
) -> DutyEstimate:
    """The duty on a customs value in cents; otherwise as `rates`.

    Raises:
        EstimateError: also for a value below zero or above 10^12 dollars.
    """
    if not 0 <= value_cents <= MAX_VALUE_CENTS:
        raise EstimateError(f"value: {value_cents} cents is not from 0 to 10^12 dollars")
    found = rates(book, line, origin, entry_date, facts, known_at)
    low, central, high = found.low, found.central, found.high
    priced_low = None if low is None else _price(low, value_cents)
    priced_high = priced_low if high is low else (None if high is None else _price(high, value_cents))
    if central is low:
        priced = priced_low
    elif central is high:
        priced = priced_high
    else:
        priced = None if central is None else _price(central, value_cents)
    return DutyEstimate(found, value_cents, priced_low, priced, priced_high)


def _price(scenario: Scenario, value_cents: int) -> Scenario:
    total = 0
    priced = []
    for measure, authority, heading, rate_type, rate, refundable, numerator, half, whole in scenario.terms:
        amount = (value_cents * numerator + half) // whole
        total += amount
        priced.append(_new(Component, (measure, authority, heading, rate_type, rate, amount, refundable)))
    return _new(Scenario, (tuple(priced), scenario.total_rate_percent, total, scenario.terms))


def _rate(book: Book, plan: Plan, interval: int, entry_date: date, facts: Facts) -> DutyRates:
    trade = book.trade
    if not trade.first_day <= entry_date <= trade.last_day:
        raise EstimateError(
            f"entry_date: {entry_date} is outside the book, which covers {trade.first_day} to {trade.last_day}"
        )
    wrong = contradiction(facts, plan.origin)
    if wrong is not None:
        raise EstimateError(wrong)
    return _answer(plan, interval, facts)


def _answer(plan: Plan, interval: int, facts: Facts) -> DutyRates:
    _, others = plan.active(interval)
    prohibited = tuple(record.id for record in others if record.kind == "prohibition")
    missing: list[str] = []
    if not plan.match.in_book:
        missing.append("line_not_in_book")
    elif plan.match.needs_digits:
        missing.append("hts_digits")
    if prohibited or not plan.leaves:
        return DutyRates(
            plan.match.digits, plan.origin, None, None, None, (), tuple(missing), (), prohibited, (),
            plan.match.in_book, (plan, interval, facts),
        )  # fmt: skip
    result = walk(plan, interval, facts)
    missing.extend(name for name in result.missing if name not in missing)
    low = _scenario(result.low)
    high = low if result.high is result.low else _scenario(result.high)
    if result.central is None:
        central = None
    elif result.central is result.low:
        central = low
    elif result.central is result.high:
        central = high
    else:
        central = _scenario(result.central)
    not_applied, at_zero = reasons(result.central or result.low, plan.active(interval)[0])
    notices = tuple(
        NotApplied(record.id, record.authority, record.heading, "described products only", record.title)
        for record in others
        if record.kind == "notice"
    )
    return DutyRates(
        plan.match.digits,
        plan.origin,
        low,
        central,
        high,
        (*not_applied, *notices),
        tuple(missing),
        tuple(_component(charge) for charge in at_zero),
        prohibited,
        (),
        plan.match.in_book,
        (plan, interval, facts),
    )


def _said(scenario: Scenario | None) -> tuple[tuple[object, ...], ...] | None:
    if scenario is None:
        return None
    return tuple(sorted((part.authority, part.heading or "", part.rate_percent) for part in scenario.components))


def _scenario(outcome: Outcome) -> Scenario:
    charges = sorted(outcome.charges, key=lambda charge: not charge.record.authority.startswith("column_1"))
    components = tuple(_component(charge) for charge in charges)
    return Scenario(components, outcome.total, None, tuple(_term(component) for component in components))


def _term(component: Component) -> _Term:
    measure, authority, heading, rate_type, rate, _, refundable = component
    numerator, denominator = rate.as_integer_ratio()
    return measure, authority, heading, rate_type, rate, refundable, 2 * numerator, 100 * denominator, 200 * denominator


def _component(charge: Charge) -> Component:
    record = charge.record
    return Component(
        record.id, record.authority, charge.heading, record.rate_type.value, charge.rate, None, record.refundable
    )


def _later_answers(plan: Plan, interval: int, facts: Facts) -> Iterator[tuple[date, DutyRates]]:
    for number in range(interval + 1, len(plan.days)):
        day = plan.days[number - 1]
        later = plan.memo.get((number, facts))
        if later is None:
            later = _answer(plan, number, facts)
            plan.remember((number, facts), later)
        yield day, later
