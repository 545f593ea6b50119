"""How a dealer's own next invoice is likely to move: changes of duty since the goods' cost date, as far as passed on.

MSRP, invoice and part cost already hold what was passed on when they were set, so a change of duty counts only if it
took effect after the cost date. Each such change counts with the share that makers pass on of a change of its age: a
dated curve by maker and origin. The sum never goes beyond the net move of the duty: what came and went leaves nothing.

A cut published after its first day moves nothing here: the refund is the importer's. Where the dealer is the importer
of record, the duty is the dealer's own cost, all of it and at once.

Rates are millionths of a percent of customs value, money is cents (fact sheet 2.8, 8.15).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from schemas.fields import Confidence, Importer
from streams.enrich.cents import HALF, WHOLE, Cents, usd
from streams.enrich.context import Context
from streams.enrich.tariff import Column, Schedule, Segment
from streams.policy.book import Book
from streams.reference.dealer import SHARE_STEP, Curve, DealerReference, GoodsKind, Shares

_ALL: Final[Shares] = (SHARE_STEP, SHARE_STEP, SHARE_STEP)
_NONE: Final = '["0.00","0.00","0.00"]'
_ONE_DAY: Final = timedelta(days=1)

Moved = tuple[int, int, int]
"""Low, central, high of a signed rate, in millionths of a percent, in order."""
Days = tuple[timedelta, timedelta, timedelta]
"""Low, central, high of a time in whole days."""
AlreadyInCost = Literal["yes", "no", "unknown"]


class CostDate(NamedTuple):
    """As of when the goods' cost is: the likely days, and the field it rests on."""

    first: date
    central: date
    last: date
    basis: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class PassedOn:
    """What of the changes of duty after a cost date is expected on the invoice.

    `measures`: those that changed, the one that moved the duty most first. `answered`: false where the book can't say.
    """

    rate: Moved
    already_in_cost: AlreadyInCost
    measures: tuple[str, ...]
    confidence: Confidence
    answered: bool = True


class Expected(NamedTuple):
    """The expected change of one unit's invoice in cents; `usd_cents` is None where it can't be said."""

    usd_cents: Cents | None
    passed: PassedOn | None
    cost_date: CostDate | None
    basis: str
    confidence: Confidence

    @property
    def cost_confidence(self) -> Confidence:
        """How sure the cost date is."""
        return self.cost_date.confidence if self.cost_date is not None else "L"


NOT_IN_BOOK: Final = PassedOn((0, 0, 0), "unknown", (), "L", answered=False)


class PassThrough:
    """The share of a change of duty that reaches the invoice, for one maker, origin and kind of goods."""

    __slots__ = ("_dealer", "_importer", "_kind", "_make", "_origin")

    def __init__(
        self, dealer: DealerReference, kind: GoodsKind, make: str | None, origin: str | None, importer: Importer | None
    ) -> None:
        self._dealer = dealer
        self._kind = kind
        self._make = make
        self._origin = origin
        self._importer = importer

    def curve(self, day: date, *, up: bool) -> Curve:
        """The curve of a change that took effect on `day`."""
        return self._dealer.curve(self._kind, "up" if up else "down", self._make, self._origin, day)

    def shares(self, day: date, today: date, *, up: bool) -> tuple[Shares, Confidence]:
        """Low, central and high share of a change of `day`, as of `today`."""
        if self._importer is Importer.DEALER:
            return (_ALL, "M")
        curve = self.curve(day, up=up)
        return (curve.at((today - day).days), curve.confidence)


def passed_on(
    segments: Sequence[Segment],
    cost_day: date,
    today: date,
    through: PassThrough,
    retroactive: Mapping[str, frozenset[date]],
) -> PassedOn | None:
    """What of the duty's changes after `cost_day`, up to and on `today`, reaches the invoice.

    `segments`: the duty of the goods from boundary to boundary, by measure. `retroactive`: by measure, the days from
    which it was law though it was published later. None where the book has no answer for a day in between.
    """
    starts = [segment.first for segment in segments]
    here = bisect_right(starts, cost_day) - 1
    there = bisect_right(starts, today) - 1
    if here < 0:
        return None
    net = [0, 0, 0]
    passed = [0, 0, 0]
    moved: dict[str, tuple[int, int]] = {}
    confidence: Confidence = "M"
    before = _columns(segments[here])
    for segment in segments[here + 1 : there + 1]:
        after = _columns(segment)
        if before is None or after is None:
            return None
        steps = [sum(new.values()) - sum(old.values()) for old, new in zip(before, after, strict=True)]
        changed = _changed(before, after)
        if changed and not (max(steps) <= 0 and any(segment.first in retroactive.get(one, ()) for one in changed)):
            for column, step in enumerate(steps):
                net[column] += step
                if step:
                    shares, sure = through.shares(segment.first, today, up=step > 0)
                    passed[column] += _share(step, shares[column if step > 0 else 2 - column])
                    confidence = min(confidence, sure, key="LMH".index)
            for measure, (central, widest) in changed.items():
                known = moved.get(measure, (0, 0))
                moved[measure] = (known[0] + central, known[1] + widest)
        before = after
    if before is None:
        return None
    rates = [max(min(rate, max(total, 0)), min(total, 0)) for rate, total in zip(passed, net, strict=True)]
    standing = {measure: (abs(central), abs(widest)) for measure, (central, widest) in moved.items() if widest}
    return PassedOn(
        (min(rates), rates[1], max(rates)),
        "no" if standing or any(net) else "yes",
        tuple(sorted(standing, key=standing.__getitem__, reverse=True)),
        confidence,
    )


def _columns(segment: Segment) -> tuple[Column, Column, Column] | None:
    if segment.low is None or segment.central is None or segment.high is None:
        return None
    return (segment.low, segment.central, segment.high)


def _changed(before: tuple[Column, ...], after: tuple[Column, ...]) -> dict[str, tuple[int, int]]:
    """The measures whose rate moved in any column: how far in the central one, and in the one where it moved most."""
    changed: dict[str, tuple[int, int]] = {}
    for measure in dict.fromkeys(name for column in (*after, *before) for name in column):
        steps = [new.get(measure, 0) - old.get(measure, 0) for old, new in zip(before, after, strict=True)]
        if any(steps):
            changed[measure] = (steps[1], max(steps, key=abs))
    return changed


def _share(step: int, share: int) -> int:
    return (step * share + SHARE_STEP // 2) // SHARE_STEP


class Invoice:
    """The changes of one kind of goods' duty, as one maker passes them on, under one book: a look-up by cost date."""

    __slots__ = ("_known", "_retroactive", "_segments", "_starts", "_through", "_today")

    def __init__(
        self,
        segments: Sequence[Segment],
        today: date,
        through: PassThrough,
        retroactive: Mapping[str, frozenset[date]],
    ) -> None:
        self._segments = segments
        self._starts = [segment.first for segment in segments]
        self._today = today
        self._through = through
        self._retroactive = retroactive
        self._known: dict[int | tuple[int, int, int], PassedOn] = {}

    def passed_on(self, cost: CostDate) -> PassedOn:
        """The range over the likely cost dates. Between two boundaries all dates have one answer."""
        starts = self._starts
        first, central, last, _, _ = cost
        here = bisect_right(starts, first)
        there = here if last is first else bisect_right(starts, last, here)
        key = here if here == there else (here, bisect_right(starts, central), there)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._over(cost)
        return found

    def _over(self, cost: CostDate) -> PassedOn:
        each = [
            passed_on(self._segments, day, self._today, self._through, self._retroactive)
            for day in (cost.first, cost.central, cost.last)
        ]
        first, central, last = each
        if first is None or central is None or last is None:
            return NOT_IN_BOOK
        if first.already_in_cost == last.already_in_cost == central.already_in_cost and first.rate == last.rate:
            return central
        already: set[AlreadyInCost] = {first.already_in_cost, central.already_in_cost, last.already_in_cost}
        return PassedOn(
            (min(first.rate[0], last.rate[0]), central.rate[1], max(first.rate[2], last.rate[2])),
            already.pop() if len(already) == 1 else "unknown",
            tuple(dict.fromkeys((*central.measures, *first.measures, *last.measures))),
            "L",
        )


def retroactive_days(book: Book) -> Mapping[str, frozenset[date]]:
    """By measure, the days from which it, a step of its rate, or its end was law though published later."""
    found: dict[str, frozenset[date]] = {}
    for record in book.measures:
        days = {step.from_ for step in record.steps if step.recorded_at is not None and step.recorded_at > step.from_}
        if (
            record.effective_from is not None
            and record.recorded_at is not None
            and record.recorded_at > record.effective_from
        ):
            days.add(record.effective_from)
        if record.effective_to is not None and record.end_recorded_at is not None:
            first_without = record.effective_to + _ONE_DAY
            if record.end_recorded_at > first_without:
                days.add(first_without)
        if days:
            found[record.id] = frozenset(days)
    return found


def retroactive(context: Context) -> Mapping[str, frozenset[date]]:
    """`retroactive_days` of the context's book. Memoised."""
    days = context.memo("retroactive_days")
    found = days.get("all")
    if found is None:
        found = days.keep("all", retroactive_days(context.book))
    assert isinstance(found, dict)
    return found


def invoice(
    schedule: Schedule,
    kind: GoodsKind,
    make: str | None,
    origin: str | None,
    importer: Importer | None,
    context: Context,
) -> Invoice:
    """The invoice of goods with this schedule under the context's book. Memoised; `make` in capitals."""
    memo = context.memo("invoices")
    key = (schedule, kind, make, origin, importer is Importer.DEALER)
    found = memo.get(key)
    if found is None:
        through = PassThrough(context.reference.dealer, kind, make, origin, importer)
        found = memo.keep(key, Invoice(schedule.segments, context.book.number.regime, through, retroactive(context)))
    assert isinstance(found, Invoice)
    return found


def change(value: Cents, rate: Moved) -> Cents:
    """The rate on the customs value: lowest, central and highest change in cents, half up."""
    low, central, high = rate
    return (
        (value[0 if low >= 0 else 2] * low + HALF) // WHOLE,
        (value[1] * central + HALF) // WHOLE,
        (value[2 if high >= 0 else 0] * high + HALF) // WHOLE,
    )


def dollars(value: Cents) -> str:
    """A range of cents as a JSON array of decimal strings."""
    if value == (0, 0, 0):
        return _NONE
    return f'["{usd(value[0])}","{usd(value[1])}","{usd(value[2])}"]'


def coded_cost_date(
    make: str | None, code: str | None, known: CostDate | None, dealer: DealerReference
) -> tuple[CostDate | None, bool]:
    """The cost date as the maker's own code on the invoice has it, which overrides the dates; whether it is understood.

    A code that says the duty is not in the cost sets the cost back to before that duty. One that says it is leaves the
    latest of the likely dates.
    """
    if code is None or not code.strip():
        return (known, True)
    row = dealer.code(make, code)
    if row is None:
        return (known, False)
    if row.as_of is not None:
        return (CostDate(row.as_of, row.as_of, row.as_of, "maker_code", row.confidence), True)
    if known is None:
        return (None, True)
    return (CostDate(known.last, known.last, known.last, "maker_code", row.confidence), True)


def derived(day: date, before: Days, basis: str) -> CostDate:
    """A cost date that lies low to high days before `day`: the date in stock less the way there. Confidence L."""
    low, central, high = before
    return tuple.__new__(CostDate, (day - high, day - central, day - low, basis, "L"))
