"""Flags: they rise at their thresholds, and a missing fact never mutes one but is named with lower confidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import StockClass
from streams import reference
from streams.enrich.flags import (
    MOST_CENTS,
    Candidate,
    Stock,
    not_saleable,
    origin_unknown,
    part_cost_up,
    replacement_cost_up,
    stockout_before_supply,
    weeks_of_cover,
)
from streams.enrich.invoice import CostDate, Expected, PassedOn
from streams.enrich.standing import SaleRestriction, sale_restrictions, supply_event, supply_events
from streams.policy.book import Book, build_book
from streams.policy.controls import LicenceStanding

REFERENCE = reference.load()
RULES = REFERENCE.materials.thresholds
DAY = date(2026, 10, 1)
COST = CostDate(DAY, DAY, DAY, "invoice_date", "M")


def expected(low: int, central: int, high: int, cost: CostDate = COST) -> Expected:
    return Expected((low, central, high), PassedOn((1, 1, 1), "no", ("232-AUTO",), "L"), cost, cost.basis, "L")


def vehicle(found: Expected, **more: object) -> Candidate | None:
    fields: dict[str, object] = {
        "msrp_cents": 4_000_000,
        "stock_class": StockClass.NEW,
        "market_days_supply": 45.0,
        "act_by": None,
        "range_facts": (),
        **more,
    }
    return replacement_cost_up(RULES["replacement_cost_up"], found, **fields)  # type: ignore[arg-type]  # test data


def test_a_dearer_replacement_says_who_does_what_why_and_for_how_much() -> None:
    flag = vehicle(expected(20_000, 123_400, 300_000), act_by=date(2026, 10, 31), range_facts=("usmca",))
    assert flag is not None
    assert (flag.type, flag.severity, flag.owner, flag.action) == ("replacement_cost_up", "warning", "new", "hold")
    assert flag.why == "Next invoice about 1,234 USD higher (232-AUTO); hold the discount, keep the order"
    assert (flag.cents_at_stake, flag.act_by, flag.measure) == (123_400, date(2026, 10, 31), "232-AUTO")
    assert (flag.top_missing_fact, flag.would_change_cents) == ("usmca", 176_600)
    assert (flag.confidence, flag.raises, flag.step_cents) == ("L", True, 50_000)


@pytest.mark.parametrize(
    ("msrp", "central", "raises"),
    [
        (4_000_000, 75_000, True),
        (4_000_000, 74_999, False),
        (6_000_000, 90_000, True),
        (6_000_000, 89_999, False),
        (None, 75_000, True),
    ],
)
def test_the_threshold_is_750_dollars_and_one_and_a_half_percent_of_msrp(
    msrp: int | None, central: int, raises: bool
) -> None:
    flag = vehicle(expected(1, central, central), msrp_cents=msrp)
    assert flag is not None
    assert flag.raises is raises


def test_below_the_threshold_an_open_flag_is_kept_for_a_while_and_none_is_raised() -> None:
    kept = vehicle(expected(1, 60_000, 90_000))
    assert kept is not None
    assert not kept.raises
    assert vehicle(expected(1, 59_999, 90_000)) is None


def test_a_low_end_of_zero_raises_nothing() -> None:
    assert vehicle(expected(0, 500_000, 900_000)) is None
    assert vehicle(expected(-100, -50, 0)) is None


@pytest.mark.parametrize(("days", "raises"), [(59.9, True), (60.0, False), (90.0, False)])
def test_a_market_under_60_days_supply_raises_and_up_to_90_keeps(days: float, raises: bool) -> None:
    flag = vehicle(expected(1, 100_000, 200_000), market_days_supply=days)
    assert flag is not None
    assert flag.raises is raises


def test_a_market_over_90_days_supply_mutes() -> None:
    assert vehicle(expected(1, 100_000, 200_000), market_days_supply=90.1) is None


def test_an_unknown_days_supply_does_not_mute_but_is_named_with_what_it_would_change() -> None:
    sure = vehicle(expected(90_000, 100_000, 200_000))
    flag = vehicle(expected(90_000, 100_000, 200_000), market_days_supply=None)
    assert sure is not None
    assert flag is not None
    assert flag.raises
    assert (sure.confidence, flag.confidence) == ("M", "L")
    assert (flag.top_missing_fact, flag.would_change_cents) == ("market_days_supply", -100_000)


@pytest.mark.parametrize("stock_class", [StockClass.USED, StockClass.CPO, StockClass.DEMO, StockClass.LOANER])
def test_only_new_stock_is_replaced(stock_class: StockClass) -> None:
    assert vehicle(expected(1, 500_000, 900_000), stock_class=stock_class) is None
    unknown = vehicle(expected(1, 500_000, 900_000), stock_class=None)
    assert unknown is not None
    assert (unknown.top_missing_fact, unknown.confidence) == ("stock_class", "L")


def test_no_amount_no_flag() -> None:
    assert vehicle(Expected(None, None, None, "none", "L")) is None


PART = Stock(qty_on_hand=10, demand_12m=120, days_supply=None, cost_cents=50_000)


def part(found: Expected, stock: Stock = PART) -> Candidate | None:
    return part_cost_up(RULES["part_cost_up"], found, stock, act_by=None, range_facts=("part_kind",))


def test_a_dearer_part_is_repriced_and_bought_ahead() -> None:
    flag = part(expected(1_000, 4_000, 9_000))
    assert flag is not None
    assert (flag.type, flag.owner, flag.action) == ("part_cost_up", "parts", "reprice")
    assert flag.why == "Next cost about 40.00 USD a unit higher (232-AUTO); reprice, buy ahead 30 days"
    assert (flag.cents_at_stake, flag.top_missing_fact, flag.would_change_cents) == (40_000, "part_kind", 5_000)


@pytest.mark.parametrize(
    ("cost", "central", "quantity", "demand", "raises"),
    [
        (50_000, 2_500, 10, 3, True),
        (50_000, 2_499, 11, 3, False),
        (1_000, 500, 50, 3, True),
        (1_000, 499, 60, 3, False),
        (50_000, 2_500, 9.9, 3, False),
        (50_000, 2_500, 10, 2.9, None),
        (50_000, 1_999, 100, 99, None),
        (50_000, 2_500, 0, 99, None),
    ],
)
def test_a_part_must_move_by_percent_by_dollars_by_stock_and_by_demand(
    cost: int, central: int, quantity: float, demand: float, raises: bool | None
) -> None:
    flag = part(expected(0, central, central), Stock(quantity, demand, None, cost))
    assert (None if flag is None else flag.raises) is raises


@pytest.mark.parametrize(
    ("stock", "fact", "would"),
    [
        (replace(PART, demand_12m=None), "demand_12m", -40_000),
        (replace(PART, qty_on_hand=None), "qty_on_hand", None),
    ],
)
def test_an_unknown_demand_or_quantity_does_not_mute_a_part(stock: Stock, fact: str, would: int | None) -> None:
    flag = part(expected(3_000, 4_000, 9_000), stock)
    assert flag is not None
    assert flag.raises
    assert (flag.top_missing_fact, flag.would_change_cents, flag.confidence) == (fact, would, "L")


@pytest.mark.parametrize(
    ("quantity", "advice"), [(10, "buy ahead 30 days"), (19.3, "buy ahead 16 days"), (30, "stock suffices")]
)
def test_nothing_is_bought_beyond_75_days_supply(quantity: float, advice: str) -> None:
    flag = part(expected(1_000, 4_000, 9_000), replace(PART, qty_on_hand=quantity))
    assert flag is not None
    assert flag.why.endswith(advice)


LICENCE = LicenceStanding("general_licences", (4, 6, 9))
LOW = Stock(qty_on_hand=5, demand_12m=52, days_supply=None, cost_cents=10_000)


def stockout(
    stock: Stock = LOW,
    kind: str = "magnet",
    licence: LicenceStanding | None = LICENCE,
    controls: tuple[str, ...] = ("CN-18",),
    event: str | None = None,
    under_review: tuple[str, ...] = (),
) -> Candidate | None:
    rule = RULES["stockout_before_supply"]
    return stockout_before_supply(rule, kind, "H", stock, licence, controls, under_review, event, DAY)  # type: ignore[arg-type]  # plain words


def test_stock_that_runs_out_before_a_licence_is_flagged() -> None:
    # 5 in stock at 1 a week: 4 of the 9 weeks' demand are missing, at 100 USD each.
    flag = stockout()
    assert flag is not None
    assert (flag.type, flag.severity, flag.owner, flag.action) == (
        "stockout_before_supply", "warning", "parts", "reorder",
    )  # fmt: skip
    assert flag.why == "5.0 weeks of cover; magnet supply may take 9 weeks"
    assert (flag.cents_at_stake, flag.act_by, flag.measure) == (40_000, date(2026, 11, 5), "CN-18")
    assert flag.confidence == "M"


@pytest.mark.parametrize(
    ("quantity", "severity"), [(0, "critical"), (3.9, "critical"), (4, "warning"), (8.9, "warning")]
)
def test_under_the_shortest_lead_time_it_is_critical(quantity: float, severity: str) -> None:
    flag = stockout(replace(LOW, qty_on_hand=quantity))
    assert flag is not None
    assert flag.severity == severity


def test_the_limit_is_the_licences_own_longest_lead_time() -> None:
    assert stockout(replace(LOW, qty_on_hand=9)) is None
    backlog = stockout(replace(LOW, qty_on_hand=9), licence=LicenceStanding("backlog", (6, 9, 13)))
    assert backlog is not None
    assert backlog.why == "9.0 weeks of cover; magnet supply may take 13 weeks"


def test_without_a_known_lead_time_the_limit_is_the_thresholds() -> None:
    flag = stockout(licence=LicenceStanding("little_moving", None))
    assert flag is not None
    assert (flag.why, flag.confidence) == ("5.0 weeks of cover; magnet supply may take 9 weeks", "L")


@pytest.mark.parametrize(
    ("kind", "controls", "event", "measure", "severity"),
    [
        ("magnet", ("CN-18",), None, "CN-18", "warning"),
        ("magnet", ("CN-18",), "CN-JP-DUAL-USE", "CN-JP-DUAL-USE", "warning"),
        ("yttrium", (), "Y-SC-SHORTAGE", "Y-SC-SHORTAGE", "warning"),
        ("magnet", (), None, None, "info"),
        ("yttrium", (), None, None, "info"),
        ("chip", (), None, None, "info"),
    ],
)
def test_what_holds_up_the_supply_is_named_and_without_it_the_flag_is_only_worth_knowing(
    kind: str, controls: tuple[str, ...], event: str | None, measure: str | None, severity: str
) -> None:
    flag = stockout(kind=kind, controls=controls, event=event)
    assert flag is not None
    assert (flag.measure, flag.severity) == (measure, severity)
    empty = stockout(replace(LOW, qty_on_hand=0), kind=kind, controls=controls, event=event)
    assert empty is not None
    assert empty.severity == ("critical" if measure is not None else "info")


@pytest.mark.parametrize("kind", ["catalyst", "battery", "none"])
def test_other_families_have_no_such_flag(kind: str) -> None:
    assert stockout(kind=kind) is None


def test_a_control_under_review_is_not_taken_for_lifted() -> None:
    flag = stockout(controls=(), under_review=("CN-57",))
    assert flag is not None
    assert (flag.measure, flag.confidence, flag.top_missing_fact) == ("CN-57", "L", "operator_confirmed_status")


@pytest.mark.parametrize(
    ("stock", "fact"),
    [(replace(LOW, qty_on_hand=None), "qty_on_hand"), (replace(LOW, demand_12m=None), "demand_12m")],
)
def test_an_unknown_cover_does_not_mute_a_stockout(stock: Stock, fact: str) -> None:
    flag = stockout(stock)
    assert flag is not None
    assert (flag.top_missing_fact, flag.confidence, flag.cents_at_stake) == (fact, "L", None)


def test_days_supply_stands_in_for_quantity_and_demand() -> None:
    assert weeks_of_cover(Stock(None, None, 35, None)) == 5
    assert weeks_of_cover(Stock(3, 0, None, None)) == float("inf")


@given(
    st.builds(
        Stock,
        st.none() | st.floats(0, 10_000_000),
        st.none() | st.floats(0, 10_000_000),
        st.none() | st.floats(0, 10_000_000),
        st.none() | st.integers(0, 10**12),
    )
)
def test_any_stock_makes_a_flag_that_fits_the_contract_or_none(stock: Stock) -> None:
    flag = stockout(stock)
    if flag is not None:
        assert len(flag.why) <= 120
        assert flag.cents_at_stake is None or 0 <= flag.cents_at_stake <= MOST_CENTS


def book(day: date) -> Book:
    return build_book(REFERENCE.trade, day)


def restricted(day: date) -> tuple[SaleRestriction, ...]:
    return sale_restrictions(book(day), REFERENCE.dealer)


def sold(
    make: str | None,
    year: int | None,
    origin: str | None,
    day: date = DAY,
    stock_class: StockClass | None = StockClass.NEW,
) -> Candidate | None:
    return not_saleable(
        RULES["not_saleable"], restricted(day), (), make=make, model_year=year, origin=origin,
        stock_class=stock_class, cost_cents=5_000_000,
    )  # fmt: skip


@pytest.mark.parametrize("origin", ["CN", "KR", "US"])
def test_polestar_of_2027_may_not_be_sold_wherever_it_is_built(origin: str) -> None:
    flag = sold("POLESTAR", 2027, origin)
    assert flag is not None
    assert (flag.severity, flag.action, flag.owner, flag.measure) == ("critical", "stop_sale", "new", "VCS-POLESTAR")
    assert (flag.cents_at_stake, flag.confidence) == (5_000_000, "M")


@pytest.mark.parametrize(
    ("make", "year", "origin", "day"),
    [
        ("POLESTAR", 2026, "CN", DAY),
        ("POLESTAR", 2027, "KR", date(2026, 6, 24)),
        ("VOLVO", 2027, "CN", DAY),
        ("TOYOTA", 2027, "JP", DAY),
        ("BUICK", 2026, "CN", DAY),
        ("BUICK", None, "CN", DAY),
    ],
)
def test_stock_of_2026_sells_through_and_volvo_is_authorised(
    make: str, year: int | None, origin: str, day: date
) -> None:
    assert sold(make, year, origin, day) is None


def test_a_chinese_built_car_of_a_maker_without_an_outcome_is_a_question() -> None:
    flag = sold("BUICK", 2027, "CN")
    assert flag is not None
    assert (flag.severity, flag.action, flag.confidence) == ("warning", "hold", "L")
    assert (flag.top_missing_fact, flag.measure) == ("connected_vehicle_authorisation", "VCS-RULE")
    before = sold("VOLVO", 2027, "CN", date(2026, 5, 25))
    assert before is not None
    assert before.measure == "VCS-RULE"


def test_used_cars_are_not_under_the_rule_and_an_unknown_class_is_named() -> None:
    assert sold("POLESTAR", 2027, "CN", stock_class=StockClass.USED) is None
    flag = sold("POLESTAR", 2027, "CN", stock_class=None)
    assert flag is not None
    assert (flag.top_missing_fact, flag.would_change_cents) == ("stock_class", -5_000_000)


def test_an_import_ban_is_named_by_its_measure() -> None:
    flag = not_saleable(
        RULES["not_saleable"], (), ("BAN-1",), make="X", model_year=2025, origin="RU", stock_class=StockClass.NEW,
        cost_cents=None,
    )  # fmt: skip
    assert flag is not None
    assert (flag.measure, flag.why) == ("BAN-1", "Import banned (BAN-1); stop ordering, sell through")


@pytest.mark.parametrize(
    ("day", "kind", "family", "origin", "event"),
    [
        (date(2025, 10, 20), "chip", "engine_control", "CN", "NEXPERIA"),
        (date(2025, 11, 25), "chip", "engine_control", "CN", None),
        (DAY, "magnet", "starter", "JP", "CN-JP-DUAL-USE"),
        (DAY, "magnet", "starter", "DE", None),
        (DAY, "magnet", "starter", None, None),
        (DAY, "yttrium", "oxygen_sensor", None, "Y-SC-SHORTAGE"),
        (date(2026, 2, 26), "yttrium", "oxygen_sensor", None, None),
    ],
)
def test_supply_events_touch_their_families_and_origins_on_their_days(
    day: date, kind: str, family: str, origin: str | None, event: str | None
) -> None:
    assert supply_event(supply_events(book(day)), kind, family, origin, book(day)) == event  # type: ignore[arg-type]  # plain words


def test_an_unknown_origin_asks_for_the_fact() -> None:
    flag = origin_unknown(RULES["origin_unknown"])
    assert (flag.owner, flag.action, flag.top_missing_fact) == ("policy", "none", "country_of_origin")
