"""Expected invoice change: only what came after the cost date, as passed on, never beyond the duty's own move."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import Importer
from streams import reference
from streams.enrich.context import Context
from streams.enrich.invoice import (
    CostDate,
    Invoice,
    PassedOn,
    PassThrough,
    change,
    coded_cost_date,
    derived,
    invoice,
    passed_on,
    retroactive_days,
)
from streams.enrich.tariff import Segment, schedule
from streams.policy.book import build_book
from streams.policy.facts import Facts
from streams.reference.dealer import load_dealer

REFERENCE = reference.load()
DEALER = load_dealer()
POINT = 1_000_000
START = date(2025, 1, 1)
ANY = PassThrough(DEALER, "vehicle", "MAZDA", "TH", None)
OWN_IMPORT = PassThrough(DEALER, "vehicle", "MAZDA", "TH", Importer.DEALER)


def segments(*steps: tuple[int, dict[str, int]]) -> list[Segment]:
    """Duty by measure in percent from so many days after the start, the same in every scenario."""
    columns = [(START + timedelta(day), {name: rate * POINT for name, rate in rates.items()}) for day, rates in steps]
    return [Segment(day, column, column, column) for day, column in columns]


def on(day: int) -> date:
    return START + timedelta(day)


def moved(known: list[Segment], cost: int, today: int, through: PassThrough = ANY) -> PassedOn:
    found = passed_on(known, on(cost), on(today), through, {})
    assert found is not None
    return found


AUTO = segments((0, {"MFN": 2}), (100, {"MFN": 2, "232": 25}))


def test_a_measure_before_the_cost_date_is_in_the_cost_already() -> None:
    found = moved(AUTO, 100, 200)
    assert (found.rate, found.already_in_cost, found.measures) == ((0, 0, 0), "yes", ())


def test_a_measure_after_the_cost_date_counts_with_what_makers_pass_on_at_its_age() -> None:
    young = moved(AUTO, 99, 100)
    assert (young.already_in_cost, young.measures) == ("no", ("232",))
    assert young.rate == (int(2.5 * POINT), int(6.25 * POINT), int(13.75 * POINT))
    assert moved(AUTO, 99, 280).rate == (5 * POINT, int(11.25 * POINT), 20 * POINT)
    assert moved(AUTO, 99, 465).rate == (int(7.5 * POINT), 15 * POINT, 25 * POINT)


def test_a_measure_that_has_not_begun_counts_nothing() -> None:
    assert moved(AUTO, 10, 99).already_in_cost == "yes"


def test_goods_invoiced_after_the_books_day_have_todays_duty_in_their_cost() -> None:
    assert moved(AUTO, 150, 120).already_in_cost == "yes"


def test_what_came_and_went_after_the_cost_date_leaves_nothing() -> None:
    ieepa = segments((0, {"MFN": 2}), (100, {"MFN": 2, "IEEPA": 10}), (400, {"MFN": 2}))
    found = moved(ieepa, 50, 500)
    assert found.rate == (0, 0, 0)
    assert found.measures == ()


def test_a_cut_after_the_cost_date_lowers_the_next_invoice_less_and_later_than_a_rise_raises_it() -> None:
    cut = segments((0, {"MFN": 2, "232": 25}), (100, {"MFN": 2, "232-JP": 13}))
    found = moved(cut, 50, 100)
    assert found.rate == (int(-3.6 * POINT), int(-1.2 * POINT), 0)
    assert found.already_in_cost == "no"
    assert set(found.measures) == {"232", "232-JP"}


def test_a_cut_published_after_its_first_day_moves_nothing_and_books_no_refund() -> None:
    cut = segments((0, {"232": 25}), (100, {"232-EU": 15}))
    found = passed_on(cut, on(50), on(200), ANY, {"232-EU": frozenset({on(100)})})
    assert found is not None
    assert (found.rate, found.already_in_cost) == ((0, 0, 0), "yes")


def test_the_books_retroactive_cuts_are_known_as_such() -> None:
    days = retroactive_days(build_book(REFERENCE.trade, date(2026, 10, 1)))
    assert date(2025, 8, 1) in days["232-EU-V"]
    assert date(2025, 11, 1) in days["232-KR-V"]
    assert "232-JP-V" not in days
    assert date(2025, 11, 14) in days["IEEPA-PH2-KR"], "an end that was published later is a cut of the past, too"
    assert "IEEPA-RECIP" not in days, "an end that was published before it came is not"


def test_a_dealer_who_is_the_importer_bears_all_of_it_at_once() -> None:
    assert moved(AUTO, 99, 100, OWN_IMPORT).rate == (25 * POINT,) * 3


def test_scenarios_keep_to_their_column_and_the_range_is_in_order() -> None:
    known = [
        Segment(on(0), {}, {"MFN": 2 * POINT}, {"MFN": 3 * POINT}),
        Segment(on(100), {"A": 10 * POINT}, {"A": 12 * POINT}, {"A": 33 * POINT}),
    ]
    assert moved(known, 0, 100).rate == (1 * POINT, int(2.5 * POINT), int(16.5 * POINT))


def test_no_answer_for_a_day_in_between_gives_none() -> None:
    known = [*AUTO, Segment(on(150), None, None, None), *segments((200, {"MFN": 2}))]
    assert passed_on(known, on(50), on(250), ANY, {}) is None
    assert passed_on(known, on(-5), on(50), ANY, {}) is None


def exactly(day: int) -> CostDate:
    return CostDate(on(day), on(day), on(day), "invoice_date", "M")


def test_a_cost_date_that_may_lie_before_or_after_the_measure_is_unknown_and_spans_both() -> None:
    known = Invoice(AUTO, on(100), ANY, {})
    found = known.passed_on(CostDate(on(80), on(95), on(110), "in_stock_date", "L"))
    assert found.already_in_cost == "unknown"
    assert found.rate == (0, int(6.25 * POINT), int(13.75 * POINT))
    assert found.confidence == "L"
    assert known.passed_on(exactly(90)) is known.passed_on(exactly(91)), "one answer between two boundaries"


def test_the_japanese_car_of_april_2025_to_the_cent() -> None:
    # 24,800 USD customs value, 25% new on the day, of which Toyota is expected to pass on a fifth at once.
    context = Context(REFERENCE, build_book(REFERENCE.trade, date(2025, 4, 3)))
    known = schedule(("8703.23.01",), "JP", (Facts(),), date(2025, 1, 1), context)
    cost = date(2025, 4, 1)
    found = invoice(known, "vehicle", "TOYOTA", "JP", None, context).passed_on(CostDate(cost, cost, cost, "", "M"))
    assert found.measures == ("232-AUTO",)
    assert change((2_080_000, 2_480_000, 3_120_000), found.rate) == (26_000, 124_000, 351_000)


def test_derived_cost_dates_lie_before_the_stock_date() -> None:
    found = derived(on(100), (timedelta(14), timedelta(45), timedelta(90)), "in_stock_date")
    assert (found.first, found.central, found.last) == (on(10), on(55), on(86))
    assert found.confidence == "L"


@pytest.mark.parametrize("code", ["No Added Import Fee", " no added  import-fee "])
def test_the_makers_code_overrides_every_date(code: str) -> None:
    found, understood = coded_cost_date("AUDI", code, exactly(300), DEALER)
    assert understood
    assert found is not None
    assert (found.central, found.basis) == (date(2025, 4, 2), "maker_code")


def test_plain_words_are_understood_from_any_maker_with_less_confidence() -> None:
    known, understood = coded_cost_date("MAZDA", "NAIF", exactly(300), DEALER)
    assert understood
    assert known is not None
    assert (known.central, known.confidence) == (date(2025, 4, 2), "L")


def test_a_code_that_says_the_fee_is_in_the_cost_leaves_the_latest_date() -> None:
    known = CostDate(on(1), on(5), on(9), "in_stock_date", "L")
    found, understood = coded_cost_date("AUDI", "IMPORT FEE", known, DEALER)
    assert understood
    assert found is not None
    assert (found.first, found.last, found.basis) == (on(9), on(9), "maker_code")


@pytest.mark.parametrize(("make", "code"), [("AUDI", "ZX-9"), ("MAZDA", "Import fee"), (None, "x")])
def test_a_code_nobody_knows_overrides_nothing_and_says_so(make: str | None, code: str) -> None:
    assert coded_cost_date(make, code, exactly(3), DEALER) == (exactly(3), False)
    assert coded_cost_date(make, "  ", exactly(3), DEALER) == (exactly(3), True)


rates = st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(0, 100), max_size=3)


@st.composite
def histories(draw: st.DrawFn) -> list[Segment]:
    days = sorted(draw(st.sets(st.integers(1, 900), max_size=6)))
    return segments(*((day, draw(rates)) for day in [0, *days]))


@given(histories(), st.integers(0, 900), st.integers(0, 900))
def test_it_never_goes_beyond_the_net_move_of_the_duty(known: list[Segment], cost: int, today: int) -> None:
    def duty(day: int) -> int:
        column = [segment for segment in known if segment.first <= on(day)][-1].central
        assert column is not None
        return sum(column.values())

    cost = min(cost, today)
    found = moved(known, cost, today)
    net = duty(today) - duty(cost)
    assert list(found.rate) == sorted(found.rate)
    assert all(min(net, 0) <= rate <= max(net, 0) for rate in found.rate)
    if today == cost:
        assert found.already_in_cost == "yes"


@given(
    st.tuples(*[st.integers(0, 10**9)] * 3).map(lambda value: tuple(sorted(value))),
    st.tuples(*[st.integers(-(10**8), 10**8)] * 3).map(lambda rate: tuple(sorted(rate))),
)
def test_the_change_in_cents_is_in_order_and_rounded_half_up(
    value: tuple[int, int, int], rate: tuple[int, int, int]
) -> None:
    low, central, high = change(value, rate)
    assert low <= central <= high
    assert abs(Decimal(central) - Decimal(value[1]) * rate[1] / 100 / POINT) <= Decimal("0.5")
