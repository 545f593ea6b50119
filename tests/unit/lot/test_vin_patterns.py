"""The VINs of the lot are valid and stand for the models they are said to."""

from __future__ import annotations

import pytest
import ultravin
from hypothesis import given
from hypothesis import strategies as st

from streams.feeds.lot import vin_patterns
from streams.feeds.lot.vin_patterns import FROZEN, check_digit, find_patterns, powertrain_of, vin_of
from streams.reference.lot import LotModel, LotReference, VinPattern, load_lot, load_models


@pytest.fixture(scope="module")
def reference() -> LotReference:
    return load_lot()


@pytest.mark.parametrize(
    ("vin", "digit"), [("1M8GDM9AXKP042788", "X"), ("1HGCM82633A004352", "3"), ("11111111111111111", "1")]
)
def test_the_check_digit_of_known_vins(vin: str, digit: str) -> None:
    assert check_digit(vin) == digit


@given(st.sampled_from(load_lot().patterns), st.integers(min_value=0, max_value=999_999))
def test_the_check_digit_agrees_with_an_independent_decoder(row: VinPattern, serial: int) -> None:
    vin = vin_of(row.pattern, serial)
    assert len(vin) == 17
    assert ultravin.decode(vin, now=FROZEN)["check_digit_valid"]


def test_every_pattern_decodes_to_its_model_country_and_powertrain_without_an_error(reference: LotReference) -> None:
    decoded_names = {(m.make, m.model, m.country, m.powertrain): m.decoded for m in reference.models}
    vins = [vin_of(row.pattern, 123_457) for row in reference.patterns]
    for row, decoded in zip(reference.patterns, ultravin.decode_batch(vins, now=FROZEN), strict=True):
        attributes = decoded["attributes"]
        seen = (
            decoded["error_codes"], decoded["model_year"], attributes["Make"], attributes["Model"],
            vin_patterns._COUNTRIES[attributes["Plant Country"].strip()],
            powertrain_of(attributes.get("Electrification Level", "")),
        )  # fmt: skip
        name = decoded_names[row.make, row.model, row.country, row.powertrain]
        assert seen == ([0], row.year, row.make, name, row.country, row.powertrain), row


def test_every_model_has_patterns_in_years_it_was_built(reference: LotReference) -> None:
    for model in reference.models:
        years = {
            row.year
            for row in reference.patterns
            if (row.make, row.model, row.country, row.powertrain)
            == (model.make, model.model, model.country, model.powertrain)
        }
        assert years, model
        assert all(model.first_year <= year <= model.last_year for year in years), model


def test_every_make_of_a_model_is_described(reference: LotReference) -> None:
    assert {model.make for model in reference.models} == {make.make for make in reference.makes}


def test_the_search_that_made_the_table_finds_its_patterns_again(reference: LotReference) -> None:
    (model,) = (m for m in load_models() if m.model == "Envision")
    found = {row.pattern for row in find_patterns("LRB", [model], 2025)}
    assert found == {row.pattern for row in reference.patterns if row.model == "Envision" and row.year == 2025}


def test_a_model_outside_its_years_is_not_looked_for() -> None:
    model: LotModel = next(m for m in load_models() if m.first_year == 2025)
    assert list(find_patterns(model.wmis.split("|")[0], [model], 2024)) == []
