"""Walking the measures of one interval in order of rank, forking where a fact is asked for that is not known."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from streams.policy.facts import Facts, FactValue, known_value
from streams.policy.lines import Leaf
from streams.policy.view import Active, Effect, Literal, Plan, Settled
from streams.reference.trade_records import FactKind, FactRecord, MeasureRecord, RateType

_ZERO = Decimal(0)
_ONE = Decimal(1)
_COLUMN_1 = "column_1_rate"
_PRINTED = frozenset({RateType.ADD, RateType.FLAT_IN_LIEU, RateType.QUOTA, RateType.EXEMPT})
"""Rate types whose rate does not depend on column 1 or on a fact."""
STACKING = "ST-"
PREFERENCE = "column_1_preference"
"""Authority of the agreements that free goods of column 1: shown as a component of 0%."""


class Charge(NamedTuple):
    """A measure that applies, with its rate after caps and shares."""

    record: MeasureRecord
    heading: str | None
    rate: Decimal


class NotApplied(NamedTuple):
    """A measure that was considered and does not apply, by which rule and why."""

    measure: str
    authority: str
    heading: str | None
    rule: str
    reason: str


class Outcome(NamedTuple):
    """What is owed when every fact that was asked for has a value, and what was switched off or failed on the way."""

    total: Decimal
    charges: tuple[Charge, ...]
    at_zero: tuple[Charge, ...]
    switched: tuple[Effect, ...]
    failed: tuple[tuple[Active, str], ...]
    leaf: Leaf | None


def reasons(outcome: Outcome, duties: tuple[Active, ...]) -> tuple[tuple[NotApplied, ...], tuple[Charge, ...]]:
    """Why the other duties do not apply, and all headings that are reported at 0%."""
    why = {duty.bit: reason for duty, reason in outcome.failed}
    not_applied = []
    at_zero = list(outcome.at_zero)
    for duty in duties:
        record = duty.record
        if record.rate_type is RateType.EXEMPT or (outcome.leaf is not None and not outcome.leaf.mask & duty.bit):
            continue
        for trigger in (trigger for effect in outcome.switched for trigger in effect.triggers):
            if trigger.mask & duty.bit and not trigger.content:
                rule, reason = trigger.rule, f"switched off by {trigger.by}"
                if record.relief_heading is not None and rule.startswith(STACKING):
                    at_zero.append(Charge(record, record.relief_heading, _ZERO))
                break
        else:
            if duty.bit not in why:
                continue
            rule, reason = "condition", why[duty.bit]
        not_applied.append(NotApplied(record.id, record.authority, duty.heading, rule, reason))
    return tuple(not_applied), tuple(at_zero)


class Answer(NamedTuple):
    """The span of outcomes over the unknown facts, the default one, and the facts that open the span."""

    low: Outcome
    central: Outcome | None
    high: Outcome
    missing: tuple[str, ...]


class _State(NamedTuple):
    position: int = 0
    off: int = 0
    content: int = 0
    column_1: Decimal = _ZERO
    total: Decimal = _ZERO
    charges: Sequence[Charge] = ()
    at_zero: Sequence[Charge] = ()
    switched: Sequence[Effect] = ()
    failed: Sequence[tuple[Active, str]] = ()


def walk(plan: Plan, interval: int, facts: Facts) -> Answer:
    """The answer for one interval of dates: every completion of the unknown facts that matter, and the default one."""
    return _Walk(plan, plan.active(interval)[0], facts).run()


class _Walk:
    __slots__ = ("_default_leaf", "_facts", "_failed", "_leaves", "_live", "_needs_digits", "_origin", "_records",
                 "_shared")  # fmt: skip

    def __init__(self, plan: Plan, duties: tuple[Active, ...], facts: Facts) -> None:
        self._facts = facts
        self._origin = plan.origin
        self._leaves = plan.leaves
        self._needs_digits = plan.match.needs_digits
        self._default_leaf = plan.leaves[0] if plan.match.default is not None else None
        self._records = plan.view.facts
        shared = plan.leaves[0].mask
        for leaf in plan.leaves:
            shared &= leaf.mask
        self._shared = shared
        # What the shipment's own facts settle is settled once, and once for all lines; only the rest is walked.
        self._live: list[tuple[Active, tuple[Literal, ...]]] = []
        self._failed: list[tuple[Active, str]] = []
        settled = plan.view.settled(facts, plan.origin)
        for duty in duties:
            found = settled.get(duty.bit)
            if found is None:
                found = settled[duty.bit] = self._settle(duty)
            if found.failed is None:
                self._live.append((duty, found.asks))
            else:
                self._failed.append((duty, found.failed))

    def run(self) -> Answer:
        leaf = self._leaves[0] if len(self._leaves) == 1 else None
        return self._go(_State(failed=self._failed), {}, leaf)

    def _settle(self, duty: Active) -> Settled:
        asks = []
        for literal in duty.literals:
            value = self._known(literal.fact)
            if value is None:
                asks.append(literal)
            elif value != literal.wanted:
                return Settled(f"{literal.fact.name} is {str(value).lower()}", ())
        return Settled(None, tuple(asks))

    def _go(self, state: _State, known: dict[str, FactValue], leaf: Leaf | None) -> Answer:
        live = self._live
        off, content, column_1, total = state.off, state.content, state.column_1, state.total
        charges, at_zero = list(state.charges), list(state.at_zero)
        switched, failed = list(state.switched), list(state.failed)
        for position in range(state.position, len(live)):
            duty, asks = live[position]
            bit = duty.bit
            if off & bit:
                continue
            if leaf is not None:
                if not leaf.mask & bit:
                    continue
            elif not self._shared & bit or duty.kind is RateType.COLUMN_1:
                here = _State(position, off, content, column_1, total, charges, at_zero, switched, failed)
                return self._fork_leaf(here, known)
            record, kind = duty.record, duty.kind
            if not asks and kind in _PRINTED:
                rate = duty.rate
            else:
                asked, reason = self._conditions(duty, asks, known, leaf)
                if reason is not None:
                    failed.append((duty, reason))
                    continue
                if asked is not None:
                    here = _State(position, off, content, column_1, total, charges, at_zero, switched, failed)
                    return self._fork(here, known, leaf, asked, duty)
                rate = self._rate_of(duty, known, leaf, column_1)
            if content & bit:
                rate *= _ONE - _decimal(known["metal_share"])
            if kind is RateType.COLUMN_1:
                column_1 = rate
            if record.authority == PREFERENCE:
                charges.append(Charge(record, None, _ZERO))
            elif kind is RateType.EXEMPT or (rate == 0 and kind is not RateType.COLUMN_1):
                if record.heading is not None:
                    heading = record.heading_at_cap if kind is RateType.COMBINED_TO else duty.heading
                    at_zero.append(Charge(record, heading, _ZERO))
            else:
                charges.append(Charge(record, duty.heading, rate))
                total += rate
            subject = rate > 0 if record.subject == "owed" else record.subject == "always"
            effect = duty.subject if subject else duty.otherwise
            if effect.triggers:
                off |= effect.off
                content |= effect.content
                switched.append(effect)
        outcome = Outcome(total, tuple(charges), tuple(at_zero), tuple(switched), tuple(failed), leaf)
        return Answer(outcome, outcome, outcome, ())

    def _conditions(
        self, duty: Active, asks: tuple[Literal, ...], known: dict[str, FactValue], leaf: Leaf | None
    ) -> tuple[str | None, str | None]:
        """The first unknown fact to ask for, or why the measure does not apply on this branch."""
        asked: str | None = None
        for literal in asks:
            name = literal.fact.name
            value = known.get(name)
            if value is None:
                asked = asked or name
            elif value != literal.wanted:
                return None, f"{name} is {str(value).lower()}"
        if asked is not None:
            return asked, None
        kind = duty.kind
        if kind is RateType.CONTENT_SHARE:
            name = "us_content" if duty.record.content == "non_us" else "metal_share"
            if name not in known:
                value = self._known(self._records[name])
                if value is None:
                    return name, None
                known[name] = value
        elif kind is RateType.UNKNOWN:
            name = rate_fact(duty.record)
            if name not in known:
                return name, None
        elif kind is RateType.COLUMN_1:
            assert leaf is not None
            if leaf.low != leaf.high and _COLUMN_1 not in known:
                return _COLUMN_1, None
        return None, None

    def _known(self, fact: FactRecord) -> FactValue | None:
        value = known_value(fact, self._facts, self._origin)
        if value is None and not fact.opens and not (fact.kind is FactKind.HTS98 and self._facts.hts98 is not None):
            return fact.default
        return value

    def _rate_of(self, duty: Active, known: dict[str, FactValue], leaf: Leaf | None, column_1: Decimal) -> Decimal:
        record, kind = duty.record, duty.kind
        if kind is RateType.COLUMN_1:
            assert leaf is not None
            return leaf.low if leaf.low == leaf.high else _decimal(known[_COLUMN_1])
        if kind is RateType.COMBINED_TO:
            return max(_ZERO, duty.rate - column_1)
        if kind is RateType.CONTENT_SHARE:
            if record.content == "non_us":
                return duty.rate * (_ONE - _decimal(known["us_content"]))
            return duty.rate * _decimal(known["metal_share"])
        if kind is RateType.UNKNOWN:
            return _decimal(known[rate_fact(record)])
        return duty.rate

    def _fork_leaf(self, state: _State, known: dict[str, FactValue]) -> Answer:
        branches = [(leaf is self._default_leaf, self._go(state, dict(known), leaf)) for leaf in self._leaves]
        return _join("hts_digits" if self._needs_digits else "stat_suffix", branches)

    def _fork(self, state: _State, known: dict[str, FactValue], leaf: Leaf | None, name: str, duty: Active) -> Answer:
        values: list[tuple[bool, FactValue]]
        election = False
        if name == _COLUMN_1:
            assert leaf is not None
            values = [(False, leaf.low), (False, leaf.high)]
        elif name == rate_fact(duty.record):
            assert duty.record.rate_low is not None
            assert duty.record.rate_high is not None
            values = [(False, duty.record.rate_low), (False, duty.record.rate_high)]
        else:
            fact = self._records[name]
            election = fact.election
            if fact.kind is FactKind.HTS98:
                values = [(False, False), (False, True)]
            elif fact.kind is FactKind.SHARE:
                assert fact.low is not None
                assert fact.high is not None
                values = [(False, fact.low), (False, fact.high)]
                if fact.default is not None:
                    values.append((True, fact.default))
            else:
                domain: tuple[FactValue, ...] = fact.values or (False, True)
                values = [(value == fact.default, value) for value in domain]
        branches = [(default, self._go(state, {**known, name: value}, leaf)) for default, value in values]
        if election:
            return _join_election(name, branches)
        return _join(name, branches)


def _join(name: str, branches: list[tuple[bool, Answer]]) -> Answer:
    answers = [answer for _, answer in branches]
    low = min((answer.low for answer in answers), key=lambda outcome: outcome.total)
    high = max((answer.high for answer in answers), key=lambda outcome: outcome.total)
    central: Outcome | None
    defaults = [answer for default, answer in branches if default]
    if defaults:
        central = defaults[0].central
    else:
        central = answers[0].central
        if central is None or any(one.central is None or one.central.total != central.total for one in answers):
            central = None
    shapes = {
        (answer.low.total, answer.central.total if answer.central else None, answer.high.total) for answer in answers
    }
    missing = [name] if len(shapes) > 1 else []
    for answer in answers:
        missing.extend(other for other in answer.missing if other not in missing)
    return Answer(_prefer(central, low), central, _prefer(central, high), tuple(missing))


def _join_election(name: str, branches: list[tuple[bool, Answer]]) -> Answer:
    """An election is made only where it lowers the duty, so it can't raise the high end."""
    plain = next(answer for default, answer in branches if default)
    chosen = next(answer for default, answer in branches if not default)
    if chosen.low.total >= plain.low.total and chosen.high.total >= plain.high.total:
        return plain
    low = min(plain.low, chosen.low, key=lambda outcome: outcome.total)
    missing = [name, *(other for other in (*plain.missing, *chosen.missing) if other != name)]
    return Answer(_prefer(plain.central, low), plain.central, plain.high, tuple(dict.fromkeys(missing)))


def _prefer(central: Outcome | None, other: Outcome) -> Outcome:
    """The default reading where it has the same total, so that one answer is not told in two ways."""
    return central if central is not None and central.total == other.total else other


def rate_fact(record: MeasureRecord) -> str:
    """Name of the fact that is the rate of a measure whose rate the book does not hold."""
    return f"rate_of_{record.id.lower().replace('-', '_')}"


def _decimal(value: FactValue) -> Decimal:
    assert isinstance(value, Decimal)
    return value
