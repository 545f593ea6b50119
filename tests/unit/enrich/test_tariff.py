"""Views: scenarios end to end, columns that sum, and the fact sheet's totals on real goods."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.enriched import DutyView
from streams import reference
from streams.enrich.cents import cents, scaled, usd
from streams.enrich.context import Context
from streams.enrich.tariff import Goods, Schedule, Segment, View, rate_goods, schedule
from streams.policy.book import build_book
from streams.policy.facts import Claim, Facts

REFERENCE = reference.load()
TODAY = date(2026, 10, 1)
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, TODAY))
APPROVED = frozenset({Claim.COMMERCE_APPROVED})


def goods(line: str, origin: str | None, first: date | None = TODAY, last: date | None = None, **more: object) -> Goods:
    return Goods((line,), origin, first, last or first, True, **more)  # type: ignore[arg-type]


def columns(view: View | None, value: tuple[int, int, int]) -> tuple[list[Decimal], list[Decimal]]:
    assert view is not None
    priced = DutyView.model_validate(view.price(value))
    assert priced.total_usd is not None
    sums = [
        sum((Decimal(amounts[column]) for amounts in priced.components.values()), Decimal(0)) for column in range(3)
    ]
    return [Decimal(total) for total in priced.total_usd], sums


@pytest.mark.parametrize(
    ("line", "origin", "percent"),
    [
        ("8703.23.01", "JP", 15),
        ("8703.23.01", "KR", 15),
        ("8703.23.01", "DE", 15),
        ("8703.23.01", "TH", 27.5),
        ("8703.23.01", "ZA", 27.5),
        ("8703.80.00", "CN", 127.5),
        ("8703.23.01", "CN", 52.5),
        ("8703.40.00", "CN", 52.5),
        ("8704.31.01", "JP", 25),
        ("8704.31.01", "TH", 50),
    ],
)
def test_the_totals_of_the_fact_sheet_on_2026_10_01(line: str, origin: str, percent: float) -> None:
    view = rate_goods(goods(line, origin), CONTEXT).replacement
    assert view is not None
    assert view.rates.rate_percent is not None
    assert view.rates.rate_percent[1] == percent


@pytest.mark.parametrize(
    ("facts", "percent"),
    [
        (Facts(usmca=True, us_content=Decimal("0.40"), claims=APPROVED), 15),
        (Facts(usmca=True, us_content=Decimal(0), claims=APPROVED), 25),
        (Facts(usmca=False), 27.5),
    ],
)
def test_a_mexican_car_with_and_without_usmca(facts: Facts, percent: float) -> None:
    view = rate_goods(goods("8703.23.01", "MX", facts=(facts,)), CONTEXT).replacement
    assert view is not None
    assert view.rates.rate_percent == (percent, percent, percent)


def test_unsettled_facts_span_from_the_cheapest_to_the_dearest_reading_and_the_first_is_the_default() -> None:
    claimed = Facts(usmca=True, us_content=Decimal("0.40"), claims=APPROVED)
    found = rate_goods(goods("8703.23.01", "MX", facts=(claimed, Facts(usmca=False))), CONTEXT)
    assert found.replacement is not None
    assert found.replacement.rates.rate_percent == (15, 15, 27.5)


def test_two_candidate_lines_span_both_and_name_the_line_as_missing() -> None:
    both = Goods(("8704.31.01", "8703.23.01"), "TH", TODAY, TODAY, True)
    found = rate_goods(both, CONTEXT)
    assert found.replacement is not None
    assert found.replacement.rates.rate_percent == (27.5, 50, 50)
    assert "hts" in found.missing_facts


def test_entry_dates_across_a_boundary_span_the_rates_on_both_sides() -> None:
    boundary = date(2025, 4, 3)
    found = rate_goods(goods("8703.23.01", "JP", boundary - timedelta(days=30), boundary + timedelta(days=3)), CONTEXT)
    assert found.landed is not None
    assert found.landed.rates.rate_percent == (2.5, 2.5, 27.5)


def test_the_day_before_and_the_day_of_a_boundary_differ() -> None:
    before = rate_goods(goods("8703.23.01", "JP", date(2025, 4, 2)), CONTEXT).landed
    after = rate_goods(goods("8703.23.01", "JP", date(2025, 4, 3)), CONTEXT).landed
    assert before is not None
    assert after is not None
    assert (before.rates.rate_percent, after.rates.rate_percent) == ((2.5, 2.5, 2.5), (27.5, 27.5, 27.5))


def test_without_an_origin_a_line_or_a_date_nothing_is_rated_and_the_fact_is_named() -> None:
    assert rate_goods(goods("8703.23.01", None), CONTEXT).missing_facts == ("country_of_origin",)
    nothing = rate_goods(Goods((), "JP", TODAY, TODAY, True), CONTEXT)
    assert (nothing.landed, nothing.replacement, nothing.missing_facts) == (None, None, ("hts",))
    undated = rate_goods(goods("8703.23.01", "JP", None), CONTEXT)
    assert undated.landed is None
    assert undated.replacement is not None
    assert "entry_date" in undated.missing_facts


def test_goods_that_are_not_new_have_no_replacement() -> None:
    assert rate_goods(Goods(("8703.23.01",), "JP", TODAY, TODAY, False), CONTEXT).replacement is None


def test_an_entry_before_the_book_begins_is_not_rated() -> None:
    found = rate_goods(goods("8703.23.01", "JP", date(1999, 5, 1)), CONTEXT)
    assert found.landed is None
    assert "entry_date_within_book" in found.missing_facts


@settings(max_examples=150, deadline=None)
@given(
    line=st.sampled_from(["8703.23.01", "8703.40.00", "8703.80.00", "8704.31.01"]),
    origin=st.sampled_from(["JP", "DE", "KR", "CN", "MX", "GB", "TH"]),
    day=st.dates(date(2024, 1, 1), date(2026, 10, 1)),
    length=st.integers(0, 120),
    value=st.tuples(*[st.integers(0, 20_000_000)] * 3).map(lambda columns: tuple(sorted(columns))),
)
def test_components_sum_to_the_total_in_every_column_and_columns_are_in_order(
    line: str, origin: str, day: date, length: int, value: tuple[int, int, int]
) -> None:
    found = rate_goods(goods(line, origin, day, min(day + timedelta(days=length), TODAY)), CONTEXT)
    for view in (found.landed, found.replacement):
        totals, sums = columns(view, value)
        assert totals == sums
        assert totals == sorted(totals)
        assert totals[0] >= 0


def test_the_json_of_a_view_is_its_values() -> None:
    import orjson

    view = rate_goods(goods("8703.80.00", "CN"), CONTEXT).replacement
    assert view is not None
    for value in (None, (1_000_001, 2_000_003, 3_000_007)):
        encoded = orjson.loads(view.encode(value))
        assert encoded == orjson.loads(orjson.dumps(view.price(value)))
        DutyView.model_validate(encoded)


def test_a_schedule_is_asked_for_a_day_between_its_segments() -> None:
    known = Schedule(
        [
            Segment(date(2025, 1, 1), {"A": scaled(Decimal(1))}, {"A": scaled(Decimal(1))}, {"A": scaled(Decimal(1))}),
            Segment(date(2025, 7, 1), {"A": scaled(Decimal(2))}, {"A": scaled(Decimal(3))}, {"A": scaled(Decimal(4))}),
        ]
    )
    first = known.view(date(2025, 6, 30), date(2025, 6, 30))
    span = known.view(date(2025, 6, 1), date(2025, 7, 1))
    last = known.view(date(2025, 7, 1), date(2026, 1, 1))
    assert [view.rate_percent for view in (first, span, last) if view] == [(1, 1, 1), (1, 1, 4), (2, 3, 4)]
    assert known.view(date(2024, 12, 31), date(2025, 2, 1)) is None


def test_a_segment_without_an_answer_makes_a_view_without_one() -> None:
    known = Schedule([Segment(date(2025, 1, 1), None, None, None, ("hts_digits",))])
    assert known.view(date(2025, 1, 1), date(2025, 1, 2)) is None
    assert known.missing_facts(date(2025, 1, 1), date(2025, 1, 2)) == ("hts_digits",)


@pytest.mark.parametrize(("dollars", "amount"), [("0", 0), ("12.5", 1250), ("12.05", 1205), ("38990.00", 3_899_000)])
def test_dollars_and_cents(dollars: str, amount: int) -> None:
    assert cents(dollars) == amount
    assert Decimal(usd(amount)) == Decimal(dollars)


def test_negative_dollars_keep_their_cents() -> None:
    assert usd(-5) == "-0.05"
    assert usd(-12345) == "-123.45"


@pytest.mark.parametrize(("line", "origin"), [("8703.23.01", "GB"), ("8703.23.01", "DE"), ("8703.80.00", "CN")])
def test_the_rates_of_a_day_do_not_hang_on_where_the_schedule_was_begun(line: str, origin: str) -> None:
    """One record asks for this year, the next for an earlier one: both must say the same of a day."""
    begun = [schedule((line,), origin, (Facts(),), date(year, 1, 1), _fresh()) for year in range(2018, 2027)]
    for day in (date(2026, 1, 1), date(2026, 6, 30), date(2026, 10, 1)):
        assert len({(one.view(day, day), one.missing_facts(day, day)) for one in begun}) == 1


def _fresh() -> Context:
    return Context(CONTEXT.reference, CONTEXT.book)
