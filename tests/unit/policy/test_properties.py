"""What must hold of any estimate, whatever the line, origin, day and facts."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streams.policy.book import build_book
from streams.policy.duty import DutyRates, Scenario, estimate, rates
from streams.policy.facts import Claim, Facts, contradiction
from streams.policy.history import history
from streams.reference.trade import load_trade

TRADE = load_trade()
BOOK = build_book(TRADE, date(2026, 11, 24))
LAST = date(2028, 12, 31)

LINES = st.sampled_from([row.hts for row in TRADE.lines] + ["8708", "8501.53", "8703", "8482.10.5004", "8708.29.2120"])
ORIGINS = st.sampled_from(  # the economies of interest, and some whose rates are not held
    ["CN", "JP", "KR", "DE", "EU", "MX", "CA", "GB", "TW", "TH", "IN", "VN", "BR", "HK", "CH", "ZA", "MA", "RU", "US"]
)
DAYS = st.dates(date(2018, 1, 1), LAST) | st.dates(date(2025, 1, 1), date(2026, 12, 31))
SHARES = st.decimals(0, 1, places=2)
CLAIMS = st.frozensets(st.sampled_from(list(Claim)), max_size=3)


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    return Facts(
        usmca=draw(st.none() | st.booleans()),
        us_content=draw(st.none() | SHARES),
        claims=draw(CLAIMS),
        in_transit_date=draw(st.none() | st.dates(date(2025, 3, 1), date(2026, 8, 1))),
        metal_share=draw(st.none() | SHARES),
        us_metal_share=draw(st.none() | SHARES),
    )


def _without(known: Facts, name: str) -> Facts:
    values: dict[str, Any] = {field.name: getattr(known, field.name) for field in fields(Facts) if field.init}
    return Facts(**{**values, name: None})


def scenarios(found: DutyRates) -> list[Scenario]:
    return [scenario for scenario in (found.low, found.central, found.high) if scenario is not None]


def ask(line: str, origin: str, day: date, known: Facts) -> DutyRates:
    assume(contradiction(known, origin) is None)
    return rates(BOOK, line, origin, day, known)


@settings(max_examples=300, deadline=None)
@given(LINES, ORIGINS, DAYS, facts())
def test_parts_sum_to_the_total_which_is_never_negative_and_the_answer_is_in_the_range(
    line: str, origin: str, day: date, known: Facts
) -> None:
    found = ask(line, origin, day, known)
    for scenario in scenarios(found):
        assert sum(part.rate_percent for part in scenario.components) == scenario.total_rate_percent
        assert all(part.rate_percent >= 0 for part in scenario.components)
    if found.low is not None and found.high is not None:
        assert found.low.total_rate_percent <= found.high.total_rate_percent
        if found.central is not None:
            assert found.low.total_rate_percent <= found.central.total_rate_percent <= found.high.total_rate_percent
        if found.low.total_rate_percent < found.high.total_rate_percent:
            assert found.missing_facts


@settings(max_examples=300, deadline=None)
@given(LINES, ORIGINS, DAYS, facts(), st.integers(0, 10**12), st.integers(0, 10**9))
def test_duty_never_falls_as_value_rises_and_the_cents_of_the_parts_sum(
    line: str, origin: str, day: date, known: Facts, value: int, more: int
) -> None:
    assume(contradiction(known, origin) is None)
    one = estimate(BOOK, line, origin, day, value, known)
    other = estimate(BOOK, line, origin, day, value + more, known)
    for before, after in ((one.low, other.low), (one.central, other.central), (one.high, other.high)):
        if before is None or after is None:
            assert before is after
            continue
        assert before.total_cents is not None
        assert after.total_cents is not None
        assert 0 <= before.total_cents <= after.total_cents
        assert before.total_cents == sum(part.amount_cents or 0 for part in before.components)


@settings(max_examples=300, deadline=None)
@given(LINES, ORIGINS, DAYS, facts())
def test_a_cap_is_never_below_column_1(line: str, origin: str, day: date, known: Facts) -> None:
    caps = {measure.id: measure.rate for measure in TRADE.measures if measure.rate_type == "combined_to"}
    for scenario in scenarios(ask(line, origin, day, known)):
        parts = {part.measure: part for part in scenario.components}
        column_1 = sum(part.rate_percent for part in scenario.components if part.authority == "column_1")
        for measure, part in parts.items():
            cap = caps.get(measure)
            if cap is not None:
                assert part.rate_percent <= max(Decimal(0), cap - column_1)
        assert scenario.total_rate_percent >= column_1


@settings(max_examples=400, deadline=None)
@given(LINES, ORIGINS, DAYS, facts(), st.sampled_from([field.name for field in fields(Facts) if field.init]), st.data())
def test_one_more_fact_never_widens_the_range(
    line: str, origin: str, day: date, known: Facts, name: str, data: st.DataObject
) -> None:
    assume(name != "hts98")
    if name == "claims":
        assume(known.claims)
        fewer = replace(known, claims=known.claims - {data.draw(st.sampled_from(sorted(known.claims)))})
    else:
        fewer = _without(known, name)
    # An importer who opts in, or says what nobody asks (a vehicle of 25 years, a truck part), is off the default range.
    assume(not (known.claims ^ fewer.claims) & {
        Claim.US_PRODUCTION_PART, Claim.VINTAGE_25Y, Claim.TRUCK_PART, Claim.TRUCK_VEHICLE
    })  # fmt: skip
    more, less = ask(line, origin, day, known), ask(line, origin, day, fewer)
    if more.low is None or more.high is None or less.low is None or less.high is None:
        return
    assert more.low.total_rate_percent >= less.low.total_rate_percent
    assert more.high.total_rate_percent <= less.high.total_rate_percent


FALL_TO_METALS = (
    "7320.10", "7320.20.10", "8708", "8708.10.30", "8708.10.60", "8708.29.21", "8708.29.2120", "8708.29.51",
    "8708.29.5160", "8708.80.65", "8708.80.6590", "8708.99.68", "8708.99.6890",
)  # fmt: skip
"""Springs, and auto parts on the derivative list of 2025-03-12: a preference that frees them of the parts duty leaves
them to metals, up to 50% of the value until 2026-04-05 (fact sheet 8.1)."""


@settings(max_examples=400, deadline=None)
@given(LINES, st.sampled_from(["CA", "MX"]), DAYS, facts())
def test_usmca_never_costs_more_save_on_the_lines_that_fall_to_metals(
    line: str, origin: str, day: date, known: Facts
) -> None:
    assume(line not in FALL_TO_METALS and Claim.COMMERCE_APPROVED not in known.claims)
    with_it = ask(line, origin, day, replace(known, usmca=True)).central
    without = ask(line, origin, day, replace(known, usmca=False)).central
    if with_it is not None and without is not None:
        assert with_it.total_rate_percent <= without.total_rate_percent


@pytest.mark.parametrize(
    "line",
    [
        "7320.10",
        "7320.20.10",
        "8708.10.30",
        "8708.10.60",
        "8708.29.2120",
        "8708.29.5160",
        "8708.80.6590",
        "8708.99.6890",
    ],
)
def test_a_line_named_as_falling_to_metals_does_cost_more_with_usmca(line: str) -> None:
    all_metal = Facts(metal_share=Decimal(1), claims=frozenset({Claim.AUTO_PART}))
    day = date(2025, 12, 1)
    with_it = rates(BOOK, line, "MX", day, replace(all_metal, usmca=True)).high
    without = rates(BOOK, line, "MX", day, replace(all_metal, usmca=False)).low
    assert with_it is not None
    assert without is not None
    assert with_it.total_rate_percent > without.total_rate_percent


@settings(max_examples=300, deadline=None)
@given(LINES, DAYS, facts())
def test_the_korean_agreement_never_costs_more(line: str, day: date, known: Facts) -> None:
    without = replace(known, claims=known.claims - {Claim.KORUS})
    plain = ask(line, "KR", day, without).central
    claimed = ask(line, "KR", day, replace(without, claims=without.claims | {Claim.KORUS})).central
    if claimed is not None and plain is not None:
        assert claimed.total_rate_percent <= plain.total_rate_percent


@settings(max_examples=150, deadline=None)
@given(LINES, ORIGINS, facts(), DAYS, DAYS)
def test_a_line_s_history_tiles_the_days_and_each_day_answers_as_its_stretch(
    line: str, origin: str, known: Facts, one: date, other: date
) -> None:
    assume(contradiction(known, origin) is None)
    first, last = min(one, other), max(one, other)
    stretches = history(BOOK, line, origin, first, last, known)
    assert stretches[0].first == first
    assert stretches[-1].last == last
    for before, after in pairwise(stretches):
        assert after.first == before.last + timedelta(days=1)
        assert before.rates.signature != after.rates.signature
    for stretch in stretches:
        middle = stretch.first + (stretch.last - stretch.first) // 2
        for day in (stretch.first, middle, stretch.last):
            assert rates(BOOK, line, origin, day, known).signature == stretch.rates.signature


@settings(max_examples=150, deadline=None)
@given(LINES, ORIGINS, DAYS, facts())
def test_the_same_question_has_the_same_answer_in_another_book_of_the_same_data(
    line: str, origin: str, day: date, known: Facts
) -> None:
    found = ask(line, origin, day, known)
    again = rates(build_book(TRADE, date(2026, 11, 24)), line, origin, day, known)
    assert again.signature == found.signature
    assert again.changes_on == found.changes_on


@settings(max_examples=200, deadline=None)
@given(LINES, ORIGINS, DAYS, facts())
def test_the_answer_stands_until_the_day_it_says_it_changes(line: str, origin: str, day: date, known: Facts) -> None:
    found = ask(line, origin, day, known)
    if found.changes_on is None:
        return
    assert found.changes_on > day
    before = rates(BOOK, line, origin, found.changes_on - timedelta(days=1), known)
    after = rates(BOOK, line, origin, found.changes_on, known)
    assert before.answer == found.answer
    assert after.answer != found.answer
