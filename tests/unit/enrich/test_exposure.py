"""Exposure: sums, dated prices, shares of China, controls, and the 0.1% rule as it is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.enriched import RareEarthExposure
from streams.enrich.bill import Bill, part_bill, vehicle_bill
from streams.enrich.classify import VehicleIdentity
from streams.enrich.exposure import (
    Controls,
    Exposure,
    book_controls,
    dollars,
    exposure,
    grams_range,
    measure,
    oxide_price,
    percents,
    significant,
    value_usd,
)
from streams.policy.book import build_book
from streams.policy.controls import LicenceStanding
from streams.reference import load
from streams.reference.materials_records import Range
from streams.reference.trade_records import ContentRuleRecord

REFERENCE = load()
MATERIALS = REFERENCE.materials
DAY = date(2026, 10, 1)
CN18 = frozenset({"Sm", "Gd", "Tb", "Dy", "Lu", "Sc", "Y"})
RULE = ContentRuleRecord(
    measure="CN-61-1a",
    threshold_percent=Decimal("0.1"),
    basis="value",
    operator="at_or_above",
    numerator="Part 1 items of Chinese origin",
    denominator="the foreign-made Part 2 item",
    part_1=("oxide",),
    part_2=("magnet",),
    finished_goods=False,
    confidence="H",
    source="S03",
)


def standing(elements: Collection[str]) -> LicenceStanding:
    return LicenceStanding("little_moving", None) if "Y" in elements else LicenceStanding("licensed", (4, 6, 9))


CONTROLS = Controls(
    elements={"CN-18": CN18},
    under_review={"CN-57": frozenset({"Ho", "Er", "Tm", "Eu", "Yb"})},
    licence=standing,
    rule=RULE,
    tested=CN18,
)
NO_CONTROLS = replace(CONTROLS, elements={}, under_review={})
ICE = VehicleIdentity("MAKE", "Model", 2026, "ICE", "na", "na", None, False)
BEV = VehicleIdentity("MAKE", "Model", 2026, "BEV", "yes", "liion", 150, None)


def of_family(family: str, origin: str | None = "JP", controls: Controls = CONTROLS) -> Exposure:
    return measure(part_bill(MATERIALS.families[family], MATERIALS), origin, DAY, controls, MATERIALS)


def of_vehicle(identity: VehicleIdentity, origin: str | None = "JP") -> Exposure:
    return measure(vehicle_bill(identity, MATERIALS), origin, DAY, CONTROLS, MATERIALS)


def block(found: Exposure) -> dict[str, Any]:
    assert found.block is not None
    return dict(found.block)


@pytest.mark.parametrize("family", sorted(MATERIALS.families))
def test_block_of_every_family_fits_the_contract(family: str) -> None:
    found = block(of_family(family))
    RareEarthExposure.model_validate(found)
    for ranges in (
        found["rare_earth_g"],
        found["magnet_rare_earth_g"],
        *found["elements_g"].values(),
        *found["china_share_percent"].values(),
    ):
        assert 0 <= ranges[0] <= ranges[1] <= ranges[2]
    assert all(share <= 100 for shares in found["china_share_percent"].values() for share in shares)


@pytest.mark.parametrize("identity", [ICE, BEV], ids=["ICE", "BEV"])
def test_block_of_a_vehicle_is_small_and_fits_the_contract(identity: VehicleIdentity) -> None:
    found = block(of_vehicle(identity))
    RareEarthExposure.model_validate(found)
    assert len(orjson.dumps(found)) < 900


def test_magnet_elements_are_part_of_the_whole() -> None:
    for identity in (ICE, BEV):
        found = block(of_vehicle(identity))
        assert all(
            part <= whole for part, whole in zip(found["magnet_rare_earth_g"], found["rare_earth_g"], strict=True)
        )


def test_part_without_rare_earth_holds_zero_and_says_nothing_about_china() -> None:
    found = block(of_family("oil_filter"))
    assert found["rare_earth_g"] == (0, 0, 0)
    assert found["elements_g"] == found["china_share_percent"] == found["controlled_by"] == {}
    assert found["content_rule"]["verdict"] == "below"
    assert "licence" not in found


def test_nothing_known_is_null_and_never_zero() -> None:
    found = measure(Bill((), ("powertrain",)), None, DAY, CONTROLS, MATERIALS)
    assert found.block is None
    assert found.missing_facts == ("powertrain",)
    assert found.confidence == "L"


def test_value_is_metal_times_oxide_factor_times_price() -> None:
    # 1 kg Nd = 1.166 kg oxide at 93 USD; 100 g Dy = 114.8 g oxide at 169 USD a kg (fact sheet 3.6 and 4.1).
    grams: dict[str, Range] = {"Nd": (1000, 1000, 1000), "Dy": (100, 100, 100)}
    low, central, high = value_usd(grams, "china", DAY, MATERIALS)
    assert central == pytest.approx(1.166 * 93 + 0.1 * 1.148 * 169)
    assert low <= central <= high


@pytest.mark.parametrize(
    ("day", "central"),
    [(date(2025, 9, 24), 201), (date(2025, 9, 25), 201), (date(2026, 2, 1), 201), (date(2026, 2, 2), 169)],
)
def test_price_is_the_latest_quoted_by_the_day(day: date, central: float) -> None:
    assert oxide_price("Dy", "china", day, MATERIALS)[1] == central


def test_outside_china_heavy_elements_cost_more() -> None:
    grams: dict[str, Range] = {"Dy": (10, 10, 10), "Tb": (10, 10, 10)}
    china, outside = (value_usd(grams, market, DAY, MATERIALS)[1] for market in ("china", "outside_china"))
    assert china < outside


def test_goods_from_china_depend_more_on_chinese_magnets() -> None:
    abroad = block(of_family("eps_motor", "JP"))["china_share_percent"]
    at_home = block(of_family("eps_motor", "CN"))["china_share_percent"]
    assert at_home["magnet"][1] > abroad["magnet"][1]
    assert at_home["refine"] == abroad["refine"]


def test_shares_are_weighted_by_grams() -> None:
    share = block(of_family("eps_motor"))["china_share_percent"]
    # 76% Nd and 20% Pr at 88, 4% Dy at 98.5
    assert share["refine"][1] == pytest.approx(0.96 * 88 + 0.04 * 98.5, abs=0.05)
    assert "magnet" not in block(of_family("catalytic_converter"))["china_share_percent"]


def test_controls_name_only_elements_that_are_there() -> None:
    assert block(of_family("eps_motor"))["controlled_by"] == {"CN-18": ("Tb", "Dy")}
    assert block(of_family("loudspeaker"))["controlled_by"] == {}
    assert block(of_family("oxygen_sensor"))["controlled_by"] == {"CN-18": ("Y",)}
    assert block(of_family("headlamp"))["controlled_by"] == {"CN-18": ("Gd", "Tb", "Y")}
    assert block(of_family("headlamp"))["under_review"] == ("CN-57",)
    assert "under_review" not in block(of_family("eps_motor"))


def test_traces_are_listed_in_a_lamp_but_not_in_a_vehicle() -> None:
    assert "Eu" in block(of_family("headlamp"))["elements_g"]
    assert "Eu" not in block(of_vehicle(ICE))["elements_g"]


def test_licence_stands_only_where_a_controlled_element_is() -> None:
    assert block(of_family("oxygen_sensor"))["licence"] == {"status": "little_moving"}
    assert block(of_family("eps_motor"))["licence"] == {"status": "licensed", "lead_weeks": (4, 6, 9)}
    assert "licence" not in block(of_family("loudspeaker"))
    assert "licence" not in block(of_family("oxygen_sensor", controls=NO_CONTROLS))


def test_verdict_of_a_magnet_with_dysprosium_needs_the_magnets_origin() -> None:
    found = of_family("eps_motor")
    rule = block(found)["content_rule"]
    assert rule["verdict"] == "indeterminate"
    assert rule["assumption"] == "magnets_and_targets_only"
    assert rule["numerator_usd"][0] == "0.00"
    assert float(rule["numerator_usd"][1]) > 0.001 * float(rule["denominator_usd"][1])
    assert "magnet_origin" in found.missing_facts


@pytest.mark.parametrize(
    ("origin", "verdict", "missing"),
    [
        ("CN", "at_or_above", None),
        ("JP", "indeterminate", "heavy_rare_earth_origin"),
        (None, "indeterminate", "magnet_origin"),
    ],
)
def test_of_a_bare_magnet_the_parts_origin_is_the_magnets(origin: str, verdict: str, missing: str | None) -> None:
    with_dysprosium = part_bill(MATERIALS.families["eps_motor"], MATERIALS)
    found = measure(with_dysprosium, origin, DAY, CONTROLS, MATERIALS, bare_magnet=True)
    assert block(found)["content_rule"]["verdict"] == verdict
    assert found.missing_facts == (() if missing is None else (missing,))


def test_verdict_of_a_magnet_without_controlled_elements_is_below() -> None:
    found = of_family("loudspeaker")
    rule = block(found)["content_rule"]
    assert rule["verdict"] == "below"
    assert float(rule["denominator_usd"][1]) > 0
    assert found.missing_facts == ()


def test_the_rule_is_read_as_written_while_its_measure_is_suspended() -> None:
    found = block(of_family("eps_motor", controls=NO_CONTROLS))
    assert found["controlled_by"] == {}
    assert found["content_rule"]["verdict"] == "indeterminate"


def test_if_finished_goods_counted_the_magnets_own_value_would_not_do() -> None:
    strict = replace(CONTROLS, rule=RULE.model_copy(update={"finished_goods": True}))
    rule = block(of_family("eps_motor", controls=strict))["content_rule"]
    assert rule["assumption"] == "finished_goods_too"
    assert (rule["verdict"], rule["denominator_usd"]) == ("indeterminate", None)


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_rounding_keeps_the_order(a: float, b: float) -> None:
    small, large = sorted((a, b))
    assert significant(small) <= significant(large)
    assert grams_range((small, small, large))[0] <= grams_range((small, large, large))[1]


@given(st.floats(0, 1e5))
def test_rounding_errs_by_less_than_one_percent(value: float) -> None:
    assert significant(value) == pytest.approx(value, rel=0.01, abs=0.0001)


def test_numbers_are_written_short() -> None:
    assert orjson.dumps(grams_range((0, 0.15, 1234.5))) == b"[0,0.15,1230]"
    assert percents((90.0, 94.04, 96.0)) == (90, 94, 96)
    assert dollars((0, 1.005, 12)) == ("0.00", "1.00", "12.00")


@given(st.sampled_from(sorted(MATERIALS.families)), st.floats(1, 4))
def test_more_pieces_never_mean_less_exposure(family: str, factor: float) -> None:
    once = MATERIALS.families[family]
    items = tuple(
        item.model_copy(
            update={"quantity": (item.quantity[0] * factor, item.quantity[1] * factor, item.quantity[2] * factor)}
        )
        for item in once.items
    )
    more = part_bill(once.model_copy(update={"items": items}), MATERIALS)
    few, many = (block(measure(bill, None, DAY, CONTROLS, MATERIALS)) for bill in (part_bill(once, MATERIALS), more))
    for column in range(3):
        assert few["rare_earth_g"][column] <= many["rare_earth_g"][column]
        assert float(few["value_usd"]["china"][column]) <= float(many["value_usd"]["china"][column])


def test_same_input_gives_the_same_block() -> None:
    assert block(of_vehicle(ICE)) == block(of_vehicle(replace(ICE)))


def on(day: date) -> Controls:
    return book_controls(build_book(REFERENCE.trade, day))


def test_number_18_controls_from_its_first_day_and_was_never_suspended() -> None:
    assert "CN-18" not in on(date(2025, 4, 3)).elements
    for day in (date(2025, 4, 4), date(2025, 11, 8), date(2026, 10, 1), date(2026, 11, 24)):
        assert on(day).elements["CN-18"] == CN18


def test_number_61_ran_was_suspended_and_is_under_review() -> None:
    assert "CN-61-1c" in on(date(2025, 10, 9)).elements
    assert "CN-61-1c" not in on(date(2025, 11, 7)).elements
    assert "CN-57" not in on(date(2026, 11, 10)).elements
    assert {"CN-57", "CN-61-1a"} <= set(on(date(2026, 11, 11)).under_review)
    assert set(on(date(2026, 11, 11)).elements) == {"CN-18"}


def test_exposure_under_a_book_names_the_measures_in_force() -> None:
    book = build_book(REFERENCE.trade, DAY)
    found = exposure(part_bill(MATERIALS.families["eps_motor"], MATERIALS), "JP", book, MATERIALS)
    assert block(found)["controlled_by"] == {"CN-18": ("Tb", "Dy")}
    assert block(found)["licence"]["status"] == "general_licences"


def test_two_days_of_one_book_number_give_one_answer() -> None:
    books = [build_book(REFERENCE.trade, day) for day in (date(2026, 10, 1), date(2026, 10, 9))]
    assert books[0].number == books[1].number
    bill = vehicle_bill(BEV, MATERIALS)
    assert len({str(exposure(bill, "JP", book, MATERIALS)) for book in books}) == 1
