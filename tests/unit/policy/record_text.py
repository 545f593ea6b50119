"""A record of the trade data in the notation of `golden_dates.py`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache

from streams.reference.trade import TradeReference
from streams.reference.trade_records import FactRecord, LicencePeriod, MeasureRecord, RateStep, StackingRule

from .golden_dates import CHAPTERS, FACTS, LICENCES, MEASURES, OTHER_LINES, STACKING
from .test_lines import LINES


def differences(trade: TradeReference) -> list[str]:
    """Records whose rates or dates are not those typed, in either direction."""
    typed = _measures() | _words(STACKING) | _words(FACTS)
    found = {record.id: _remembered(record) for record in trade.measures}
    found |= {rule.id: _rule_text(rule) for rule in trade.stacking if rule.when}
    found |= {fact.name: text for fact in trade.facts if (text := _fact_text(fact))}
    wrong = [
        f"{name}: {found.get(name)!r}, typed {typed.get(name)!r}"
        for name in sorted({*typed, *found})
        if found.get(name) != typed.get(name)
    ]
    licences = [_licence_text(period) for period in trade.licences]
    if licences != LICENCES.strip().splitlines():
        wrong.append(f"licences: {licences}")
    chapters = [f"{row.prefix} {_plain(row.low)} {_plain(row.high)}" for row in trade.chapters]
    if chapters != CHAPTERS.strip().splitlines():
        wrong.append(f"chapters: {chapters}")
    wrong.extend(_lines(trade))
    return wrong


def measure_text(record: MeasureRecord) -> str:
    """One measure's rates and dates."""
    words = [_rate_text(record), _span(record.effective_from, record.effective_to)]
    for name, day in (
        ("pub", record.recorded_at),
        ("end", record.end_recorded_at),
        ("ann", record.announced_at),
        ("off", record.withdrawn_at),
    ):
        if day is not None:
            words.append(f"{name}={day}")
    if record.suspended_from is not None:
        words.append(f"sus={_span(record.suspended_from, record.suspended_until)}")
    if record.reported_extension_until is not None:
        words.append(f"ext={record.reported_extension_until}")
    return " ".join(words)


_texts: dict[int, tuple[MeasureRecord, str]] = {}
"""Texts of records by identity: of a thousand mutants all but one record are the same objects."""


def _remembered(record: MeasureRecord) -> str:
    found = _texts.get(id(record))
    if found is None:
        found = _texts[id(record)] = (record, measure_text(record))
    return found[1]


@cache
def _measures() -> dict[str, str]:
    typed = {}
    for row in MEASURES.strip().splitlines():
        words = row.split()
        first = next(number for number, word in enumerate(words) if ".." in word) - 1
        for name in words[:first]:
            typed[name] = " ".join(words[first:])
    return typed


@cache
def _words(table: str) -> dict[str, str]:
    rows = (row.partition(" ") for row in table.strip().splitlines())
    return {name: rest for name, _, rest in rows}


def _lines(trade: TradeReference) -> list[str]:
    return [f"line {row.hts}: {row.mfn}" for row in trade.lines if _typed_rates(row.digits) != {row.mfn}]


@cache
def _typed_rates(digits: str) -> frozenset[Decimal]:
    every = _typed_lines()
    return frozenset(rate for number, rate in every.items() if _same(number, digits, every))


@cache
def _typed_lines() -> dict[str, Decimal]:
    rows = [row.split() for row in (LINES + OTHER_LINES).splitlines() if row]
    return {row[0].replace(".", ""): Decimal(row[1]) for row in rows}


def _same(typed: str, digits: str, every: dict[str, Decimal]) -> bool:
    if typed == digits:
        return True
    if digits in every:
        return False
    return digits.startswith(typed) or typed.startswith(digits)


def _rate_text(record: MeasureRecord) -> str:
    if record.steps:
        return ",".join(_step_text(step) for step in record.steps)
    if record.rate_low is not None and record.rate_high is not None:
        return f"{_plain(record.rate_low)}~{_plain(record.rate_high)}"
    return "-" if record.rate is None else _plain(record.rate)


def _step_text(step: RateStep) -> str:
    return f"{_plain(step.rate)}@{step.from_}" + (f"/{step.recorded_at}" if step.recorded_at else "")


def _rule_text(rule: StackingRule) -> str:
    return _span(rule.effective_from, rule.effective_to) + (f" pub={rule.recorded_at}" if rule.recorded_at else "")


def _fact_text(fact: FactRecord) -> str:
    words = []
    for name, value in (("low", fact.low), ("high", fact.high), ("at", fact.at_least), ("before", fact.before)):
        if value is not None:
            words.append(f"{name}={value}")
    if isinstance(fact.default, Decimal):
        words.append(f"default={fact.default}")
    return " ".join(words)


def _licence_text(period: LicencePeriod) -> str:
    weeks = "" if period.lead_weeks is None else " " + " ".join(f"{number:g}" for number in period.lead_weeks)
    return _span(period.effective_from, period.effective_to) + weeks


def _span(first: date | None, last: date | None) -> str:
    return f"{first or ''}..{last or ''}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
