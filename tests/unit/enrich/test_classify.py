"""Lines, powertrains, magnets and batteries by real VIN patterns (fact sheet 3.3, 8.11 to 8.13)."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest

from streams.enrich.classify import VehicleClass, classify_vehicle
from streams.enrich.context import Context
from streams.enrich.vin import VinFacts, check_digit, decode_vin
from streams.reference.vehicles import load_vehicles

VEHICLES = load_vehicles()


def decoded(vin: str) -> VinFacts:
    context = Context(SimpleNamespace(vehicles=VEHICLES), SimpleNamespace(day=date(2026, 10, 1)))  # type: ignore[arg-type]
    return decode_vin(vin[:8] + check_digit(vin) + vin[9:], context)


def classified(vin: str) -> VehicleClass:
    return classify_vehicle(decoded(vin), VEHICLES)


@pytest.mark.parametrize(
    ("vin", "line"),
    [
        pytest.param("WMEEK3BA0FY723015", "8703.21.01", id="smart 1.0, exactly 1,000 cm3"),
        pytest.param("1HGCM82633A004352", "8703.23.01", id="Accord V6, 2,998.8 cm3"),
        pytest.param("2HKRW1H9XMH997788", "8703.22.01", id="CR-V, exactly 1,500 cm3"),
        pytest.param("5LMPJ8JA1RJ946299", "8703.23.01", id="Nautilus 2.0"),
        pytest.param("2T3B6RFV2LW000001", "8703.40.00", id="RAV4 Hybrid"),
        pytest.param("5YJ3E1EA5PF185468", "8703.80.00", id="Model 3"),
        pytest.param("LPSBE0YL4ML812326", "8703.60.00", id="Polestar 1, decoded as strong hybrid"),
        pytest.param("3GPKHZRMXRS707073", "8703.80.00", id="Prologue"),
        pytest.param("LRW3E7EKXPC123456", "8703.80.00", id="Tesla Shanghai, unknown to vPIC"),
        pytest.param("JTMFB3FV5M4753207", "8703.60.00", id="RAV4 Prime, primary fuel Electric"),
        pytest.param("5NTJDDPE6RH210914", "8704.31.01", id="Santa Cruz, NY N323407"),
        pytest.param("3FTTW8AA4SRA13127", "8704.31.01", id="Maverick, NY N343956"),
        pytest.param("3FTTW8H38SRA86038", "8704.51.00", id="Maverick hybrid, NY N343956"),
        pytest.param("3FMCR9A93PR462267", "8703.23.01", id="Bronco Sport 2.0, NY N343956"),
        pytest.param("3FMCR9D64PM716891", "8703.22.01", id="Bronco Sport 1.5, NY N343956"),
        pytest.param("NM0LS7E73K1439225", "8704.31.01", id="Transit Connect cargo van"),
        pytest.param("NM0GE9F79F1722360", "8703.23.01", id="Transit Connect wagon, vPIC type TRUCK"),
        pytest.param("ZFBBRFDH6GZ346290", "8704.31.01", id="ProMaster City cargo van, vPIC type MPV"),
        pytest.param("1GC10UEL2RF190277", "8704.60.00", id="Silverado EV"),
        pytest.param("1C6SRFJM1LN123456", "8704.21.01", id="RAM 1500 diesel"),
        pytest.param("1C6RR7LG4LS123456", "8704.31.01", id="RAM 1500 Classic, no eTorque"),
    ],
)
def test_one_line_where_the_vin_settles_it(vin: str, line: str) -> None:
    found = classified(vin)
    assert (found.hts, found.candidates) == (line, (line,))


@pytest.mark.parametrize(
    ("vin", "lines", "missing"),
    [
        pytest.param(
            "1C6SRFFG3LN123456", {"8704.31.01", "8704.51.00"}, "hybrid_classification", id="RAM 1500 V6 eTorque"
        ),
        pytest.param("1C6SRFFT7LN123456", {"8704.31.01", "8704.51.00"}, "mild_hybrid", id="RAM 1500 V8, maybe eTorque"),
        pytest.param("1FT8W3BT8PEC12345", {"8704.21.01", "8704.22.51"}, "gross_weight", id="F-350, class 3, diesel"),
        pytest.param("1FT8W3BN8PEC12345", {"8704.31.01", "8704.32.01"}, "gross_weight", id="F-350, class 3, petrol"),
        pytest.param("ZFBHRFDB6K6123456", {"8704.31.01", "8703.23.01"}, "body", id="ProMaster City, van or wagon"),
    ],
)
def test_all_candidates_where_the_vin_cannot_settle_it(vin: str, lines: set[str], missing: str) -> None:
    found = classified(vin)
    assert found.hts is None
    assert set(found.candidates) == lines
    assert missing in found.missing_facts


@pytest.mark.parametrize(
    ("vin", "word"),
    [
        pytest.param("1HD1KED19HB615555", "motorcycle", id="Harley-Davidson"),
        pytest.param("1FUJGLDR5CSBD1234", "heavy", id="Freightliner Cascadia"),
        pytest.param("1UJBJ0BJ7P1234567", "trailer", id="Jayco"),
    ],
)
def test_what_is_out_of_scope_is_named_and_not_forced_into_a_car_line(vin: str, word: str) -> None:
    found = classified(vin)
    assert not found.estimated
    assert found.kind == word
    assert (found.hts, found.candidates) == (None, ())
    assert any(warning.startswith("not_estimated: ") for warning in found.warnings)


def test_a_passenger_transit_is_not_called_a_bus_but_its_seats_are_asked_for() -> None:
    found = classified("1FBAX2CG0PKA11111")
    assert found.candidates == ("8703.24.01",)
    assert found.hts is None
    assert "seats" in found.missing_facts


def test_a_vin_that_decodes_to_hardly_anything_names_what_is_missing() -> None:
    found = classified("VF1RFB00023456789")
    assert found.identity.powertrain == "unknown"
    assert (found.hts, found.candidates) == (None, ())
    assert "powertrain" in found.missing_facts


def test_a_vin_of_no_known_maker_is_not_classified() -> None:
    found = classified("VR3UPHNSSKT123456")
    assert not found.estimated
    assert {"powertrain", "vehicle_type"} <= set(found.missing_facts)


@pytest.mark.parametrize(
    ("vin", "magnets"),
    [
        pytest.param("WBY73AW00NFN12345", "no", id="BMW i4"),
        pytest.param("WB523CF01RCP12345", "no", id="BMW iX"),
        pytest.param("WBY1Z2C54EV123456", "yes", id="BMW i3 holds magnets"),
        pytest.param("WMW13DJ08R3984234", "yes", id="Mini Cooper SE F56 holds magnets"),
        pytest.param("WMZ53GA04S7423291", "no", id="Mini Countryman E"),
        pytest.param("JN1CF0AB7PM171362", "no", id="Nissan Ariya"),
        pytest.param("1N4AZ1CV2PC709888", "yes", id="Nissan Leaf"),
        pytest.param("WMEFJ9BF3HK284340", "no", id="smart 453 of 2017"),
        pytest.param("WMEEJ9AC8DJ542951", "yes", id="smart 451 ED of 2013"),
        pytest.param("2T3YL9EV6EW073119", "no", id="RAV4 EV"),
        pytest.param("5YJSE1E29JF123456", "no", id="Model S before 2019"),
        pytest.param("5YJSE1E43KF687566", "mixed", id="Model S of 2019"),
        pytest.param("5YJSEDE57MF750041", "yes", id="Model S of 2021"),
        pytest.param("5YJ3E1EA5PF185468", "yes", id="Model 3, one motor"),
        pytest.param("5YJ3E1EB8PF257501", "mixed", id="Model 3, two motors"),
        pytest.param("7G2CEHED3TA089233", "mixed", id="Cybertruck"),
        pytest.param("W1N9M0KD4PJ231797", "mixed", id="EQB 4MATIC, decoded as single motor"),
        pytest.param("W1N9M0CJXRP904242", "yes", id="EQB 250+"),
        pytest.param("3GN7DNRR3TL374862", "mixed", id="Equinox EV, all-wheel drive"),
        pytest.param("3GN7DNEPXRS609275", "yes", id="Equinox EV, front drive"),
        pytest.param("3GPKHYRJXVS792314", "mixed", id="Prologue, all-wheel drive"),
        pytest.param("WVGWSPE8XSH898781", "mixed", id="ID.4, all-wheel drive"),
        pytest.param("WVGVMPE89SH741412", "yes", id="ID.4, rear drive"),
        pytest.param("YSMET3KA4PL902152", "yes", id="Polestar 2, all-wheel drive, before 2024"),
        pytest.param("WBA53JB06VF148431", "no", id="BMW i3 of 2027, 6th generation"),
        pytest.param("WBY43HG08W7222961", "no", id="BMW i5"),
        pytest.param("WBY63HY04V5102043", "no", id="BMW i7"),
        pytest.param("WBX33HR03W3208714", "no", id="BMW iX3 NA5"),
        pytest.param("WBY2Z2C59GV675157", "yes", id="BMW i8 holds magnets"),
        pytest.param("WBA8E1C50HA123456", "yes", id="BMW 330e holds magnets"),
        pytest.param("WMZ23BS02N3515323", "yes", id="Mini Countryman PHEV holds magnets"),
        pytest.param("WA1VCBGE7KB527657", "no", id="Audi e-tron of 2019"),
        pytest.param("WA12AAGE9LR597558", "no", id="Audi e-tron Sportback"),
        pytest.param("WU15AAGE0RD802129", "no", id="Audi Q8 e-tron, decoded as Q8"),
        pytest.param("WU14UBFZ3RD303774", "mixed", id="Audi Q4 quattro"),
        pytest.param("WA134BGF4WA337694", "mixed", id="Audi Q6 quattro"),
        pytest.param("WDDVP9AJ0GJ718932", "no", id="Mercedes B-Class Electric"),
        pytest.param("5YJXCBE49HF376187", "no", id="Model X before 2019"),
        pytest.param("5YJXA1E49KF496191", "mixed", id="Model X of 2019"),
        pytest.param("7SAXGDE58RA275295", "yes", id="Model X from 2021"),
        pytest.param("5YJYE4E2XLF402605", "mixed", id="Model Y, two motors"),
        pytest.param("WMEFK9BH3KK318750", "no", id="smart EQ 453 of 2019"),
        pytest.param("YSMDE3KA6VB770701", "mixed", id="Polestar 2, all-wheel drive, from 2024"),
        pytest.param("3GNKDKRK7SL186856", "mixed", id="Blazer EV, all-wheel drive"),
        pytest.param("3GYK3GNV8VS158027", "mixed", id="Optiq, all-wheel drive"),
        pytest.param("KNDC4DLC8R5123456", "yes", id="Kia EV6: nearly all hold magnets"),
        pytest.param("2T3B6RFV2LW000001", "yes", id="a full hybrid"),
        pytest.param("1HGCM82633A004352", "na", id="a petrol car"),
    ],
)
def test_traction_magnets_follow_the_drive_and_not_the_brand(vin: str, magnets: str) -> None:
    assert classified(vin).identity.traction_magnets == magnets


@pytest.mark.parametrize(
    ("vin", "chemistry"),
    [
        pytest.param("2T3RWRFV4LW000001", "nimh", id="RAV4 Hybrid 2020, position 5 W"),
        pytest.param("2T3B6RFV2LW000001", "liion", id="RAV4 Hybrid 2020, position 5 is 6"),
        pytest.param("JTMAWRFV0MD000001", "nimh", id="RAV4 Hybrid 2021 from Japan, W"),
        pytest.param("4T1B31HK7JU123456", "liion", id="Camry Hybrid 2018, 4T1B31"),
        pytest.param("4T1B21HK1KU123456", "nimh", id="Camry Hybrid 2019, 4T1B21"),
        pytest.param("JTDLAAFU0M3234567", "nimh", id="Prius 2021 AWD-e"),
        pytest.param("JTDKAAFU0M3234567", "liion", id="Prius 2021, front drive"),
        pytest.param("5TDGARAH1LS780564", "nimh", id="Highlander Hybrid"),
        pytest.param("5TDZSKFC3TS358998", "nimh", id="Sienna"),
        pytest.param("5TFNC5DB9RX304647", "nimh", id="Tundra hybrid"),
        pytest.param("3TYLC5LN1RM566167", "nimh", id="Tacoma hybrid"),
        pytest.param("JTDAFAAF6T3905728", "nimh", id="Crown"),
        pytest.param("JTEABFAJ1V5640944", "nimh", id="Land Cruiser"),
        pytest.param("7MMVABEW9SN975842", "nimh", id="CX-50 hybrid"),
        pytest.param("3FAHP4E30BM130181", "nimh", id="Ford before 2013"),
        pytest.param("3LN6L5KU9HR515472", "liion", id="Lincoln MKZ hybrid, Ford from 2013"),
        pytest.param("JTDAAAAAXM3377407", "liion", id="Mirai 2021, wrong in vPIC"),
        pytest.param("3FTTW8H38SRA86038", "liion", id="Maverick Hybrid: Ford from 2013"),
        pytest.param("5YJ3E1EA5PF185468", "liion", id="an electric car"),
        pytest.param("1HGCM82633A004352", "na", id="a petrol car"),
    ],
)
def test_battery_chemistry_follows_the_vin_and_not_the_model_name(vin: str, chemistry: str) -> None:
    assert classified(vin).identity.battery_chemistry == chemistry


@pytest.mark.parametrize(
    ("vin", "powertrain"),
    [
        pytest.param("WMEEJ9AC9CJ815555", "BEV", id="smart ED 2012, no level"),
        pytest.param("JA3A12F39JZ944695", "BEV", id="i-MiEV, neither level nor fuel"),
        pytest.param("WBAFZ9C54C0024752", "HEV", id="ActiveHybrid 5 of 2012, no level"),
        pytest.param("WVGDG7BP1CN876062", "HEV", id="Touareg Hybrid of 2012, no level"),
        pytest.param("1C6SRFFG3LN123456", "MHEV", id="RAM 1500 eTorque, no level"),
        pytest.param("LPSAA0YL4LA111111", "PHEV", id="Polestar 1, no level"),
        pytest.param("KMEKC88Z6TC735059", "FCEV", id="Xcient"),
        pytest.param("1G11D5SR5DF123456", "MHEV", id="Malibu eAssist of 2013, no level"),
        pytest.param("1G4ZV5SZ5KU788797", "MHEV", id="LaCrosse eAssist, no level"),
        pytest.param("WBA3F9C59DL169555", "HEV", id="ActiveHybrid 3 named only in the trim"),
        pytest.param("SALGS4RY3JH018626", "PHEV", id="Range Rover P400e, neither level nor fuel"),
        pytest.param("1GNUKDDJ5AR123456", "HEV", id="Tahoe Hybrid of 2010, no level"),
        pytest.param("3FTTW8H38SRA86038", "HEV", id="Maverick, hybrid level unknown"),
        pytest.param("WMZ23BS02N3515323", "PHEV", id="Mini Countryman, primary fuel Electric"),
    ],
)
def test_the_electrification_level_is_read_first_and_its_gaps_are_filled(vin: str, powertrain: str) -> None:
    assert classified(vin).identity.powertrain == powertrain


def test_whether_all_wheels_are_driven_is_asked_where_it_decides_the_magnets() -> None:
    found = classified("3VV2NPE86PP382060")
    assert decoded("3VV2NPE86PP382060").drive_type is None
    assert found.identity.traction_magnets == "unknown"
    assert "driven_axles" in found.missing_facts


def test_every_decision_says_why() -> None:
    why = classified("2T3RWRFV4LW000001").why
    for word in ("powertrain HEV", "traction magnets yes", "battery nimh", "passenger", "line 8703.40.00"):
        assert any(sentence.startswith(word) for sentence in why), word
