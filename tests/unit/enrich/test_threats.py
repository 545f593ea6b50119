"""The view of threats: per measure, beside the totals and never in them, a range from nothing where only announced."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.enriched import EnrichedPart, EnrichedVehicle
from streams import reference
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part
from streams.enrich.threats import threats
from streams.enrich.vehicle import enrich_vehicle
from streams.enrich.vin import check_digit
from streams.policy.book import Book, build_book
from streams.policy.duty import estimate
from streams.policy.facts import Facts
from streams.reference.trade_records import MeasureRecord

REFERENCE = reference.load()
TODAY = date(2026, 10, 1)
TUCSON = "KM8JBDA2-RU000001"
ENVISION = "LRBFZMR4-RD000001"
TACOMA = "3TMLB5JN-RM000001"


def context(day: date = TODAY, *extra: MeasureRecord) -> Context:
    return Context(REFERENCE, build_book(REFERENCE.trade, day, extra))


def vehicle(pattern: str, under: Context, **fields: object) -> dict[str, Any]:
    vin = pattern.replace("-", check_digit(pattern.replace("-", "0")))
    record = {"dealer_id": "d1", "vin": vin, "stock_class": "new", "msrp_usd": "30000.00", **fields}
    outcome = enrich_vehicle(f"d1:{vin}".encode(), orjson.dumps(record), under)
    assert isinstance(outcome, Enriched)
    EnrichedVehicle.model_validate_json(outcome.value)
    found: dict[str, Any] = orjson.loads(outcome.value)
    return found


def part(under: Context, **fields: object) -> dict[str, Any]:
    record = {"dealer_id": "d1", "part_number": "P1", "cost_usd": "100.00", "part_kind": "oe", **fields}
    outcome = enrich_part(b"d1:P1", orjson.dumps(record), under)
    assert isinstance(outcome, Enriched)
    EnrichedPart.model_validate_json(outcome.value)
    found: dict[str, Any] = orjson.loads(outcome.value)
    return found


def hanging(enriched: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = enriched["tariff"]["importer_duty"].get("threatened", {})
    return found


def measure(**fields: Any) -> MeasureRecord:
    return MeasureRecord.model_validate(
        {
            "id": "T-1",
            "authority": "threat",
            "title": "a threat",
            "instrument": "Post",
            "origins": ["JP"],
            "scope": ["list:note-33b"],
            "rate": 10,
            "announced_at": "2026-09-20",
            "status": "announced",
            "confidence": "L",
            "source": "S36",
            **fields,
        }
    )


def test_25_percent_on_korean_cars_is_what_it_would_add_to_the_15_that_are_owed() -> None:
    found = vehicle(TUCSON, context())
    assert found["tariff"]["customs_value_usd"] == ["19500.00", "23400.00", "26400.00"]
    assert found["tariff"]["importer_duty"]["replacement"]["total_usd"] == ["2925.00", "3510.00", "3960.00"]
    assert hanging(found) == {
        "232-KR-25": {
            "legal_status": "announced",
            "announced_at": "2026-01-26",
            "added_percent": [0, 12.5, 12.5],
            "added_usd": ["0.00", "2925.00", "3300.00"],
        }
    }


def test_100_percent_on_china_without_an_authority_is_a_range_from_nothing_and_reprices_nothing() -> None:
    before, after = (vehicle(ENVISION, context(date(2025, 10, day)), in_stock_date="2025-09-01") for day in (9, 10))
    assert not hanging(before)
    assert hanging(after)["CN-100"] == {
        "legal_status": "announced",
        "announced_at": "2025-10-10",
        "effective_from": "2025-11-01",
        "added_percent": [0, None, 100],
        "added_usd": ["0.00", None, "26400.00"],
    }
    assert after["expected_invoice_change"] == before["expected_invoice_change"]
    assert after["tariff"]["importer_duty"]["replacement"] == before["tariff"]["importer_duty"]["replacement"]
    assert {flag["type"] for flag in after["flags"]} == {flag["type"] for flag in before["flags"]}


@pytest.mark.parametrize(("day", "stands"), [(9, False), (10, True), (31, True)])
def test_a_threat_stands_from_its_announcement_until_it_is_dropped(day: int, stands: bool) -> None:
    assert ("CN-100" in hanging(vehicle(ENVISION, context(date(2025, 10, day))))) == stands


def test_a_threat_that_was_dropped_is_gone() -> None:
    assert "CN-100" not in hanging(vehicle(ENVISION, context(date(2025, 11, 1))))


def test_a_signed_measure_has_its_first_day_and_comes_whole() -> None:
    signed = measure(status="signed", effective_from="2026-10-15", recorded_at="2026-09-25")
    found = hanging(part(context(TODAY, signed), hts="8703.23.01", country_of_origin="JP"))
    assert found["T-1"] == {
        "legal_status": "signed",
        "announced_at": "2026-09-20",
        "effective_from": "2026-10-15",
        "added_percent": [10, 10, 10],
        "added_usd": ["3.50", "5.50", "7.50"],
    }


def test_from_its_first_day_a_signed_measure_is_in_the_total_and_no_threat() -> None:
    signed = measure(status="signed", effective_from="2026-10-15", recorded_at="2026-09-25")
    found = part(context(date(2026, 10, 15), signed), hts="8703.23.01", country_of_origin="JP")
    assert "T-1" not in hanging(found)
    assert found["tariff"]["importer_duty"]["replacement"]["components"]["T-1"] == ["3.50", "5.50", "7.50"]


def test_a_signed_cut_is_negative_low_to_high() -> None:
    cut = measure(
        status="signed", effective_from="2026-10-15", rate=5, rate_type="combined_to",
        replaces=["232-JP-V", "232-AUTO"], authority="section_232_autos",
    )  # fmt: skip
    found = hanging(part(context(TODAY, cut), hts="8703.23.01", country_of_origin="JP"))["T-1"]
    assert found["added_percent"] == [-10, -10, -10]
    assert found["added_usd"] == ["-7.50", "-5.50", "-3.50"]


def test_an_announced_cut_may_not_come() -> None:
    cut = measure(rate=5, rate_type="combined_to", replaces=["232-JP-V", "232-AUTO"], authority="section_232_autos")
    found = hanging(part(context(TODAY, cut), hts="8703.23.01", country_of_origin="JP"))["T-1"]
    assert found["added_percent"] == [-10, -10, 0]
    assert found["added_usd"] == ["-7.50", "-5.50", "0.00"]


def test_each_measure_stands_by_itself() -> None:
    two = (measure(), measure(id="T-2", rate=20))
    found = hanging(part(context(TODAY, *two), hts="8703.23.01", country_of_origin="JP"))
    assert {name: one["added_percent"][1] for name, one in found.items()} == {"T-1": 10, "T-2": 20}


def test_steps_of_a_signed_measure_count_from_the_first() -> None:
    steps = [{"from": "2026-10-15", "rate": 10}, {"from": "2027-10-15", "rate": 30}]
    signed = measure(status="signed", effective_from="2026-10-15", rate=None, steps=steps)
    found = hanging(part(context(TODAY, signed), hts="8703.23.01", country_of_origin="JP"))
    assert found["T-1"]["added_percent"] == [10, 10, 10]


def test_an_investigation_that_is_only_open_threatens_no_amount() -> None:
    assert not hanging(part(context(TODAY, measure(status="open")), hts="8703.23.01", country_of_origin="JP"))


def test_a_suspended_measure_is_no_threat() -> None:
    assert not hanging(part(context(TODAY, measure(status="suspended")), hts="8703.23.01", country_of_origin="JP"))


def test_used_and_us_built_vehicles_have_no_replacement_to_threaten() -> None:
    assert not hanging(vehicle(TUCSON, context(), stock_class="used"))
    everywhere = measure(origins=["*"], scope=["*"])
    assert not hanging(vehicle("5YJ3E1EB-RF000001", context(TODAY, everywhere)))


def test_a_threat_that_usmca_goods_escape_ranges_from_nothing_while_the_claim_is_unknown() -> None:
    signed = measure(origins=["MX"], status="signed", effective_from="2026-10-15", requires=["!usmca"])
    unknown = hanging(vehicle(TACOMA, context(TODAY, signed)))["T-1"]
    assert unknown["added_percent"] == [0, 0, 10]
    assert "T-1" not in hanging(vehicle(TACOMA, context(TODAY, signed), usmca=True))
    assert hanging(vehicle(TACOMA, context(TODAY, signed), usmca=False))["T-1"]["added_percent"] == [10, 10, 10]


def test_without_a_price_the_rate_stands_alone() -> None:
    found = hanging(vehicle(TUCSON, context(), msrp_usd=None))["232-KR-25"]
    assert found["added_percent"] == [0, 12.5, 12.5]
    assert found["added_usd"] is None


def test_nothing_is_written_where_no_threat_stands() -> None:
    duty = part(context(), hts="8703.23.01", country_of_origin="JP")["tariff"]["importer_duty"]
    assert set(duty) == {"landed", "replacement"}


REPLACING = {
    "one duty for one": (measure(rate=25, replaces=["232-JP-V", "232-AUTO"], authority="section_232_autos"), "JP"),
    "one for three": (measure(origins=["CN"], rate=10, replaces=["301-L1", "232-AUTO", "MFN"]), "CN"),
    "one more": (measure(origins=["*"], rate="7.5"), "TH"),
}


@cache
def with_threat(threat: MeasureRecord) -> Book:
    return build_book(REFERENCE.trade, TODAY, (threat,))


@pytest.mark.parametrize("name", REPLACING)
@settings(max_examples=25, deadline=None)
@given(cents=st.integers(0, 10_000_000))
def test_the_added_dollars_are_the_difference_of_the_two_totals_to_the_cent(name: str, cents: int) -> None:
    threat, origin = REPLACING[name]
    book = with_threat(threat)
    owed, then = (estimate(one, "8703.23.01", origin, TODAY, cents) for one in (book, book.supposing("T-1")))
    assert owed.central is not None
    assert then.central is not None
    assert then.central.total_cents is not None
    [found] = [one for one in threats(("8703.23.01",), origin, (Facts(),), book) if one.measure == "T-1"]
    assert found.added((cents, cents, cents))[1] == then.central.total_cents - (owed.central.total_cents or 0)
