"""Field types: one form in JSON, and the model and the JSON Schema agree on it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.generation import CONTRACTS, json_schema
from schemas.part import Part
from schemas.vehicle import Vehicle

KEY = {"dealer_id": "D1", "vin": "1FTFW1E50PFA00007"}
VALIDATOR = jsonschema.Draft202012Validator(
    json_schema(CONTRACTS[0]), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def _by_model(record: object) -> bool:
    try:
        Vehicle.model_validate_json(json.dumps(record))
    except ValidationError:
        return False
    return True


_odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 2100),
    st.sampled_from([0.0, 1.0, 2025.0, 2025.5]),
    st.floats(-1, 2, allow_nan=False),
    st.sampled_from(
        [
            "", "0", "1", "-1", "00.10", "0.1", "1.234", "1e3", "1,000", " 1", "12345678901",
            "new", "NEW", "JP", "UK", "jp",
            "USA", "2026-09-29", "2026-9-29", "20260929", "2026-09-31", "2026-09-29T14:05:00Z", "2026-09-29 14:05:00Z",
            "2026-09-29T14:05Z", "2026-09-29T14:05:00", "2026-09-29T14:05:00+02:00", "2026-09-29T14:05:00.1234567Z",
            "1790690700", "٣", "true", "D:1", "D 1", " D1", "1FTFW1E50PFA00007", "1FTFW1E5OPFA00007", "x" * 4001,
        ]
    ),
    st.lists(st.integers(), max_size=1),
    st.just({}),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*Vehicle.model_fields, "their_own"]), _odd, max_size=3))
def test_model_and_schema_agree_on_any_record(fields: dict[str, object]) -> None:
    record = KEY | fields
    assert _by_model(record) == VALIDATOR.is_valid(record)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_in_json_is_none_here(text: str) -> None:
    with pytest.raises(ValidationError):
        Vehicle.model_validate_json(f'{{"dealer_id":"D1","vin":"1FTFW1E50PFA00007","market_days_supply":{text}}}')


@pytest.mark.parametrize(("text", "year"), [("2025", 2025), ("2025.0", 2025), ("2.025e3", 2025)])
def test_a_whole_number_is_one_however_it_is_written(text: str, year: int) -> None:
    held = Vehicle.model_validate_json(f'{{"dealer_id":"D1","vin":"1FTFW1E50PFA00007","model_year":{text}}}')
    assert held.model_year == year


def test_a_program_may_give_python_dates() -> None:
    held = Vehicle(**KEY, in_stock_date=date(2026, 9, 29), updated_at=datetime(2026, 9, 29, tzinfo=UTC))
    assert json.loads(held.model_dump_json(exclude_unset=True)) == KEY | {
        "in_stock_date": "2026-09-29",
        "updated_at": "2026-09-29T00:00:00Z",
    }


def test_uk_is_read_as_gb() -> None:
    assert Vehicle.model_validate(KEY | {"country_of_assembly": "UK"}).country_of_assembly == "GB"


@pytest.mark.parametrize(
    "number", ["8504", "850440", "8504.40", "8504.40.95", "85044095", "8504.40.95.30", "8504409530"]
)
def test_a_tariff_number_has_4_6_8_or_10_digits_dotted_or_not(number: str) -> None:
    Part(dealer_id="D1", part_number="1", hts=number)


@pytest.mark.parametrize(
    "number", ["850", "85044", "8504.4", "8504.40.950", "850440953", "8504-40-95", "", "8504.40.95.30.1"]
)
def test_another_length_is_refused(number: str) -> None:
    with pytest.raises(ValidationError):
        Part(dealer_id="D1", part_number="1", hts=number)


@pytest.mark.parametrize("dealer", ["D1", "Grupo Norte, tienda 3", "日本", "x" * 64])
def test_a_dealer_id_is_the_groups_own(dealer: str) -> None:
    assert Vehicle.model_validate(KEY | {"dealer_id": dealer}).dealer_id == dealer


@pytest.mark.parametrize("dealer", ["", " ", "a:b", "x" * 65, "a\n", " a", "a\tb", "a\x00b"])
def test_what_would_spoil_a_key_is_no_dealer_id(dealer: str) -> None:
    with pytest.raises(ValidationError):
        Vehicle.model_validate(KEY | {"dealer_id": dealer})
