"""Importer's duty on one unit of goods: over its likely entry dates (`landed`) and entered today (`replacement`).

What isn't settled (line, preference, date) is a set of scenarios. Each column of a view is one scenario from end to
end: the cheapest at the low customs value, the default at the central one, the dearest at the high one. So the
components of a column sum to its total. Which scenario is which depends on rates alone, since duty is linear in value,
and rates change only at boundaries: a `Schedule` holds the rates of goods from boundary to boundary, and pricing a unit
is a look-up and integer arithmetic on cents.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, cast

import orjson

from streams.enrich.cents import HALF, RATE_STEP, WHOLE, Cents, scaled, usd
from streams.enrich.context import Context
from streams.enrich.threats import Threatened, threats
from streams.policy.duty import Scenario, rates
from streams.policy.facts import Facts

OUTSIDE_BOOK: Final = "entry_date_within_book"
"""The fact that is missing where the goods entered on a day the book doesn't cover."""

_HOLES: Final = '["%s","%s","%s"]'

Column = dict[str, int]
"""Rate by measure id, in millionths of a percent."""


@dataclass(frozen=True, slots=True)
class Goods:
    """One unit to be rated.

    `lines`: candidate HTS numbers, the default first; empty where the line is unknown.
    `facts`: what may be true of the entry, the default first.
    `entry_from`, `entry_to`: the likely entry dates, inclusive; None where unknown.
    `is_new`: whether the same goods can be bought again, that is, whether there is a replacement.
    """

    lines: tuple[str, ...]
    origin: str | None
    entry_from: date | None
    entry_to: date | None
    is_new: bool
    facts: tuple[Facts, ...] = (Facts(),)


@dataclass(frozen=True, slots=True)
class Segment:
    """The rates of goods from `first` to the day before the next segment; None where the book has no answer."""

    first: date
    low: Column | None
    central: Column | None
    high: Column | None
    missing_facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ViewRates:
    """The rates of a view: for each measure a rate in each column, in millionths of a percent.

    `rate_percent` is None where the base isn't the goods' own customs value. `totals` and `components` are the view's
    JSON before and after its dates, with a hole for every amount: three totals, and three for each measure.
    """

    measures: tuple[tuple[str, int, int, int], ...]
    rate_percent: tuple[float, float, float] | None
    missing_facts: tuple[str, ...]
    totals: str
    components: str
    totals_without_value: str

    def amounts(self, value: Cents) -> list[int]:
        """Cents: the three totals, then three for each measure."""
        if len(self.measures) == 1:
            _, low, central, high = self.measures[0]
            a = (value[0] * low + HALF) // WHOLE
            b = (value[1] * central + HALF) // WHOLE
            c = (value[2] * high + HALF) // WHOLE
            return [a, b, c, a, b, c]
        found = [0, 0, 0]
        for _, low, central, high in self.measures:
            a = (value[0] * low + HALF) // WHOLE
            b = (value[1] * central + HALF) // WHOLE
            c = (value[2] * high + HALF) // WHOLE
            found[0] += a
            found[1] += b
            found[2] += c
            found += (a, b, c)
        return found

    def encode(self, value: Cents | None, dates: str = "") -> str:
        """The view as JSON of a `schemas.enriched.DutyView`; without a value the rate stands alone.

        `dates` are the members `entered_between` gives; none for goods entered today, whenever that is.
        """
        if value is None:
            return f'{self.totals_without_value}{dates}"components":{{}}}}'
        return self.fill(self.amounts(value), dates)

    def fill(self, found: list[int], dates: str = "") -> str:
        """The view as JSON, with amounts that `amounts` gave."""
        before, after = self._parts(found)
        return f"{before}{dates}{after}"

    def fill_both(self, found: list[int], dates: str) -> tuple[str, str]:
        """`fill` with the dates and without."""
        before, after = self._parts(found)
        return f"{before}{dates}{after}", before + after

    def _parts(self, found: list[int]) -> tuple[str, str]:
        if len(found) == 6:
            # Of a single measure, the totals are its amounts.
            low, central, high, *_ = found
            shown = (usd(low), usd(central), usd(high))
            return self.totals % shown, self.components % shown
        dollars = tuple(map(usd, found))
        return self.totals % dollars[:3], self.components % dollars[3:]


@dataclass(frozen=True, slots=True)
class View:
    """A view's rates with its entry dates."""

    rates: ViewRates
    first: date
    last: date

    def encode(self, value: Cents | None) -> str:
        """The view as JSON of a `schemas.enriched.DutyView`; without a value the rate stands alone."""
        return self.rates.encode(value, entered_between(self.first, self.last))

    def price(self, value: Cents | None) -> dict[str, object]:
        """The same as JSON-ready values."""
        dollars = None if value is None else [usd(amount) for amount in self.rates.amounts(value)]
        return {
            "total_usd": None if dollars is None else tuple(dollars[:3]),
            "rate_percent": self.rates.rate_percent,
            "entry_from": self.first.isoformat(),
            "entry_to": self.last.isoformat(),
            "components": {}
            if dollars is None
            else {
                measure[0]: tuple(dollars[3 * number + 3 : 3 * number + 6])
                for number, measure in enumerate(self.rates.measures)
            },
        }


@dataclass(frozen=True, slots=True)
class Rated:
    """Goods rated in both views; a view that can't be given is None and its missing fact is named.

    `threats`: what hangs over the replacement.
    """

    landed: View | None
    replacement: View | None
    missing_facts: tuple[str, ...]
    threats: tuple[Threatened, ...] = ()


class Schedule:
    """The rates of goods over time, as far back as asked for, and the views they make. Grows as it is asked."""

    def __init__(
        self,
        segments: Sequence[Segment],
        until: date = date.max,
        *,
        of_value: bool = True,
        threats: tuple[Threatened, ...] = (),
    ) -> None:
        self._segments = segments
        self._until = until
        self._starts = [segment.first for segment in segments]
        self._of_value = of_value
        self.threats: Final = threats
        self._views: dict[tuple[int, int, int], ViewRates | None] = {}

    @property
    def first(self) -> date:
        """The first day the schedule covers."""
        return self._starts[0]

    @property
    def segments(self) -> Sequence[Segment]:
        """The rates from boundary to boundary."""
        return self._segments

    def view(self, first: date, last: date) -> ViewRates | None:
        """The view over entry dates from `first` to `last`, inclusive; None where the book has no answer."""
        if last > self._until:
            return None
        starts = self._starts
        here = bisect_right(starts, first) - 1
        there = bisect_right(starts, last, here if here > 0 else 0) - 1
        if here == there:
            key = (here, here, here)
        else:
            key = (here, bisect_right(starts, first + (last - first) // 2) - 1, there)
        try:
            return self._views[key]
        except KeyError:
            found = self._views[key] = self._view(*key) if here >= 0 else None
            return found

    def missing_facts(self, first: date, last: date) -> tuple[str, ...]:
        """What would narrow, or give, the view over these dates."""
        here, there = (bisect_right(self._starts, day) - 1 for day in (first, last))
        if here < 0 or last > self._until:
            return (OUTSIDE_BOOK,)
        return tuple(
            dict.fromkeys(fact for segment in self._segments[here : there + 1] for fact in segment.missing_facts)
        )

    def _view(self, here: int, middle: int, there: int) -> ViewRates | None:
        within = self._segments[here : there + 1]
        lows = [segment.low for segment in within if segment.low is not None]
        highs = [segment.high for segment in within if segment.high is not None]
        central = self._segments[middle].central
        if central is None or len(lows) < len(within) or len(highs) < len(within):
            return None
        low, high = min(lows, key=_sum), max(highs, key=_sum)
        measures = tuple(
            (measure, low.get(measure, 0), central.get(measure, 0), high.get(measure, 0))
            for measure in dict.fromkeys((*central, *low, *high))
            if low.get(measure) or central.get(measure) or high.get(measure)
        )
        percent = (_percent(_sum(low)), _percent(_sum(central)), _percent(_sum(high))) if self._of_value else None
        names = [measure[0] for measure in measures]
        return ViewRates(
            measures,
            percent,
            tuple(dict.fromkeys(fact for segment in within for fact in segment.missing_facts)),
            _totals(_HOLES, percent),
            f'"components":{{{",".join(f"{orjson.dumps(name).decode()}:{_HOLES}" for name in names)}}}}}',
            _totals("null", percent),
        )


def _sum(column: Column) -> int:
    return sum(column.values())


def _percent(rate: int) -> float:
    return rate / RATE_STEP


def _totals(shown: str, rate_percent: tuple[float, float, float] | None) -> str:
    return f'{{"total_usd":{shown},"rate_percent":{orjson.dumps(rate_percent).decode()},'


def entered_between(first: date, last: date) -> str:
    """The members `entry_from` and `entry_to` of a view, before a comma."""
    return f'"entry_from":"{first.isoformat()}","entry_to":"{last.isoformat()}",'


def schedule(lines: tuple[str, ...], origin: str, facts: tuple[Facts, ...], first: date, context: Context) -> Schedule:
    """The schedule of goods of `lines` (at least one) from `first` on, under the context's book. Memoised."""
    memo = context.memo("schedules")
    key = (lines, origin, facts)
    found = memo.get(key)
    earliest = context.book.trade.first_day
    if not isinstance(found, Schedule) or (first < found.first and found.first > earliest):
        start = max(date(min(first.year, context.book.day.year), 1, 1), earliest)
        found = Schedule(
            _segments(lines, origin, facts, start, context),
            context.book.trade.last_day,
            threats=_threats(lines, origin, facts, context),
        )
        memo.keep(key, found)
    return found


def _threats(lines: tuple[str, ...], origin: str, facts: tuple[Facts, ...], context: Context) -> tuple[Threatened, ...]:
    memo = context.memo("threats")
    key = (lines, origin, facts)
    found = memo.get(key)
    if found is None:
        found = memo.keep(key, threats(lines, origin, facts, context.book))
    return cast("tuple[Threatened, ...]", found)


def rate_goods(goods: Goods, context: Context) -> Rated:
    """Both views of `goods` under the context's book."""
    missing = [] if goods.origin is not None else ["country_of_origin"]
    if len(goods.lines) != 1:
        missing.append("hts")
    if goods.origin is None or not goods.lines:
        return Rated(None, None, tuple(missing))
    today = context.book.day
    known = schedule(goods.lines, goods.origin, goods.facts, min(goods.entry_from or today, today), context)
    landed: View | None = None
    if goods.entry_from is None or goods.entry_to is None:
        missing.append("entry_date")
    else:
        landed = _dated(known, goods.entry_from, goods.entry_to, missing)
    replacement = _dated(known, today, today, missing) if goods.is_new else None
    hanging = known.threats if replacement is not None else ()
    return Rated(landed, replacement, tuple(dict.fromkeys(missing)), hanging)


def _dated(known: Schedule, first: date, last: date, missing: list[str]) -> View | None:
    missing.extend(known.missing_facts(first, last))
    found = known.view(first, last)
    return None if found is None else View(found, first, last)


def _segments(
    lines: tuple[str, ...], origin: str, facts: tuple[Facts, ...], start: date, context: Context
) -> list[Segment]:
    segments = []
    day: date | None = start
    while day is not None:
        segment, day = _segment(lines, origin, facts, day, context)
        segments.append(segment)
    return segments


def _segment(
    lines: tuple[str, ...], origin: str, facts: tuple[Facts, ...], day: date, context: Context
) -> tuple[Segment, date | None]:
    low: Scenario | None = None
    high: Scenario | None = None
    central: Scenario | None = None
    answered = True
    missing: dict[str, None] = {}
    following: list[date] = []
    for number, (line, one) in enumerate((line, one) for line in lines for one in facts):
        found = rates(context.book, line, origin, day, one)
        missing.update(dict.fromkeys(found.missing_facts))
        # Of the range too: else a segment's low and high would hang on the day at which the schedule was begun.
        if (changes_on := found.range_changes_on) is not None:
            following.append(changes_on)
        if found.low is None or found.high is None:
            answered = False
            continue
        if number == 0:
            central = found.central
        if low is None or found.low.total_rate_percent < low.total_rate_percent:
            low = found.low
        if high is None or found.high.total_rate_percent > high.total_rate_percent:
            high = found.high
    segment = Segment(
        first=day,
        low=_column(low) if answered else None,
        central=_column(central) if answered else None,
        high=_column(high) if answered else None,
        missing_facts=tuple(missing),
    )
    return segment, min(following, default=None)


def _column(scenario: Scenario | None) -> Column | None:
    if scenario is None:
        return None
    column: Column = {}
    for component in scenario.components:
        column[component.measure] = column.get(component.measure, 0) + scaled(component.rate_percent)
    return column
