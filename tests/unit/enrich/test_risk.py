"""Flags: they rise at their thresholds, a missing fact never mutes them, and `since` is the record's own time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.flag import Flag
from streams.enrich.risk import Stock, origin_unknown, stockout_before_supply, weeks_of_cover
from streams.reference.thresholds import load_thresholds

RULES = load_thresholds()
STOCKOUT = RULES["stockout_before_supply"]
SINCE = datetime(2026, 10, 1, 12, tzinfo=UTC)
LOW = Stock(qty_on_hand=2, demand_12m=52, days_supply=None, cost_cents=10_000)


def rise(stock: Stock, kind: str = "magnet", sureness: str = "H") -> dict[str, str] | None:
    return stockout_before_supply(STOCKOUT, kind, sureness, stock, SINCE)  # type: ignore[arg-type]  # plain words


def test_origin_unknown_asks_for_the_fact() -> None:
    flag = Flag.model_validate(origin_unknown(RULES["origin_unknown"], SINCE))
    assert flag.type == "origin_unknown"
    assert flag.top_missing_fact == "country_of_origin"
    assert flag.action == "none"
    assert flag.since == SINCE


def test_flags_without_a_time_have_no_since() -> None:
    assert "since" not in origin_unknown(RULES["origin_unknown"], None)
    flag = stockout_before_supply(STOCKOUT, "magnet", "H", LOW, None)
    assert flag is not None
    assert not {"since", "act_by"} & flag.keys()


def test_stock_that_runs_out_before_a_licence_is_flagged() -> None:
    # 2 in stock at 1 a week: 7 of the 9 weeks' demand are missing, at 100 USD each.
    flag = Flag.model_validate(rise(LOW))
    assert (flag.type, flag.owner, flag.action) == ("stockout_before_supply", "parts", "reorder")
    assert flag.why == "2.0 weeks of cover; magnet supply may take 9 weeks"
    assert flag.dollars_at_stake == "700.00"
    assert flag.act_by is not None
    assert flag.act_by.isoformat() == "2026-10-15"


@pytest.mark.parametrize(("quantity", "rises"), [(0, True), (8.99, True), (9, False), (100, False)])
def test_threshold_is_nine_weeks(quantity: float, rises: bool) -> None:
    assert (rise(replace(LOW, qty_on_hand=quantity)) is not None) is rises


@pytest.mark.parametrize(
    ("kind", "rises"),
    [("magnet", True), ("yttrium", True), ("chip", True), ("catalyst", False), ("battery", False), ("none", False)],
)
def test_only_families_whose_supply_is_licensed_or_scarce(kind: str, rises: bool) -> None:
    assert (rise(LOW, kind) is not None) is rises


@pytest.mark.parametrize(
    ("stock", "fact"),
    [
        (Stock(None, 52, None, 10_000), "qty_on_hand"),
        (Stock(2, None, None, 10_000), "demand_12m"),
        (Stock(None, None, None, None), "qty_on_hand"),
    ],
)
def test_missing_fact_lowers_confidence_and_is_named_but_does_not_mute(stock: Stock, fact: str) -> None:
    flag = Flag.model_validate(rise(stock))
    assert flag.confidence == "L"
    assert flag.top_missing_fact == fact
    assert flag.dollars_at_stake is None


def test_unknown_cost_leaves_the_dollars_out() -> None:
    flag = rise(replace(LOW, cost_cents=None))
    assert flag is not None
    assert "dollars_at_stake" not in flag


def test_days_supply_of_the_dms_stands_in_for_demand() -> None:
    stock = Stock(qty_on_hand=2, demand_12m=None, days_supply=14, cost_cents=None)
    assert weeks_of_cover(stock) == 2
    assert rise(stock) is not None
    assert rise(replace(stock, days_supply=63)) is None


def test_without_demand_nothing_runs_out() -> None:
    assert rise(Stock(qty_on_hand=0, demand_12m=0, days_supply=None, cost_cents=10_000)) is None


def test_flag_is_no_surer_than_the_family() -> None:
    assert (rise(LOW, sureness="L") or {})["confidence"] == "L"


STOCKS = st.builds(
    Stock,
    st.none() | st.floats(0, 1e7),
    st.none() | st.floats(0, 1e7),
    st.none() | st.floats(0, 1e7),
    st.none() | st.integers(0, 10**12),
)


@given(STOCKS, st.sampled_from(["magnet", "yttrium", "chip", "none"]), st.sampled_from(["H", "M", "L"]))
def test_every_flag_fits_the_contract(stock: Stock, kind: str, sureness: str) -> None:
    flag = rise(stock, kind, sureness)
    if flag is not None:
        Flag.model_validate(flag)


@given(st.floats(0, 1e4), st.floats(0.1, 1e4), st.floats(0, 1e3))
def test_more_stock_never_raises_a_flag(quantity: float, demand: float, more: float) -> None:
    few, many = (rise(Stock(number, demand, None, 100)) for number in (quantity, quantity + more))
    assert not (few is None and many is not None)
