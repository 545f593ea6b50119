"""A vehicle record in, an enriched record, a tombstone or a rejection out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.enriched import EnrichedVehicle
from streams import reference
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched, Reason, Rejected, Removed
from streams.enrich.vehicle import enrich_vehicle
from streams.enrich.vehicle_profile import vehicle_profile
from streams.enrich.vin import check_digit
from streams.policy.book import build_book

REFERENCE = reference.load()
TODAY = date(2026, 10, 1)
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, TODAY))

RAV4 = "JTMG6RFV7MD462177"
NAUTILUS = "5LMPJ8JA1RJ946299"
MAVERICK = "3FTTW8H38SRA86038"
ACCORD = "1HGCM82633A004352"
RENAULT = "VF1RFB00023456789"


def checked(vin: str) -> str:
    return vin[:8] + check_digit(vin) + vin[9:]


def record(vin: str = NAUTILUS, **fields: Any) -> dict[str, Any]:
    return {"dealer_id": "g1", "vin": checked(vin), "msrp_usd": "40000.00", "stock_class": "new", **fields}


def enrich(fields: dict[str, Any], key: bytes | None = None) -> Any:
    return enrich_vehicle(key or f"{fields['dealer_id']}:{fields['vin']}".encode(), orjson.dumps(fields), CONTEXT)


def enriched(vin: str = NAUTILUS, **fields: Any) -> EnrichedVehicle:
    found = enrich(record(vin, **fields))
    assert isinstance(found, Enriched), found
    return EnrichedVehicle.model_validate_json(found.value)


def test_the_record_comes_out_as_it_came_with_what_lotrisk_says() -> None:
    came = record(RAV4, trim="XLE", our_own={"lot": [1, "b"]}, price_usd="1.5", updated_at="2026-10-01T12:00:00+02:00")
    found = enrich(came)
    assert isinstance(found, Enriched)
    out = orjson.loads(found.value)
    assert {name: out[name] for name in came} == came
    assert out["origin"] == {"country": "JP", "basis": "plant", "confidence": "H"}
    assert out["classification"]["hts"] == "8703.40.00"
    assert out["customer_facing_ok"] is False
    assert out["book"] == str(CONTEXT.book.number)
    assert found.key == f"g1:{checked(RAV4)}".encode()


def test_the_duty_of_a_chinese_hybrid_to_the_cent() -> None:
    tariff = enriched(NAUTILUS, entry_date="2026-06-01").tariff
    assert tariff.customs_value_usd == ("26000.00", "31200.00", "35200.00")
    for view in (tariff.importer_duty.landed, tariff.importer_duty.replacement):
        assert view is not None
        assert view.total_usd == ("13650.00", "16380.00", "18480.00")
        assert view.rate_percent == (52.5, 52.5, 52.5)
        assert view.components["MFN"] == ("650.00", "780.00", "880.00")
        assert view.components["232-AUTO"] == ("6500.00", "7800.00", "8800.00")
        assert view.components["301-L1"] == ("6500.00", "7800.00", "8800.00")


def test_japans_customs_value_has_its_own_share_since_its_exporters_cut_prices() -> None:
    assert enriched(RAV4).tariff.customs_value_usd == ("20800.00", "24800.00", "31200.00")


def test_an_unknown_usmca_claim_spans_from_high_us_content_to_no_claim() -> None:
    found = enriched(MAVERICK)
    view = found.tariff.importer_duty.replacement
    assert view is not None
    assert view.rate_percent == (10, 15, 50)
    assert {"usmca", "us_content_share"} <= set(found.missing_facts)


def test_a_stated_usmca_claim_and_content_settle_the_rate() -> None:
    found = enriched(MAVERICK, usmca=True, us_content_share=0.5)
    view = found.tariff.importer_duty.replacement
    assert view is not None
    assert view.rate_percent == (12.5, 12.5, 12.5)
    assert not {"usmca", "us_content_share"} & set(found.missing_facts)
    without = enriched(MAVERICK, usmca=False).tariff.importer_duty.replacement
    assert without is not None
    assert without.rate_percent == (50, 50, 50)


def test_a_usmca_claim_on_goods_of_another_country_is_a_warning_and_no_crash() -> None:
    found = enriched(RAV4, usmca=True)
    assert any(warning.startswith("usmca_contradicts_origin") for warning in found.warnings)
    assert found.tariff.importer_duty.replacement is not None


def test_a_us_built_car_pays_in_its_imported_parts_from_zero_up() -> None:
    found = enriched(ACCORD)
    view = found.tariff.importer_duty.replacement
    assert view is not None
    assert view.total_usd == ("0.00", "100.00", "4000.00")
    assert view.components == {"232-PART": ("0.00", "1600.00", "4000.00"), "232-OFFSET": ("0.00", "-1500.00", "0.00")}
    assert view.rate_percent is None
    assert found.tariff.customs_value_usd is None
    assert {"imported_parts_content", "maker_offset"} <= set(found.missing_facts)


def test_a_us_built_car_of_before_the_duty_on_parts_paid_none() -> None:
    view = enriched(ACCORD, entry_date="2025-04-30").tariff.importer_duty.landed
    assert view is not None
    assert view.total_usd == ("0.00", "0.00", "0.00")


def test_the_makers_offset_ends() -> None:
    for day, components in (("2030-04-30", {"232-PART", "232-OFFSET"}), ("2030-05-01", {"232-PART"})):
        view = enriched(ACCORD, entry_date=day).tariff.importer_duty.landed
        assert view is not None
        assert set(view.components) == components


@pytest.mark.parametrize("stock_class", ["used", "cpo"])
def test_used_goods_have_no_replacement(stock_class: str) -> None:
    duty = enriched(NAUTILUS, stock_class=stock_class, entry_date="2026-06-01").tariff.importer_duty
    assert duty.replacement is None
    assert duty.landed is not None


def test_a_used_cars_stock_date_says_nothing_of_its_entry() -> None:
    found = enriched(NAUTILUS, stock_class="used", in_stock_date="2026-08-01")
    assert found.tariff.importer_duty.landed is None
    assert "entry_date" in found.missing_facts


@pytest.mark.parametrize("zero", ["0", "0.0", "0.00"])
def test_a_price_of_zero_is_no_price(zero: str) -> None:
    found, none = enriched(msrp_usd=zero).model_dump(), enriched(msrp_usd=None).model_dump()
    assert found["tariff"] == none["tariff"]
    assert found["missing_facts"] == none["missing_facts"]
    assert "msrp_usd" in found["missing_facts"]
    assert found["tariff"]["customs_value_usd"] is None


def test_without_a_price_the_rate_stands_alone_and_the_price_is_named() -> None:
    found = enriched(NAUTILUS, msrp_usd=None, entry_date="2026-06-01")
    view = found.tariff.importer_duty.landed
    assert view is not None
    assert (view.total_usd, view.rate_percent, view.components) == (None, (52.5, 52.5, 52.5), {})
    assert "msrp_usd" in found.missing_facts
    assert found.tariff.customs_value_usd is None


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"entry_date": "2026-05-05", "in_stock_date": "2026-08-01"}, ("2026-05-05", "2026-05-05")),
        ({"port_arrival_date": "2026-05-05"}, ("2026-05-05", "2026-06-04")),
        ({"in_stock_date": "2026-08-01"}, ("2026-05-03", "2026-07-18")),
        ({"updated_at": "2026-08-31T10:00:00Z", "days_in_stock": 30}, ("2026-05-03", "2026-07-18")),
        ({"port_arrival_date": "2026-09-20"}, ("2026-09-20", "2026-10-20")),
        ({"port_arrival_date": "2026-09-20", "in_stock_date": "2026-09-25"}, ("2026-09-20", "2026-09-25")),
        ({"port_arrival_date": "2026-09-20", "updated_at": "2026-09-30T23:00:00Z"}, ("2026-09-20", "2026-09-30")),
        ({"first_wholesale_date": "2026-06-30", "in_stock_date": "2026-07-10"}, ("2026-05-01", "2026-07-10")),
    ],
)
def test_the_likely_entry_dates_come_from_the_most_telling_date(
    dates: dict[str, Any], expected: tuple[str, str]
) -> None:
    view = enriched(NAUTILUS, **dates).tariff.importer_duty.landed
    assert view is not None
    assert (view.entry_from, view.entry_to) == tuple(map(date.fromisoformat, expected))


@pytest.mark.parametrize("day", ["1990-01-01", "9999-12-31"])
def test_an_entry_outside_the_book_is_not_rated_and_nothing_breaks(day: str) -> None:
    found = enriched(NAUTILUS, entry_date=day)
    assert found.tariff.importer_duty.replacement is not None
    if day < "2000":
        assert found.tariff.importer_duty.landed is None


def test_an_unknown_origin_rates_nothing_raises_a_flag_and_asks() -> None:
    found = enriched(RENAULT, updated_at="2026-09-01T00:00:00Z")
    assert found.origin.country is None
    assert (found.tariff.importer_duty.landed, found.tariff.importer_duty.replacement) == (None, None)
    assert [flag.type for flag in found.flags] == ["origin_unknown"]
    assert "country_of_assembly" in found.missing_facts


def test_a_stated_country_fills_what_the_vin_leaves_open() -> None:
    found = enriched(RENAULT, country_of_assembly="UK")
    assert (found.origin.country, found.origin.basis) == ("GB", "record")


def test_what_lotrisk_does_not_estimate_has_neither_exposure_nor_duty() -> None:
    found = enriched("1HD1KED19HB615555")
    assert found.exposure is None
    assert found.tariff.importer_duty.replacement is None
    assert found.classification.hts is None
    assert any(warning.startswith("not_estimated") for warning in found.warnings)


def test_the_producers_fields_with_lotrisks_names_are_kept_apart() -> None:
    found = enrich(record(NAUTILUS, origin="my own", flags=[1], producer={"a": 1}, other=None))
    assert isinstance(found, Enriched)
    out = EnrichedVehicle.model_validate_json(found.value)
    assert out.producer == {"origin": "my own", "flags": [1], "producer": {"a": 1}}
    assert out.origin.country == "CN"
    assert orjson.loads(found.value)["other"] is None


def test_a_null_value_is_a_tombstone() -> None:
    assert enrich_vehicle(b"g1:" + NAUTILUS.encode(), None, CONTEXT) == Removed(b"g1:" + NAUTILUS.encode())


@pytest.mark.parametrize(
    ("key", "value", "reason", "words"),
    [
        pytest.param(None, b"{}", Reason.NULL_KEY, "dealer_id:vin", id="null key"),
        pytest.param(None, None, Reason.NULL_KEY, "dealer_id:vin", id="null key and value"),
        pytest.param(b"g1:X", b'{"vin":"\xff"}', Reason.NOT_UTF8, "byte 8", id="not UTF-8"),
        pytest.param(b"g1:X", b"VIN,STOCK", Reason.NOT_JSON, "line 1", id="not JSON"),
        pytest.param(b"g1:X", b"", Reason.NOT_JSON, "isn't JSON", id="empty"),
        pytest.param(b"g1:X", b"\xef\xbb\xbf{}", Reason.NOT_JSON, "byte-order mark", id="BOM"),
        pytest.param(b"g1:X", b"[1]", Reason.SCHEMA_INVALID, "value", id="not an object"),
        pytest.param(b"g1:X", b'{"dealer_id":"g1"}', Reason.SCHEMA_INVALID, "vin: Field required", id="no VIN"),
        pytest.param(
            b"g1:1HGCM82633A00435",
            b'{"dealer_id":"g1","vin":"1HGCM82633A00435"}',
            Reason.VIN_INVALID,
            "has 16 characters",
            id="16 characters",
        ),
        pytest.param(
            b"g1:1HGCM82633A0O4352",
            b'{"dealer_id":"g1","vin":"1HGCM82633A0O4352"}',
            Reason.VIN_INVALID,
            "holds O",
            id="the letter O",
        ),
        pytest.param(
            b"g:1:1HGCM82633A004352",
            b'{"dealer_id":"g:1","vin":"1HGCM82633A004352"}',
            Reason.DEALER_ID_COLON,
            "colon",
            id="colon",
        ),
        pytest.param(
            b"g2:1HGCM82633A004352",
            b'{"dealer_id":"g1","vin":"1HGCM82633A004352"}',
            Reason.KEY_MISMATCH,
            "'g2:1HGCM82633A004352'",
            id="another key",
        ),
        pytest.param(
            b"\xff\xfe",
            b'{"dealer_id":"g1","vin":"1HGCM82633A004352"}',
            Reason.KEY_MISMATCH,
            "dealer_id and vin",
            id="a key that isn't text",
        ),
        pytest.param(
            b"g1:1HGCM82643A004352",
            b'{"dealer_id":"g1","vin":"1HGCM82643A004352"}',
            Reason.CHECK_DIGIT,
            "should be 3",
            id="check digit",
        ),
        pytest.param(
            b"g1:1HGCM82633A004352",
            b'{"dealer_id":"g1","vin":"1HGCM82633A004352","msrp_usd":"-1.00"}',
            Reason.SCHEMA_INVALID,
            "msrp_usd",
            id="negative price",
        ),
        pytest.param(
            b"g1:1HGCM82633A004352",
            b'{"dealer_id":"g1","vin":"1HGCM82633A004352","model_year":"2020"}',
            Reason.SCHEMA_INVALID,
            "model_year",
            id="wrong type",
        ),
        pytest.param(
            b"g1:1HGCM82633A004352",
            b'{"dealer_id":"g1","vin":"1HGCM82633A004352","x":NaN}',
            Reason.NOT_JSON,
            "isn't JSON",
            id="NaN",
        ),
    ],
)
def test_a_bad_record_is_rejected_with_its_reason(
    key: bytes | None, value: bytes | None, reason: Reason, words: str
) -> None:
    found = enrich_vehicle(key, value, CONTEXT)
    assert isinstance(found, Rejected), found
    assert found.reason is reason
    assert words in found.detail


def test_a_wrong_check_digit_outside_north_america_is_a_warning() -> None:
    vin = checked("WMEFK9BE7JY694899")
    vin = vin[:8] + ("0" if vin[8] != "0" else "1") + vin[9:]
    found = enrich({"dealer_id": "g1", "vin": vin})
    assert isinstance(found, Enriched)
    assert "check_digit_warning" in found.notes
    out = EnrichedVehicle.model_validate_json(found.value)
    assert out.decoded.check_digit == "invalid"
    assert out.origin.country == "SI"


def test_the_word_nan_inside_a_text_is_no_harm() -> None:
    assert enriched(NAUTILUS, trim="NaN Infinity").trim == "NaN Infinity"


def test_an_enriched_vehicle_is_about_two_kilobytes() -> None:
    found = enrich(record(MAVERICK, in_stock_date="2026-08-01"))
    assert isinstance(found, Enriched)
    assert len(found.value) < 2_200


def test_any_number_of_stated_shares_keeps_the_memory_bounded() -> None:
    for number in range(200):
        enriched(MAVERICK, usmca=True, us_content_share=number / 200)
    assert len(vehicle_profile(checked(MAVERICK), None, CONTEXT).rated) <= 64


EXTRAS = st.dictionaries(
    st.text(min_size=1, max_size=8).map(lambda name: "x_" + name),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(
    vin=st.sampled_from([RAV4, NAUTILUS, MAVERICK, ACCORD, RENAULT]),
    msrp=st.none() | st.integers(0, 20_000_000).map(lambda cents: f"{cents // 100}.{cents % 100:02d}"),
    stock_class=st.sampled_from(["new", "used", "demo", "in_transit", None]),
    day=st.none() | st.dates(date(2017, 1, 1), date(2027, 1, 1)).map(date.isoformat),
    usmca=st.sampled_from([True, False, None]),
    extras=EXTRAS,
)
def test_every_valid_record_gives_a_valid_enriched_record_whose_columns_sum(
    vin: str, msrp: str | None, stock_class: str | None, day: str | None, usmca: bool | None, extras: dict[str, Any]
) -> None:
    came = record(vin, msrp_usd=msrp, stock_class=stock_class, in_stock_date=day, usmca=usmca, **extras)
    found = enrich(came)
    assert isinstance(found, Enriched)
    again = enrich(came)
    assert again == found
    plain = orjson.loads(found.value)
    assert {name: plain[name] for name in came} == came
    out = EnrichedVehicle.model_validate_json(found.value)
    for view in (out.tariff.importer_duty.landed, out.tariff.importer_duty.replacement):
        if view is not None and view.total_usd is not None:
            for column in range(3):
                parts = sum((Decimal(amounts[column]) for amounts in view.components.values()), Decimal(0))
                assert parts == Decimal(view.total_usd[column])
            assert sorted(map(Decimal, view.total_usd)) == list(map(Decimal, view.total_usd))


def test_a_car_whose_displacement_the_vin_does_not_say_is_most_likely_of_the_common_line() -> None:
    """Not of the smallest engines, which no new car here has and which are not in the autos' list."""
    found = enrich_vehicle(b"g1:W1NKM4GB6TH327545", orjson.dumps(record("W1NKM4GB6TH327545")), CONTEXT)
    assert isinstance(found, Enriched)
    car = EnrichedVehicle.model_validate_json(found.value)
    assert car.classification.candidates == ("8703.23.01", "8703.24.01", "8703.22.01", "8703.21.01")
    assert "displacement" in car.missing_facts
    replaced = car.tariff.importer_duty.replacement
    assert replaced is not None
    assert replaced.rate_percent is not None
    assert replaced.rate_percent[1] == 15
    assert "232-EU-V" in replaced.components


@pytest.mark.parametrize(
    ("entered", "percent", "named"),
    [
        # 8703.24 of Germany, model year 1999: 25 years old whenever it was built only from 2025 on (9903.94.04).
        ("2025-04-02", [2.5, 2.5, 2.5], None),
        ("2025-04-04", [2.5, 2.5, 2.5], None),
        ("2025-05-01", [2.5, 12.5, 12.5], "vintage_relief"),
        ("2026-05-01", [2.5, 12.5, 12.5], "vintage_relief"),
        ("2026-10-01", [2.5, 10, 10], "vintage_relief"),
    ],
)
def test_a_car_of_25_years_pays_no_section_232(entered: str, percent: list[float], named: str | None) -> None:
    found = enriched("WP0AA2996XS621000", stock_class="used", entry_date=entered)
    assert found.tariff is not None
    landed = found.tariff.importer_duty.landed
    assert landed is not None
    assert [float(column) for column in landed.rate_percent] == percent
    assert named is None or named in found.missing_facts


def test_the_age_of_a_car_is_that_of_its_entry_not_of_today() -> None:
    younger = enriched("WP0AA2996XS621000", stock_class="used", entry_date="2019-06-01")
    older = enriched("WP0AA2996XS621000", stock_class="used", entry_date="2026-05-01")
    again = enriched("WP0AA2996XS621000", stock_class="used", entry_date="2019-06-01")
    assert younger.tariff == again.tariff != older.tariff
