"""The measures as known at one moment, compiled for rating: spans of dates, matched lines, stacking by date."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from streams.policy.lines import Leaf, LineIndex, LineMatch, line_digits
from streams.reference.loading import ReferenceError
from streams.reference.trade import TradeReference
from streams.reference.trade_checks import selects
from streams.reference.trade_records import (
    APPLIES,
    FactRecord,
    Kind,
    MeasureRecord,
    RateType,
    StackingRule,
)

if TYPE_CHECKING:
    from streams.policy.duty import DutyRates
    from streams.policy.facts import Facts

_ONE_DAY = timedelta(days=1)
_ZERO = Decimal(0)
_MAX_CACHE = 20_000
_MAX_MEMO = 4_000
_MAX_SETTLED = 500


@dataclass(frozen=True, slots=True)
class Literal:
    """One condition of a measure: the fact, and the value it must have."""

    fact: FactRecord
    wanted: bool | str

    def holds(self, value: object) -> bool:
        """Whether the fact's value meets the condition."""
        return value == self.wanted


@dataclass(frozen=True, slots=True)
class Span:
    """The days (both inclusive) on which a measure has one rate and heading."""

    first: date
    last: date
    rate: Decimal
    heading: str | None


@dataclass(frozen=True, slots=True)
class Trigger:
    """What a charged measure switches off: the targets as a bit mask over measure indexes."""

    rule: str
    by: str
    owed: bool
    content: bool
    mask: int


@dataclass(frozen=True, slots=True)
class Compiled:
    """A measure ready to be rated."""

    index: int
    record: MeasureRecord
    spans: tuple[Span, ...]
    literals: tuple[Literal, ...]

    @property
    def bit(self) -> int:
        """The measure's place in a mask."""
        return 1 << self.index


@dataclass(frozen=True, slots=True)
class Active:
    """A measure with the rate it has in one interval of dates, and what it switches off then."""

    bit: int
    record: MeasureRecord
    rate: Decimal
    heading: str | None
    literals: tuple[Literal, ...]
    kind: RateType
    subject: Effect
    """What it switches off where goods count as charged under it."""
    otherwise: Effect


class Effect(NamedTuple):
    """What a measure switches off: wholly, on the metal content only, and by which triggers."""

    off: int
    content: int
    triggers: tuple[Trigger, ...]


class Settled(NamedTuple):
    """Conditions of a measure against the facts of a shipment: why it fails, or which are still to be asked for."""

    failed: str | None
    asks: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Regime:
    """The stacking table between two dates: each measure's rank in the order of rating, and its triggers."""

    rank: tuple[int, ...]
    triggers: tuple[tuple[Trigger, ...], ...]


class View:
    """Compiled measures of one knowledge date; caches lines, origins and plans."""

    def __init__(self, trade: TradeReference, records: Iterable[MeasureRecord], known_at: date | None) -> None:
        """Compile the records.

        Raises:
            ReferenceError: the stacking table is cyclic on some day.
        """
        self.trade = trade
        self.known_at = known_at
        facts = {fact.name: fact for fact in trade.facts}
        self.facts = facts
        self.measures: tuple[Compiled, ...] = tuple(
            Compiled(index, record, spans, tuple(_literal(text, facts) for text in record.requires))
            for index, (record, spans) in enumerate(
                (record, spans)
                for record in records
                if record.kind in (Kind.DUTY, Kind.PROHIBITION, Kind.NOTICE)
                for spans in [spans_of(record, known_at, trade.last_day)]
                if spans
            )
        )
        self._lines = LineIndex(trade, [measure.record for measure in self.measures])
        self._origin_masks: dict[str, int] = {}
        self._eu = trade.eu
        rules = [rule for rule in trade.stacking if rule.when and _known(rule.recorded_at, known_at)]
        self._rule_days = sorted(
            {trade.first_day}
            | {rule.effective_from for rule in rules if rule.effective_from}
            | {rule.effective_to + _ONE_DAY for rule in rules if rule.effective_to}
        )
        self._rule_masks = {rule.id: (self._any(rule.when), self._any(rule.off)) for rule in rules}
        self._rule_changes = [
            (day, *self._rule_masks[rule.id])
            for rule in rules
            for day in (rule.effective_from, rule.effective_to + _ONE_DAY if rule.effective_to else None)
            if day is not None
        ]
        self._replacing = [self._replacement(measure) for measure in self.measures]
        self._regimes = [self._regime(rules, day) for day in self._rule_days]
        self.plans: dict[tuple[str, str], Plan] = {}
        self._settled: dict[tuple[Facts, str], dict[int, Settled]] = {}
        self._actives: dict[tuple[int, int, int], Active] = {}

    def plan(self, line: str, origin: str) -> Plan:
        """All that bears on a line, as typed, and an origin, over all dates.

        Raises:
            LineError: not an HTS number.
        """
        key = (line, origin)
        plan = self.plans.get(key)
        if plan is None:
            if len(self.plans) >= _MAX_CACHE:
                self.plans.clear()
            plan = self.plans[key] = Plan(self, self._lines.match(line_digits(line)), origin)
        return plan

    def settled(self, facts: Facts, origin: str) -> dict[int, Settled]:
        """What the facts of a shipment settle of each measure, by its bit: filled by who walks the measures."""
        key = (facts, origin)
        found = self._settled.get(key)
        if found is None:
            if len(self._settled) >= _MAX_SETTLED:
                self._settled.clear()
            found = self._settled[key] = {}
        return found

    def line_name(self, digits: str) -> str | None:
        """The plain name of the line that a number belongs to, if the book holds it."""
        return self._lines.name(digits)

    def on(self, day: date, measures: Iterable[Compiled]) -> tuple[list[Active], list[MeasureRecord]]:
        """Those of `measures` that stand on a day: duties in the order they are rated; notices and prohibitions."""
        number = max(bisect_right(self._rule_days, day) - 1, 0)
        rank = self._regimes[number].rank
        duties: list[tuple[int, Active]] = []
        others: list[MeasureRecord] = []
        for measure in measures:
            for place, span in enumerate(measure.spans):
                if span.first <= day <= span.last:
                    if measure.record.kind is Kind.DUTY:
                        duties.append((rank[measure.index], self._active(measure, place, number)))
                    else:
                        others.append(measure.record)
                    break
        duties.sort(key=_first)
        return [duty for _, duty in duties], others

    def _active(self, measure: Compiled, place: int, number: int) -> Active:
        key = (measure.index, place, number)
        found = self._actives.get(key)
        if found is None:
            span, triggers = measure.spans[place], self._regimes[number].triggers[measure.index]
            kind = measure.record.rate_type
            found = self._actives[key] = Active(
                measure.bit,
                measure.record,
                span.rate,
                span.heading,
                measure.literals,
                kind,
                _effect(kind, triggers),
                _effect(kind, tuple(trigger for trigger in triggers if not trigger.owed)),
            )
        return found

    @property
    def rule_changes(self) -> Sequence[tuple[date, int, int]]:
        """Days on which a stacking rule begins or has ended, and the measures it links."""
        return self._rule_changes

    def origin_mask(self, origin: str) -> int:
        """The measures that can reach goods of an origin."""
        mask = self._origin_masks.get(origin)
        if mask is None:
            mask = 0
            for measure in self.measures:
                record = measure.record
                if self._among(origin, record.origins) and not self._among(origin, record.except_origins):
                    mask |= measure.bit
            self._origin_masks[origin] = mask
        return mask

    def _among(self, origin: str, listed: Sequence[str]) -> bool:
        return "*" in listed or origin in listed or ("EU" in listed and origin in self._eu)

    def _regime(self, rules: Sequence[StackingRule], day: date) -> Regime:
        in_force = [
            rule
            for rule in rules
            if (rule.effective_from is None or rule.effective_from <= day)
            and (rule.effective_to is None or day <= rule.effective_to)
        ]
        triggers: list[tuple[Trigger, ...]] = []
        after: list[set[int]] = []
        by_column_1 = self._mask(lambda record: record.rate_type is RateType.COMBINED_TO)
        for measure in self.measures:
            record = measure.record
            own = [
                Trigger(rule.id, record.id, rule.trigger == "owed", rule.effect == "metal_content", off)
                for rule in in_force
                for when, off in [self._rule_masks[rule.id]]
                if when & measure.bit
            ]
            own.extend(self._replacing[measure.index])
            triggers.append(tuple(own))
            edges = by_column_1 if record.rate_type is RateType.COLUMN_1 else 0
            for trigger in own:
                edges |= trigger.mask
            after.append({index for index in _bits(edges) if index != measure.index})
        return Regime(self._order(after, day), tuple(triggers))

    def _replacement(self, measure: Compiled) -> tuple[Trigger, ...]:
        record = measure.record
        if not record.replaces and not record.replaces_authorities:
            return ()
        ids, authorities = frozenset(record.replaces), frozenset(record.replaces_authorities)
        mask = self._mask(lambda target: target.id in ids or target.authority in authorities)
        return (Trigger(f"replaced by {record.heading or record.id}", record.id, False, False, mask),) if mask else ()

    def _mask(self, wanted: Callable[[MeasureRecord], bool]) -> int:
        mask = 0
        for measure in self.measures:
            if wanted(measure.record):
                mask |= measure.bit
        return mask

    def _any(self, selectors: Sequence[str]) -> int:
        return self._mask(lambda record: any(selects(selector, record) for selector in selectors))

    def _order(self, after: list[set[int]], day: date) -> tuple[int, ...]:
        waiting = [0] * len(after)
        for targets in after:
            for target in targets:
                waiting[target] += 1
        ready = [index for index, count in enumerate(waiting) if count == 0]
        rank = [0] * len(after)
        position = 0
        while ready:
            ready.sort(reverse=True)
            index = ready.pop()
            rank[index] = position
            position += 1
            for target in after[index]:
                waiting[target] -= 1
                if waiting[target] == 0:
                    ready.append(target)
        if position < len(after):
            stuck = sorted(self.measures[index].record.id for index, count in enumerate(waiting) if count)
            raise ReferenceError(f"stacking.toml: cyclic on {day}: {', '.join(stuck)} switch each other off")
        return tuple(rank)


class Plan:
    """What bears on one line and origin: the leaves the line may be, and the measures with their dates."""

    def __init__(self, view: View, match: LineMatch, origin: str) -> None:
        self.view = view
        self.match = match
        self.origin = origin
        reach = view.origin_mask(origin)
        self.leaves: tuple[Leaf, ...] = match.distinct(reach)
        mask = 0
        for leaf in self.leaves:
            mask |= leaf.mask
        self.mask = mask & reach
        self.measures = tuple(measure for measure in view.measures if self.mask & measure.bit)
        days = {day for day, when, off in view.rule_changes if when & self.mask and off & self.mask}
        for measure in self.measures:
            for span in measure.spans:
                days.add(span.first)
                if span.last < view.trade.last_day:
                    days.add(span.last + _ONE_DAY)
        first, after = view.trade.first_day, view.trade.last_day + _ONE_DAY
        self.days = [first, *sorted(day for day in days if first < day < after), after]
        self._active: dict[int, tuple[tuple[Active, ...], tuple[MeasureRecord, ...]]] = {}
        self.memo: dict[tuple[int, Facts], DutyRates] = {}

    def remember(self, key: tuple[int, Facts], answer: DutyRates) -> None:
        """Keep an answer, within bounds."""
        if len(self.memo) >= _MAX_MEMO:
            self.memo.clear()
        self.memo[key] = answer

    def active(self, interval: int) -> tuple[tuple[Active, ...], tuple[MeasureRecord, ...]]:
        """The duties of an interval in the order they are rated, and the notices and prohibitions that stand."""
        found = self._active.get(interval)
        if found is None:
            duties, others = self.view.on(self.days[interval - 1], self.measures)
            found = self._active[interval] = (tuple(duties), tuple(others))
        return found


def _first(item: tuple[int, Active]) -> int:
    return item[0]


def _effect(kind: RateType, triggers: tuple[Trigger, ...]) -> Effect:
    off = content = 0
    for trigger in triggers:
        if trigger.content and kind is RateType.CONTENT_SHARE:
            content |= trigger.mask
        else:
            off |= trigger.mask
    return Effect(off, content, triggers)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _known(recorded: date | None, known_at: date | None) -> bool:
    return known_at is None or recorded is None or recorded <= known_at


def spans_of(record: MeasureRecord, known_at: date | None, last_day: date) -> tuple[Span, ...]:
    """The days on which a measure is law, by rate, as known at the end of a day; none for what never was."""
    if record.status not in APPLIES or record.effective_from is None:
        return ()
    last = last_day
    if record.effective_to is not None and _known(record.end_recorded_at, known_at):
        last = min(last, record.effective_to)
    if record.withdrawn_at is not None and _known(record.withdrawn_at, known_at):
        last = min(last, record.withdrawn_at - _ONE_DAY)
    if not record.steps:
        if last < record.effective_from:
            return ()
        return (Span(record.effective_from, last, record.rate if record.rate is not None else _ZERO, record.heading),)
    steps = [step for step in record.steps if _known(step.recorded_at or step.from_, known_at)]
    spans: list[Span] = []
    for number, step in enumerate(steps):
        until = steps[number + 1].from_ - _ONE_DAY if number + 1 < len(steps) else last
        until = min(until, last)
        if step.from_ <= until:
            spans.append(Span(step.from_, until, step.rate, step.heading or record.heading))
    return tuple(spans)


def _literal(text: str, facts: dict[str, FactRecord]) -> Literal:
    name, _, value = text.removeprefix("!").partition("=")
    return Literal(facts[name], value or not text.startswith("!"))
