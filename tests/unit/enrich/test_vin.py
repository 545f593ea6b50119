"""A VIN is decoded as vPIC decodes it, however it is remembered."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import ultravin
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.enrich.context import Context
from streams.enrich.vin import VinFacts, check_digit, decode_vin, is_north_american
from streams.reference.vehicles import load_vehicles

VEHICLES = load_vehicles()
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SIGNS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


def fresh() -> Context:
    return Context(SimpleNamespace(vehicles=VEHICLES), SimpleNamespace(day=date(2026, 10, 1)))  # type: ignore[arg-type]


def with_check_digit(vin: str) -> str:
    return vin[:8] + check_digit(vin) + vin[9:]


def without_pattern(facts: VinFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in VinFacts.__dataclass_fields__ if name != "pattern"}


@pytest.mark.parametrize(
    ("vin", "digit"), [("1M8GDM9AXKP042788", "X"), ("1HGCM82633A004352", "3"), ("11111111111111111", "1")]
)
def test_the_check_digit_is_that_of_the_law(vin: str, digit: str) -> None:
    assert check_digit(vin) == digit
    assert vin[8] == digit


@pytest.mark.parametrize(
    ("vin", "expected"),
    [
        ("1HGCM82633A004352", True),
        ("2T3B6RFV0LW000001", True),
        ("3FTTW8H38SRA86038", True),
        ("5YJ3E1EA5PF185468", True),
        ("7FART6H86MA031316", True),
        ("7A1AAAAA5RA111111", False),
        ("JTMB6RFV0LD000001", False),
        ("WMEFK9BE7JY694899", False),
    ],
)
def test_north_america_is_told_by_the_first_two_characters(vin: str, expected: bool) -> None:
    assert is_north_american(vin) is expected


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**31), invalid=st.sampled_from([0.0, 0.3]), year=st.sampled_from([None, 2008, 2016]))
def test_a_remembered_decode_equals_a_decode_of_the_very_vin(seed: int, invalid: float, year: int | None) -> None:
    draw = random.Random(seed)
    for vin in ultravin.generate(6, seed=seed, min_year=year, invalid_rate=invalid, now=NOW):
        serial = "".join(draw.choice(SIGNS) for _ in range(3)) + "".join(draw.choice("0123456789") for _ in range(3))
        sibling = with_check_digit(vin[:11] + serial)
        context = fresh()
        decode_vin(sibling, context)
        assert without_pattern(decode_vin(vin, context)) == without_pattern(decode_vin(vin, fresh()))


def test_low_volume_makers_and_swept_wmis_are_remembered_by_their_serial_too() -> None:
    context = fresh()
    plain, other = with_check_digit("54DA4AAA5MA011111"), with_check_digit("54DA4AAA5MABCB111")
    assert decode_vin(plain, context).make == "ISUZU"
    assert decode_vin(other, context).make is None
    assert decode_vin(plain, context).pattern != decode_vin(other, context).pattern


def test_serials_that_decode_the_same_share_one_decode() -> None:
    """Else a lot of pickups would fill every memory that is kept by pattern."""
    context = fresh()
    first = decode_vin(with_check_digit("1FTEF1CJ4PW210264"), context)
    assert decode_vin(with_check_digit("1FTEF1CJ4PW998001"), context) is first


def test_vehicles_of_one_pattern_share_one_decode() -> None:
    context = fresh()
    first = decode_vin(with_check_digit("2T3B6RFV0LW000001"), context)
    assert decode_vin(with_check_digit("2T3B6RFV0LW999999"), context) is first


def test_the_decoder_is_never_left_to_read_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = []
    decode = ultravin.decode

    def spy(vin: str, **arguments: Any) -> Any:
        clocks.append(arguments["now"])
        return decode(vin, **arguments)

    monkeypatch.setattr(ultravin, "decode", spy)
    decode_vin("1HGCM82633A004352", fresh())
    assert clocks == [NOW]


def test_the_data_are_those_the_reference_was_written_for() -> None:
    assert ultravin.provenance()["data_month"] == VEHICLES.decoder.data_month


def test_blanks_are_trimmed_and_displacement_is_a_number() -> None:
    facts = decode_vin("1HGCM82633A004352", fresh())
    assert (facts.make, facts.plant_city, facts.plant_country) == ("HONDA", "MARYSVILLE", "UNITED STATES (USA)")
    assert facts.displacement_cc is not None
    assert 2998 < facts.displacement_cc < 2999
    assert facts.check_digit_valid


def test_a_wrong_check_digit_is_told_and_the_rest_still_decodes() -> None:
    facts = decode_vin("1HGCM82643A004352", fresh())
    assert not facts.check_digit_valid
    assert (facts.make, facts.model) == ("HONDA", "Accord")
