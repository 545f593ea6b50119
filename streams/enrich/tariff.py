"""Importer's duty on one unit of goods: over its likely entry dates (`landed`) and entered today (`replacement`).

What isn't settled (line, origin's preference, date) is a set of scenarios. Each column of a view is one scenario from
end to end: the cheapest at the low customs value, the default at the central one, the dearest at the high one. So the
components of a column sum to its total. Which scenario is which depends on rates alone, since duty is linear in value:
rating is memoised, and pricing a unit is integer arithmetic on cents.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from streams.enrich.context import Context
from streams.policy.duty import Scenario, rates
from streams.policy.facts import Facts

_RATE_STEP: Final = 1_000_000
"""Rates are kept as integers, millionths of a percent."""
_HALF: Final = 50 * _RATE_STEP
_WHOLE: Final = 100 * _RATE_STEP

Cents = tuple[int, int, int]
"""Customs value as low, central, high."""


@dataclass(frozen=True, slots=True)
class Goods:
    """What a rate depends on. Hashable: it keys the memory of ratings.

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
class ViewRates:
    """One view's rates: for each measure a rate in each column, in millionths of a percent."""

    entry_from: date | None
    entry_to: date | None
    measures: tuple[tuple[str, int, int, int], ...]
    rate_percent: tuple[float, float, float]

    def price(self, value: Cents | None) -> dict[str, object]:
        """The view as `schemas.enriched.DutyView`; without a value the rate stands alone."""
        components: dict[str, tuple[str, str, str]] = {}
        total: tuple[str, str, str] | None = None
        if value is not None:
            low = central = high = 0
            for measure, low_rate, central_rate, high_rate in self.measures:
                a = duty_cents(value[0], low_rate)
                b = duty_cents(value[1], central_rate)
                c = duty_cents(value[2], high_rate)
                low, central, high = low + a, central + b, high + c
                components[measure] = (usd(a), usd(b), usd(c))
            total = (usd(low), usd(central), usd(high))
        return {
            "total_usd": total,
            "rate_percent": self.rate_percent,
            "entry_from": self.entry_from and self.entry_from.isoformat(),
            "entry_to": self.entry_to and self.entry_to.isoformat(),
            "components": components,
        }


@dataclass(frozen=True, slots=True)
class Rated:
    """Goods rated in both views; a view that can't be given is None and its missing fact is named."""

    landed: ViewRates | None
    replacement: ViewRates | None
    missing_facts: tuple[str, ...]


def duty_cents(value_cents: int, rate: int) -> int:
    """`value_cents` times `rate` (millionths of a percent), rounded half up to the cent."""
    return (value_cents * rate + _HALF) // _WHOLE


def usd(cents: int) -> str:
    """Cents as a decimal string of dollars."""
    if cents < 0:
        return "-" + usd(-cents)
    return f"{cents // 100}.{cents % 100:02d}"


def rate_goods(goods: Goods, context: Context) -> Rated:
    """Both views of `goods` under the context's book. Memoised."""
    memo = context.memo("rated")
    found = memo.get(goods)
    if found is None:
        found = memo.keep(goods, _rate(goods, context))
    assert isinstance(found, Rated)
    return found


def _rate(goods: Goods, context: Context) -> Rated:
    missing: dict[str, None] = {}
    if goods.origin is None:
        missing["country_of_origin"] = None
    if not goods.lines:
        missing["hts"] = None
    landed = replacement = None
    if not missing:
        if goods.entry_from is None or goods.entry_to is None:
            missing["entry_date"] = None
        else:
            landed = _view(goods, goods.entry_from, goods.entry_to, context, missing)
        if goods.is_new:
            replacement = _view(goods, context.book.day, context.book.day, context, missing)
        if len(goods.lines) > 1:
            missing["hts"] = None
    return Rated(landed, replacement, tuple(missing))


def _view(goods: Goods, first: date, last: date, context: Context, missing: dict[str, None]) -> ViewRates | None:
    assert goods.origin is not None
    middle = first + (last - first) // 2
    low: Scenario | None = None
    high: Scenario | None = None
    central: Scenario | None = None
    for line_number, line in enumerate(goods.lines):
        for facts_number, facts in enumerate(goods.facts):
            day: date | None = first
            while day is not None and day <= last:
                found = rates(context.book, line, goods.origin, day, facts)
                missing.update(dict.fromkeys(found.missing_facts))
                if found.central is None:
                    return None
                if low is None or found.low.total_rate_percent < low.total_rate_percent:
                    low = found.low
                if high is None or found.high.total_rate_percent > high.total_rate_percent:
                    high = found.high
                following = found.changes_on
                if (
                    line_number == 0
                    and facts_number == 0
                    and day <= middle
                    and (following is None or middle < following)
                ):
                    central = found.central
                day = following
    if low is None or central is None or high is None:
        return None
    ids = dict.fromkeys(component.measure for scenario in (central, low, high) for component in scenario.components)
    by_column = [
        {component.measure: _scaled(component.rate_percent) for component in scenario.components}
        for scenario in (low, central, high)
    ]
    return ViewRates(
        entry_from=first,
        entry_to=last,
        measures=tuple((name, *(column.get(name, 0) for column in by_column)) for name in ids),  # type: ignore[misc]  # three columns
        rate_percent=(
            float(low.total_rate_percent),
            float(central.total_rate_percent),
            float(high.total_rate_percent),
        ),
    )


def _scaled(rate_percent: Decimal) -> int:
    return int((rate_percent * _RATE_STEP).to_integral_value())
