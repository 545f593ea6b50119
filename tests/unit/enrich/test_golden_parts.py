"""Parts whose answer was decided from the fact sheet (3.4, 6.7, 8.3) and the trade's words before lotrisk was asked.

`golden_parts.csv`: an empty cell is not asked; a family may be `-` (none), `*not X` or `!FIELD` (refused, naming it).
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from streams.cli._explain_part import explain_part
from streams.cli._explain_vehicle import explain_vin
from streams.enrich.context import Context
from streams.policy.book import build_book
from streams.reference import load

REFERENCE = load()
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, date(2026, 10, 1)))
with (Path(__file__).with_name("golden_parts.csv")).open() as file:
    CASES = list(csv.DictReader(file))

PARTS = """
EPS motor; electric A/C compressor; electric coolant, oil or vacuum pump; HVAC blower, cooling-fan BLDC; window lift
motor; seat, tailgate, mirror motor; wiper motor; starter motor; alternator (claw pole); electric parking brake, ABS
pump motor; e-booster (brake by wire); loudspeaker, each; ABS or cam/crank sensor; ignition coil bias magnet;
catalytic converter, petrol; diesel particulate filter or LNT; O2 or NOx sensor; LED lamp unit; display; NiMH hybrid
battery; lithium-ion battery; laminated or UV glass set; diesel fuel additive reservoir; wire harness, body, seats
frame, glass lifter
"""
"""The rows of the fact sheet's table 3.4, typed from it, but for the loudspeakers of a vehicle."""


def test_every_row_of_3_4_has_its_part() -> None:
    wanted = {f"3.4 {row.strip()}" for row in PARTS.replace("\n", " ").split(";")}
    assert {case["row"] for case in CASES if case["row"].startswith("3.4 ")} == wanted


def test_the_loudspeakers_of_a_vehicle_are_in_its_bill() -> None:
    bill = {item["component"]: item["rare_earth_g"] for item in explain_vin("1HGCM82633A004352", CONTEXT)["bill"]}
    assert bill["loudspeaker_set"] == [5, 15, 35]
    assert bill["glass"] == [0, 2, 60]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_the_part_is_what_its_words_say(case: dict[str, str]) -> None:
    stated = {
        field: case[column]
        for column, field in (
            ("description", "description"),
            ("brand", "brand"),
            ("hts", "hts"),
            ("origin", "country_of_origin"),
        )
        if case[column]
    }
    found = explain_part(case["part_number"], CONTEXT, cost_usd="100.00", part_kind="oe", **stated)
    wanted = case["family"]
    if wanted.startswith("!"):
        assert found["error"].startswith(wanted[1:])
        return
    if wanted.startswith("*not "):
        assert found["family"] != wanted[5:]
    else:
        assert found["family"] == (None if wanted == "-" else wanted)
    if case["lines"]:
        assert found["hts_candidates"] == case["lines"].split()
    if case["rare_earth_g"]:
        assert list(found["rare_earth_g"].values()) == [float(grams) for grams in case["rare_earth_g"].split()]
    if case["verdict"]:
        assert found["exposure"]["content_rule"]["verdict"] == case["verdict"]
    if case["warning"]:
        assert case["warning"] in found["warnings"]
    if case["missing_fact"]:
        assert case["missing_fact"] in found["missing_facts"]


def test_all_of_a_chinese_magnet_is_chinese_and_none_of_a_japanese_one_is() -> None:
    shares = [
        explain_part("X1", CONTEXT, description="MAGNET-NEODYMIUM", country_of_origin=origin)["exposure"][
            "china_share_percent"
        ]["magnet"]
        for origin in ("CN", "JP")
    ]
    assert shares == [(100, 100, 100), (0, 0, 0)]


def test_a_core_is_no_price_and_dollars_are_times_the_quantity() -> None:
    one = explain_part("X1", CONTEXT, description="ALTERNATOR", country_of_origin="CN", cost_usd="100.00",
                       core_usd="50.00", part_kind="oe", qty_on_hand=7)  # fmt: skip
    assert one["customs_value_usd"] == ["35.00", "55.00", "75.00"]
