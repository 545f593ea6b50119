"""A part record in, an enriched part record out: amounts to the cent, missing facts by name, the record kept whole."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.enriched import EnrichedPart
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched, Outcome, Reason, Rejected, Removed
from streams.enrich.part import enrich_part
from streams.policy.book import build_book
from streams.reference import load

REFERENCE = load()
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, date(2026, 10, 1)))
SPEAKER = {
    "dealer_id": "D1",
    "part_number": "FL3Z-18808-A",
    "updated_at": "2026-10-01T10:00:00Z",
    "description": "SPKR",
    "hts": "8518.29.80",
    "country_of_origin": "CN",
    "part_kind": "oe",
    "cost_usd": "40.00",
    "core_usd": "500.00",
    "qty_on_hand": 10,
    "demand_12m": 12,
    "entry_date": "2026-10-01",
}


def record(**changes: object) -> dict[str, object]:
    """The speaker with changes; a field set to None is left out."""
    return {name: value for name, value in (SPEAKER | changes).items() if value is not None}


def key_of(fields: dict[str, Any]) -> bytes:
    return f"{fields['dealer_id']}:{fields['part_number']}".encode()


def outcome(fields: dict[str, Any], context: Context = CONTEXT) -> Outcome:
    return enrich_part(key_of(fields), orjson.dumps(fields), context)


def enriched(context: Context = CONTEXT, **changes: object) -> dict[str, Any]:
    fields = record(**changes)
    found = outcome(fields, context)
    assert isinstance(found, Enriched), found
    EnrichedPart.model_validate_json(found.value)
    assert found.key == key_of(fields)
    value: dict[str, Any] = orjson.loads(found.value)
    return value


def test_loudspeaker_from_china_owes_what_the_worked_total_says() -> None:
    # Fact sheet 2.7: 8518.29.80 from CN on 2026-10-01: 0 + 7.5 + 12.5 = 20%; 55% of 40 USD is 22 USD.
    part = enriched()
    assert part["tariff"]["customs_value_usd"] == ["14.00", "22.00", "30.00"]
    for view in ("landed", "replacement"):
        duty = part["tariff"]["importer_duty"][view]
        assert duty["total_usd"][1] == "4.40"
        assert duty["rate_percent"][1] == 20
    assert part["classification"] == {"hts": "8518.29.80", "candidates": [], "basis": "record", "confidence": "M"}
    assert part["origin"] == {"country": "CN", "basis": "record", "confidence": "M"}
    assert part["family"] == "loudspeaker"


@pytest.mark.parametrize(
    ("hts", "origin", "percent"),
    [("8501.31.40", "CN", 41.5), ("8505.11.0070", "CN", 27.1), ("8542.31", "CN", 50), ("8518.29.80", "CN", 20)],
)
def test_lines_that_are_no_auto_parts_by_the_worked_totals(hts: str, origin: str, percent: float) -> None:
    duty = enriched(hts=hts, country_of_origin=origin)["tariff"]["importer_duty"]["replacement"]
    assert duty["rate_percent"][1] == percent


def test_components_of_each_column_sum_to_its_total() -> None:
    for origin in ("CN", "JP", "MX", "DE", "VN"):
        for hts in ("8708.29.51", "8501.31.40", "8421.32.00"):
            for view in enriched(hts=hts, country_of_origin=origin)["tariff"]["importer_duty"].values():
                for column in range(3):
                    parts = [Decimal(amounts[column]) for amounts in view["components"].values()]
                    assert sum(parts, Decimal(0)) == Decimal(view["total_usd"][column])


def test_extended_is_the_unit_times_the_quantity() -> None:
    part = enriched(qty_on_hand=10)
    for view, duty in part["tariff"]["importer_duty"].items():
        assert [Decimal(amount) for amount in part["extended"][view]] == [
            10 * Decimal(amount) for amount in duty["total_usd"]
        ]
    assert enriched(qty_on_hand=0)["extended"]["landed"] == ["0.00", "0.00", "0.00"]
    unknown = enriched(qty_on_hand=None)
    assert unknown["extended"] is None
    assert "qty_on_hand" in unknown["missing_facts"]


def test_a_core_deposit_is_no_part_of_any_amount() -> None:
    with_core, without = enriched(core_usd="500.00"), enriched(core_usd=None)
    assert with_core["tariff"] == without["tariff"]
    assert with_core["extended"] == without["extended"]


def test_aftermarket_parts_have_another_customs_value() -> None:
    assert enriched(part_kind="aftermarket")["tariff"]["customs_value_usd"] == ["18.00", "24.00", "32.00"]


def test_unknown_kind_spans_both_and_is_named() -> None:
    part = enriched(part_kind=None)
    low, central, high = (Decimal(value) for value in part["tariff"]["customs_value_usd"])
    assert (low, high) == (Decimal("14.00"), Decimal("32.00"))
    assert low < central < high
    assert "part_kind" in part["missing_facts"]


@pytest.mark.parametrize("kind", ["reman", "recycled"])
def test_rebuilt_and_used_parts_have_no_known_entry(kind: str) -> None:
    part = enriched(part_kind=kind)
    assert part["tariff"] == {"customs_value_usd": None, "importer_duty": {"landed": None, "replacement": None}}
    assert "entry_of_used_goods" in part["missing_facts"]
    assert "country_of_origin" in enriched(part_kind=kind, country_of_origin=None)["missing_facts"]
    assert part["exposure"] is not None


def test_part_made_in_the_us_owes_nothing_even_if_its_line_and_cost_are_unknown() -> None:
    part = enriched(country_of_origin="US", hts=None, description="XYZ", cost_usd=None, entry_date=None)
    for view in ("landed", "replacement"):
        assert part["tariff"]["importer_duty"][view]["total_usd"] == ["0.00", "0.00", "0.00"]
    assert not {"cost_usd", "hts", "entry_date", "country_of_origin"} & set(part["missing_facts"])


def test_unknown_origin_is_null_named_and_flagged() -> None:
    found = outcome(record(country_of_origin=None))
    assert isinstance(found, Enriched)
    assert "origin_unknown" in found.notes
    part = enriched(country_of_origin=None)
    assert part["origin"] == {"country": None, "basis": "none", "confidence": "L"}
    assert part["tariff"]["importer_duty"] == {"landed": None, "replacement": None}
    assert part["tariff"]["customs_value_usd"] == ["14.00", "22.00", "30.00"]
    assert "country_of_origin" in part["missing_facts"]
    assert [flag["type"] for flag in part["flags"]] == ["origin_unknown"]


def test_unknown_family_is_null_and_never_zero() -> None:
    part = enriched(description="XYZ", hts=None)
    assert part["family"] is None
    assert part["exposure"] is None
    assert part["classification"] == {"hts": None, "candidates": [], "basis": "none", "confidence": "L"}
    assert part["tariff"]["importer_duty"] == {"landed": None, "replacement": None}
    assert {"part_family", "hts"} <= set(part["missing_facts"])


def test_unknown_family_on_a_known_line_still_has_its_duty() -> None:
    part = enriched(description="XYZ", hts="8708.99.81")
    assert part["exposure"] is None
    assert part["tariff"]["importer_duty"]["replacement"]["total_usd"] is not None


@pytest.mark.parametrize("zero", ["0", "0.00"])
def test_a_cost_of_zero_is_no_cost(zero: str) -> None:
    found, none = enriched(cost_usd=zero), enriched(cost_usd=None)
    assert found["tariff"] == none["tariff"]
    assert found["missing_facts"] == none["missing_facts"]
    assert "cost_usd" in found["missing_facts"]


def test_unknown_cost_leaves_the_rate() -> None:
    part = enriched(cost_usd=None)
    duty = part["tariff"]["importer_duty"]["replacement"]
    assert (duty["total_usd"], duty["rate_percent"][1], duty["components"]) == (None, 20, {})
    assert part["extended"] == {"landed": None, "replacement": None}
    assert "cost_usd" in part["missing_facts"]


def test_line_by_family_spans_its_candidates() -> None:
    part = enriched(description="MOTOR, POWER STEERING", hts=None)
    assert part["classification"]["hts"] is None
    assert part["classification"]["candidates"] == ["8501.31.40", "8708.94.75"]
    assert part["classification"]["basis"] == "family"
    low, central, high = part["tariff"]["importer_duty"]["replacement"]["rate_percent"]
    assert low <= central <= high
    assert low < high
    assert "hts" in part["missing_facts"]


def test_six_digits_are_narrowed_and_placeholders_dropped() -> None:
    assert enriched(hts="8518.29")["classification"]["hts"] == "8518.29.80"
    placeholder = enriched(hts="0101")
    assert placeholder["classification"]["basis"] == "family"
    assert placeholder["warnings"] == ["hts_not_a_line"]


def test_line_that_contradicts_the_description_is_kept_and_warned_of() -> None:
    part = enriched(hts="8708.92.75")
    assert part["classification"]["hts"] == "8708.92.75"
    assert part["warnings"] == ["hts_and_family_differ"]


def test_family_of_the_record_decides_and_an_unknown_one_is_warned_of() -> None:
    assert enriched(part_family="headlamp", hts=None)["family"] == "headlamp"
    part = enriched(part_family="widget")
    assert part["family"] == "loudspeaker"
    assert part["warnings"] == ["part_family_not_known"]


def test_preference_of_mexican_goods() -> None:
    free = enriched(country_of_origin="MX", usmca=True, hts="8421.32.00", description="CONV ASM-CTLTC")
    unclear = enriched(country_of_origin="MX", usmca=None, hts="8421.32.00", description="CONV ASM-CTLTC")
    assert free["tariff"]["importer_duty"]["replacement"]["total_usd"] == ["0.00", "0.00", "0.00"]
    duty = unclear["tariff"]["importer_duty"]["replacement"]
    assert Decimal(duty["total_usd"][0]) == 0 < Decimal(duty["total_usd"][2])
    assert "usmca" in unclear["missing_facts"]


def test_claim_that_cannot_be_true_is_not_taken_but_warned_of() -> None:
    part = enriched(country_of_origin="JP", usmca=True, hts="8708.29.51", description="FENDER")
    assert "claims_contradict_origin" in part["warnings"]
    plain = enriched(country_of_origin="JP", hts="8708.29.51", description="FENDER")
    assert part["tariff"]["importer_duty"]["replacement"] == plain["tariff"]["importer_duty"]["replacement"]


def test_entry_date_on_record_is_exact_and_others_are_a_range() -> None:
    def landed(**changes: object) -> tuple[str, str]:
        view = enriched(**changes)["tariff"]["importer_duty"]["landed"]
        return (view["entry_from"], view["entry_to"])

    assert landed() == ("2026-10-01", "2026-10-01")
    assert landed(entry_date=None, last_received="2026-08-15") == ("2026-02-16", "2026-08-01")
    assert landed(entry_date=None, last_received="2026-08-15", part_kind="aftermarket")[0] == "2025-08-15"
    # What lies ahead of the book's day is taken as it is said: the book must not move it.
    assert landed(entry_date=None, last_received="2027-08-15") == ("2027-02-16", "2027-08-01")


def test_without_any_date_there_is_no_landed_duty_but_a_replacement() -> None:
    part = enriched(entry_date=None)
    assert part["tariff"]["importer_duty"]["landed"] is None
    assert part["tariff"]["importer_duty"]["replacement"] is not None
    assert "entry_date" in part["missing_facts"]


@pytest.mark.parametrize("day", ["1999-12-31", "2099-01-01"])
def test_date_the_book_does_not_reach_is_no_date(day: str) -> None:
    part = enriched(entry_date=day)
    assert part["tariff"]["importer_duty"]["landed"] is None
    assert "entry_date" in part["missing_facts"]


def test_low_stock_of_a_magnet_part_is_flagged_with_the_records_own_time() -> None:
    part = enriched(qty_on_hand=1, demand_12m=52)
    assert [flag["type"] for flag in part["flags"]] == ["stockout_before_supply"]
    assert part["flags"][0]["since"] == "2026-10-01T10:00:00Z"
    assert enriched(description="OIL FILTER", hts=None, qty_on_hand=1, demand_12m=52)["flags"] == []


def test_fields_of_the_producer_are_kept_as_they_came() -> None:
    part = enriched(shelf="A-7", weight=1.50, book={"x": [1]}, family="mine")
    assert part["shelf"] == "A-7"
    assert part["producer"] == {"book": {"x": [1]}, "family": "mine"}
    assert part["book"] == str(CONTEXT.book.number)
    assert part["family"] == "loudspeaker"


def test_text_of_the_record_is_not_rewritten() -> None:
    value = b'{ "dealer_id":"D1", "part_number":"1", "cost_usd":"40.0", "weight":1.50, "note":"\\u00e9" }'
    found = enrich_part(b"D1:1", value, CONTEXT)
    assert isinstance(found, Enriched)
    assert found.value.startswith(value.rstrip(b" }"))


def test_null_value_is_a_tombstone() -> None:
    assert enrich_part(b"D1:1", None, CONTEXT) == Removed(b"D1:1")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (None, b"{}", Reason.NULL_KEY),
        (b"D1:1", b"\xff\xfe", Reason.NOT_UTF8),
        (b"D1:1", b"{", Reason.NOT_JSON),
        (b"D1:1", b"[]", Reason.SCHEMA_INVALID),
        (b"D1:1", b'{"dealer_id":"D1"}', Reason.SCHEMA_INVALID),
        (b"D1:1", b'{"dealer_id":"D1","part_number":"1","cost_usd":"-1.00"}', Reason.SCHEMA_INVALID),
        (b"D1:1", b'{"dealer_id":"D1","part_number":"1","qty_on_hand":"3"}', Reason.SCHEMA_INVALID),
        (b"D:1:1", b'{"dealer_id":"D:1","part_number":"1"}', Reason.DEALER_ID_COLON),
        (b"D1:2", b'{"dealer_id":"D1","part_number":"1"}', Reason.KEY_MISMATCH),
    ],
)
def test_bad_records_are_rejected_with_their_reason(key: bytes | None, value: bytes, reason: Reason) -> None:
    found = enrich_part(key, value, CONTEXT)
    assert isinstance(found, Rejected)
    assert found.reason is reason
    assert len(found.detail) > 20


def test_same_record_and_book_give_the_same_bytes() -> None:
    fresh = Context(REFERENCE, build_book(REFERENCE.trade, date(2026, 10, 1)))
    assert outcome(record()) == outcome(record()) == outcome(record(), fresh)


PARTS = st.fixed_dictionaries(
    {},
    optional={
        "description": st.sampled_from(["SPKR", "MTR ASY-WIPER", "OIL FILTER", "XYZ", "SENSOR-OXY"])
        | st.text(max_size=20),
        "hts": st.sampled_from(["8518.29.80", "8518.29", "0101", "8708.29.5160", "9903.05.31"]),
        "country_of_origin": st.sampled_from(["CN", "JP", "MX", "US", "UK", "AQ", "VN"]),
        "part_kind": st.sampled_from(["oe", "aftermarket", "reman", "recycled"]),
        "cost_usd": st.integers(0, 10**11).map(lambda cents: f"{cents // 100}.{cents % 100:02d}"),
        "qty_on_hand": st.integers(0, 10_000_000) | st.floats(0, 1e7),
        "demand_12m": st.integers(0, 10_000),
        "days_supply": st.floats(0, 1e6),
        "usmca": st.booleans(),
        "tariff_claims": st.lists(
            st.sampled_from(["auto-part", "not-auto-part", "truck-part", "korus", "odd"]), max_size=3
        ),
        "entry_date": st.dates(date(1990, 1, 1), date(2040, 1, 1)).map(str),
        "last_received": st.dates(date(1990, 1, 1), date(2040, 1, 1)).map(str),
        "updated_at": st.sampled_from(["2026-10-01T10:00:00Z", "2026-10-01T10:00:00.5+02:00"]),
        "part_family": st.sampled_from(["headlamp", "Loudspeaker", "widget"]),
    },
)


@settings(max_examples=150, deadline=None)
@given(PARTS)
def test_any_valid_record_gives_a_valid_one(fields: dict[str, Any]) -> None:
    whole = {"dealer_id": "D1", "part_number": "P-1", **fields}
    found = outcome(whole)
    assert isinstance(found, Enriched)
    EnrichedPart.model_validate_json(found.value)
    value = orjson.loads(found.value)
    assert {name: value[name] for name in whole} == whole
    for view in value["tariff"]["importer_duty"].values():
        if view is not None and view["total_usd"] is not None:
            low, central, high = (Decimal(amount) for amount in view["total_usd"])
            assert low <= central <= high
