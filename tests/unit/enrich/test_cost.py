"""What a record's cost is as of, and the flags that follow, on real records under real books and a new measure."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest

from schemas.enriched import EnrichedPart, EnrichedVehicle
from streams import reference
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part
from streams.enrich.vehicle import enrich_vehicle
from streams.enrich.vin import check_digit
from streams.policy.book import build_book
from streams.reference.trade_records import MeasureRecord

REFERENCE = reference.load()
SOLD_BEFORE = "2026-08-20"
NEW_DUTY = MeasureRecord.model_validate(
    {
        "id": "232-TEST", "authority": "section_232_autos", "title": "Another 25% on cars and their parts",
        "instrument": "Test", "origins": ["JP"], "scope": ["87"], "rate": 25, "announced_at": "2026-09-29",
        "effective_from": "2026-09-29", "status": "in_force", "confidence": "H", "source": "GK",
    }
)  # fmt: skip


def context(day: date = date(2026, 9, 29), *measures: MeasureRecord) -> Context:
    return Context(REFERENCE, build_book(REFERENCE.trade, day, measures, offset=len(measures) - 1))


BEFORE = context()
AFTER = context(date(2026, 9, 29), NEW_DUTY)


def car(under: Context, vin: str = "JTMG6RFV7MD462177", **fields: Any) -> EnrichedVehicle:
    vin = vin[:8] + check_digit(vin) + vin[9:]
    record = {
        "dealer_id": "g1", "vin": vin, "msrp_usd": "40000.00", "invoice_usd": "37000.00", "stock_class": "new",
        "invoice_date": SOLD_BEFORE, "market_days_supply": 40, **fields,
    }  # fmt: skip
    value = orjson.dumps({name: field for name, field in record.items() if field is not None})
    found = enrich_vehicle(f"g1:{vin}".encode(), value, under)
    assert isinstance(found, Enriched), found
    return EnrichedVehicle.model_validate_json(found.value)


def part(under: Context, **fields: Any) -> EnrichedPart:
    record = {
        "dealer_id": "g1", "part_number": "44250-42210", "description": "GEAR ASSY, POWER STEERING (ELECTRIC)",
        "hts": "8708.94.75", "country_of_origin": "JP", "part_kind": "oe", "cost_usd": "1000.00", "core_usd": "250.00",
        "qty_on_hand": 4, "demand_12m": 20, "invoice_date": SOLD_BEFORE, "brand": "Subaru",
        "tariff_claims": ["auto-part", "not-truck-part"], **fields,
    }  # fmt: skip
    value = orjson.dumps({name: field for name, field in record.items() if field is not None})
    found = enrich_part(f"g1:{record['part_number']}".encode(), value, under)
    assert isinstance(found, Enriched), found
    return EnrichedPart.model_validate_json(found.value)


def test_all_that_is_in_force_since_before_the_invoice_is_in_the_cost() -> None:
    found = car(BEFORE).expected_invoice_change
    assert found is not None
    assert found.usd == ("0.00", "0.00", "0.00")
    assert (found.already_in_cost, found.cost_as_of, found.basis) == ("yes", date(2026, 8, 20), "invoice_date")
    assert car(BEFORE).flags == ()


def test_a_new_duty_moves_the_next_invoice_and_raises_one_flag_with_all_a_person_needs() -> None:
    # Customs value 24,800; 25% of it, of which Toyota is expected to pass on a fifth at once (5% to 45%).
    enriched = car(AFTER, price_protected_until="2026-10-31")
    found = enriched.expected_invoice_change
    assert found is not None
    assert found.usd == ("260.00", "1240.00", "3510.00")
    assert (found.already_in_cost, found.measures) == ("no", ("232-TEST",))
    (flag,) = enriched.flags
    assert (flag.type, flag.owner, flag.action, flag.measure) == ("replacement_cost_up", "new", "hold", "232-TEST")
    assert (flag.dollars_at_stake, flag.act_by) == ("1240.00", date(2026, 10, 31))
    assert (flag.top_missing_fact, flag.would_change_by_usd) == ("maker_price_bulletin", "2270.00")


def test_the_flag_clears_with_the_measure() -> None:
    withdrawn = NEW_DUTY.model_copy(update={"withdrawn_at": date(2026, 9, 29)})
    assert car(context(date(2026, 9, 29), NEW_DUTY, withdrawn)).flags == ()


def test_the_importers_duty_is_another_amount() -> None:
    replacement = car(AFTER).tariff.importer_duty.replacement
    assert replacement is not None
    assert replacement.components["232-TEST"] == ("5200.00", "6200.00", "7800.00")


@pytest.mark.parametrize("stock_class", ["used", "cpo"])
def test_of_used_cars_only_that_the_new_counterpart_moved_is_said(stock_class: str) -> None:
    enriched = car(AFTER, stock_class=stock_class, invoice_date=None, in_stock_date=SOLD_BEFORE)
    found = enriched.expected_invoice_change
    assert found is not None
    assert (found.usd, found.basis, found.measures) == (None, "new_counterpart_moved", ("232-TEST",))
    assert enriched.flags == ()
    calm = car(BEFORE, stock_class=stock_class).expected_invoice_change
    assert calm is not None
    assert (calm.usd, calm.basis) == (None, "used")


@pytest.mark.parametrize("stock_class", ["demo", "loaner"])
def test_demos_and_loaners_have_an_amount_and_no_flag(stock_class: str) -> None:
    enriched = car(AFTER, stock_class=stock_class)
    assert enriched.expected_invoice_change is not None
    assert enriched.expected_invoice_change.usd == ("260.00", "1240.00", "3510.00")
    assert enriched.flags == ()


def test_without_an_invoice_date_the_cost_is_of_the_day_in_stock_less_transit() -> None:
    found = car(AFTER, invoice_date=None, in_stock_date="2026-09-01").expected_invoice_change
    assert found is not None
    assert (found.cost_as_of, found.basis, found.confidence) == (date(2026, 7, 23), "in_stock_date", "L")
    assert found.already_in_cost == "no"


def test_a_stock_date_that_leaves_open_what_the_cost_holds_names_the_fact() -> None:
    enriched = car(AFTER, invoice_date=None, in_stock_date="2026-11-01")
    found = enriched.expected_invoice_change
    assert found is not None
    assert found.already_in_cost == "unknown"
    assert found.usd is not None
    assert found.usd[0] == "0.00"
    assert "cost_as_of" in enriched.missing_facts


def test_without_any_date_nothing_is_said_and_the_fact_is_named() -> None:
    enriched = car(AFTER, invoice_date=None)
    found = enriched.expected_invoice_change
    assert found is not None
    assert (found.usd, found.already_in_cost, found.cost_as_of, found.basis) == (None, "unknown", None, "none")
    assert "cost_as_of" in enriched.missing_facts
    assert enriched.flags == ()


def test_the_makers_code_overrides_the_invoice_date_and_an_unknown_one_is_a_missing_fact() -> None:
    german = "WA1LAAF73JD000001"
    plain = car(BEFORE, german, invoice_date="2026-08-20").expected_invoice_change
    coded = car(BEFORE, german, maker_tariff_code="No Added Import Fee").expected_invoice_change
    assert plain is not None
    assert coded is not None
    assert plain.already_in_cost == "yes"
    assert (coded.already_in_cost, coded.basis, coded.cost_as_of) == ("no", "maker_code", date(2025, 4, 2))
    assert "maker_tariff_code_meaning" in car(BEFORE, maker_tariff_code="Q7").missing_facts


def test_a_bulletin_that_says_the_maker_bears_it_means_no_change() -> None:
    enriched = car(AFTER, cost_borne_by="Borne by the manufacturer")
    assert enriched.expected_invoice_change is not None
    assert enriched.expected_invoice_change.usd == ("0.00", "0.00", "0.00")
    assert enriched.expected_invoice_change.basis == "borne_by_maker"
    assert enriched.flags == ()
    assert car(AFTER, cost_borne_by="dealer").flags


def test_a_dealer_who_imports_bears_the_duty_itself() -> None:
    found = car(AFTER, importer_of_record="dealer").expected_invoice_change
    assert found is not None
    assert found.usd == ("5200.00", "6200.00", "7800.00")


def test_a_us_built_cars_change_is_a_range_from_zero_and_raises_nothing() -> None:
    enriched = car(context(date(2025, 6, 1)), "1HGCM82633A004352", invoice_date="2025-04-01")
    found = enriched.expected_invoice_change
    assert found is not None
    assert found.usd is not None
    assert found.usd[0] == "0.00"
    assert float(found.usd[2]) > 0
    assert enriched.flags == ()


def test_a_retroactive_cut_books_no_refund() -> None:
    # The cut of European cars to 15% holds from 2025-08-01 and was published in September.
    found = car(context(date(2025, 10, 1)), "WA1LAAF73JD000001", invoice_date="2025-07-15").expected_invoice_change
    assert found is not None
    assert found.usd == ("0.00", "0.00", "0.00")


def test_polestar_of_2027_is_not_saleable() -> None:
    (flag,) = car(BEFORE, "YSMFD3KA1VL000001", market_days_supply=None).flags
    assert (flag.type, flag.action, flag.dollars_at_stake) == ("not_saleable", "stop_sale", "37000.00")


def test_a_parts_change_is_per_unit_and_times_quantity_core_apart() -> None:
    # Customs value 550 (350 to 750) of 1,000; 25% of it, of which makers pass on 35% (15% to 70%) at once.
    enriched = part(AFTER)
    found = enriched.expected_invoice_change
    assert found is not None
    assert found.usd == ("13.13", "48.13", "131.25")
    assert found.extended_usd == ("52.52", "192.52", "525.00")
    assert part(AFTER, core_usd="900.00").expected_invoice_change == found
    assert [flag.type for flag in enriched.flags if flag.type == "part_cost_up"] == []


def test_a_part_that_moves_enough_is_flagged() -> None:
    flags = {flag.type: flag for flag in part(AFTER, qty_on_hand=40, importer_of_record="dealer").flags}
    assert flags["part_cost_up"].dollars_at_stake == "5500.00"
    assert flags["part_cost_up"].measure == "232-TEST"
    assert "part_cost_up" not in {flag.type for flag in part(BEFORE, qty_on_hand=40).flags}
    assert "part_cost_up" not in {
        flag.type for flag in part(AFTER, qty_on_hand=40, importer_of_record="dealer", demand_12m=2).flags
    }


def test_rebuilt_parts_and_parts_made_here_have_no_change() -> None:
    rebuilt = part(AFTER, part_kind="reman").expected_invoice_change
    assert rebuilt is not None
    assert (rebuilt.usd, rebuilt.basis) == (None, "none")
    here = part(AFTER, country_of_origin="US").expected_invoice_change
    assert here is not None
    assert (here.usd, here.basis, here.already_in_cost) == (("0.00", "0.00", "0.00"), "domestic", "yes")


@pytest.mark.parametrize(
    ("fields", "as_of", "basis"),
    [
        ({"invoice_date": "2026-08-01", "last_received": "2026-09-01"}, date(2026, 8, 1), "invoice_date"),
        ({"price_tape_date": "2026-08-02", "last_received": "2026-09-01"}, date(2026, 8, 2), "price_tape_date"),
        ({"last_received": "2026-08-03"}, date(2026, 8, 3), "last_received"),
        ({"in_stock_date": "2026-09-01"}, date(2026, 7, 23), "in_stock_date"),
    ],
)
def test_a_parts_cost_is_of_its_invoice_price_tape_or_receipt(fields: dict[str, str], as_of: date, basis: str) -> None:
    found = part(BEFORE, **{"invoice_date": None, **fields}).expected_invoice_change
    assert found is not None
    assert (found.cost_as_of, found.basis) == (as_of, basis)
