"""The dealer's reference files: the rows as shipped are whole, a broken one is refused by file, record and field."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from streams.reference import dealer as module
from streams.reference.dealer import load_dealer, plain
from streams.reference.loading import ReferenceError

DEALER = load_dealer()


def test_the_most_special_curve_decides() -> None:
    day = date(2026, 1, 1)
    assert DEALER.curve("vehicle", "up", "TOYOTA", "JP", day).make == "TOYOTA"
    assert DEALER.curve("vehicle", "up", "SUBARU", "JP", day).origin == "JP"
    assert DEALER.curve("vehicle", "up", "FORD", "MX", day).at(0) == (2_000, 4_000, 8_000)
    assert DEALER.curve("vehicle", "up", "FORD", "CN", day).at(0) == (1_000, 2_500, 5_500)
    assert DEALER.curve("vehicle", "up", None, None, day).at(10_000) == (3_000, 6_000, 10_000)


def test_the_order_of_origins_is_the_one_observed_and_not_that_of_duty() -> None:
    def central(origin: str) -> int:
        return DEALER.curve("vehicle", "up", "ANY", origin, date(2025, 4, 3)).at(210)[1]

    assert central("CA") > central("JP") > central("DE")


def test_aftermarket_parts_follow_later_than_the_makers_own() -> None:
    for age in (0, 200):
        oe = DEALER.curve("oe", "up", None, None, date(2025, 5, 3)).at(age)
        aftermarket = DEALER.curve("aftermarket", "up", None, None, date(2025, 5, 3)).at(age)
        assert all(late < early for late, early in zip(aftermarket, oe, strict=True))


def test_transit_by_origin_and_the_range_for_any_other() -> None:
    assert DEALER.days_in_transit("US", None).central == 10
    other = DEALER.days_in_transit("ZA", "ROSSLYN")
    assert (other.low, other.high) == (14, 90)
    assert DEALER.days_in_transit(None, None) is other


def test_codes_and_words_compare_without_case_and_signs() -> None:
    assert plain(" No-Added  import fee. ") == "NO ADDED IMPORT FEE"
    assert DEALER.bearers["MANUFACTURER"] == "maker"


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            "pass_through.csv",
            "vehicle,up,TOYOTA,,,,0,",
            "vehicle,up,TOYOTA,,,,9,",
            "TOYOTA: after_days must begin at 0",
        ),
        ("pass_through.csv", "oe,up,,,,,180,0.30,", "oe,up,,,,,180,0.10,", "oe, up: a share must not fall"),
        ("pass_through.csv", "oe,up,,,,,0,0.15,", "oe,up,,,,,0,0.55,", "low, central and high must be in order"),
        (
            "pass_through.csv",
            "vehicle,down,,",
            "vehicle,down,,JP",
            "vehicle, down: the last curve must be for any make",
        ),
        ("pass_through.csv", ",up,FORD,MX", ",up,Ford,MX", "make: String should match pattern"),
        ("transit.csv", "\n,,14,45,90", "\nDE,,14,45,90", "the last row must be for any origin"),
        ("transit.csv", "JP,,21,40,90", "JP,,21,10,90", "line 5: record: .*in order"),
        ("tariff_codes.csv", "AUDI,IMPORT FEE,in_cost,,", "AUDI,IMPORT FEE,in_cost,2025-01-01,", "as_of goes with"),
        ("tariff_codes.csv", ",M\n", ",X\n", "line 2: confidence"),
        ("cost_dates.csv", "part,last_received", "part,last_sold", "line 8: field"),
        ("cost_bearers.csv", "MAKER,maker", "MAKER,customer", "line 2: bearer"),
        ("sale_restrictions.toml", "certain = false\n", "", r"\[\[restriction\]\] 1: certain"),
    ],
)
def test_a_broken_file_is_refused_by_name(
    file: str, old: str, new: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(module.FOLDER, tmp_path / "data")
    monkeypatch.setattr(module, "FOLDER", tmp_path / "data")
    path = tmp_path / "data" / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(ReferenceError, match=problem) as caught:
        load_dealer()
    assert file in str(caught.value)
