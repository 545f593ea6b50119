"""What measures that aren't law yet would add to the duty of goods entered today: the view `threatened`.

Each measure that was announced or signed stands by itself: what it would change in the duty of the book's day, under
every line and reading of the facts that the goods may have. A signed one has its first day. What is only announced may
never come, so its range begins at nothing. Neither is part of any total, and neither moves the expected invoice change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import orjson

from streams.enrich.cents import HALF, RATE_STEP, WHOLE, Cents, scaled, usd
from streams.policy.book import Book
from streams.policy.duty import DutyRates, Scenario, rates
from streams.policy.facts import Facts
from streams.policy.history import Threat, threatened

Moves = tuple[tuple[int, int], ...]
"""Duties that come or go: sign, and rate in millionths of a percent. Each is rounded by itself, as customs does."""
Added = tuple[int, int | None, int]
"""Cents that a measure would add, as low, central, high; central is None where it isn't known."""


class Column(NamedTuple):
    """One column of a measure's moves: of which column of the customs value, the first that comes and goes, the rest.

    A cut is deepest at the high value.
    """

    of: int
    comes: int
    goes: int
    rest: Moves

    def cents(self, value: Cents) -> int:
        """The added cents."""
        base = value[self.of]
        found = (base * self.comes + HALF) // WHOLE - (base * self.goes + HALF) // WHOLE
        for sign, rate in self.rest:
            found += sign * ((base * rate + HALF) // WHOLE)
        return found


@dataclass(frozen=True, slots=True)
class Threatened:
    """One measure's part of the view for goods of one line, origin and reading.

    `percent`: low, central and high added rate; central is None where the measure's rate or reach isn't known.
    `template`: the JSON with a hole for each column of `shown`, the others being known beforehand.
    """

    measure: str
    legal_status: str
    percent: tuple[Decimal, Decimal | None, Decimal]
    columns: tuple[Column, Column | None, Column]
    template: str = field(repr=False)
    template_without_value: str = field(repr=False)
    shown: tuple[int, ...] = field(repr=False)

    def added(self, value: Cents) -> Added:
        """Added cents on a customs value, low to high."""
        low, central, high = self.columns
        return (low.cents(value), None if central is None else central.cents(value), high.cents(value))

    def encode(self, added: Added | None) -> str:
        """The JSON member of this measure: a `schemas.enriched.ThreatenedDuty`; without a value the rate alone."""
        if added is None:
            return self.template_without_value
        return self.template % tuple([usd(added[column] or 0) for column in self.shown])


def threatened_json(found: Sequence[Threatened], added: Sequence[Added]) -> str:
    """The member `threatened`, after a comma; nothing where no threat stands. `added` is empty without a value."""
    shown = ",".join(
        [one.encode(cents) for one, cents in zip(found, added, strict=True)] if added else
        [one.encode(None) for one in found]
    )  # fmt: skip
    return f',"threatened":{{{shown}}}' if shown else ""


def threats(lines: tuple[str, ...], origin: str, readings: tuple[Facts, ...], book: Book) -> tuple[Threatened, ...]:
    """The measures that hang over goods on the book's day; `lines` and `readings` as in `Goods`, the default first."""
    found: dict[str, Threat] = {}
    with_it: dict[str, dict[int, DutyRates]] = {}
    now = [rates(book, line, origin, book.day, one) for line in lines for one in readings]
    for number, (line, one) in enumerate((line, one) for line in lines for one in readings):
        for threat in threatened(book, line, origin, one):
            found[threat.measure.id] = threat
            with_it.setdefault(threat.measure.id, {})[number] = threat.rates
    return tuple(
        view
        for measure, threat in found.items()
        if (view := _view(threat, now, [with_it[measure].get(number, own) for number, own in enumerate(now)]))
    )


def _view(threat: Threat, now: list[DutyRates], then: list[DutyRates]) -> Threatened | None:
    """None where the duty of today, or what it would be, can't be said: then neither can what is added."""
    lows, highs = [], []
    for before, after in zip(now, then, strict=True):
        if before.low is None or before.high is None or after.low is None or after.high is None:
            return None
        both = (_moves(before.low, after.low), _moves(before.high, after.high))
        lows.append(min(both, key=_rate))
        highs.append(max(both, key=_rate))
    central: Moves | None = None
    if now[0].central is not None and then[0].central is not None:
        central = _moves(now[0].central, then[0].central)
    low, high = min(lows, key=_rate), max(highs, key=_rate)
    if threat.legal_status == "announced":
        low, high = min(low, (), key=_rate), max(high, (), key=_rate)
    if not (low or central or high):
        return None
    measure = threat.measure
    percent = (_percent(low), None if central is None else _percent(central), _percent(high))
    members: dict[str, object] = {"legal_status": threat.legal_status}
    for name in ("announced_at", "effective_from"):
        day = getattr(measure, name)
        if day is not None:
            members[name] = day
    members["added_percent"] = [None if one is None else number(one) for one in percent]
    head = orjson.dumps({measure.id: members}).decode()[1:-2] + ',"added_usd":'
    columns = (_column(low, 0), None if central is None else _column(central, 1), _column(high, 2))
    holes = ["null" if column is None else '"%s"' if column.comes or column.goes else '"0.00"' for column in columns]
    return Threatened(
        measure=measure.id,
        legal_status=threat.legal_status,
        percent=percent,
        columns=columns,
        template=f"{head.replace('%', '%%')}[{','.join(holes)}]}}",
        template_without_value=head + "null}",
        shown=tuple(number for number, hole in enumerate(holes) if hole == '"%s"'),
    )


def _column(moves: Moves, of: int) -> Column:
    if _rate(moves) < 0:
        of = 2 - of
    comes = next((rate for sign, rate in moves if sign > 0), 0)
    goes = next((rate for sign, rate in moves if sign < 0), 0)
    rest = list(moves)
    for first in ((1, comes), (-1, goes)):
        if first[1]:
            rest.remove(first)
    return Column(of, comes, goes, tuple(rest))


def _moves(before: Scenario, after: Scenario) -> Moves:
    """The duties of `after` that `before` hasn't, and the reverse."""
    old, new = _by_measure(before), _by_measure(after)
    return tuple(
        (sign, rate)
        for measure in dict.fromkeys((*new, *old))
        if old.get(measure, 0) != new.get(measure, 0)
        for sign, rate in ((1, new.get(measure, 0)), (-1, old.get(measure, 0)))
        if rate
    )


def _by_measure(scenario: Scenario) -> dict[str, int]:
    column: dict[str, int] = {}
    for component in scenario.components:
        column[component.measure] = column.get(component.measure, 0) + scaled(component.rate_percent)
    return column


def _rate(moves: Moves) -> int:
    return sum(sign * rate for sign, rate in moves)


def number(rate_percent: Decimal) -> int | float:
    """A rate for JSON, a whole one without its point."""
    return int(rate_percent) if rate_percent == int(rate_percent) else float(rate_percent)


def _percent(moves: Moves) -> Decimal:
    return Decimal(_rate(moves)) / RATE_STEP
