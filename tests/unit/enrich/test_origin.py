"""Origin is the plant's country; the known wrong rows of vPIC and the WMI traps (fact sheet 5.3, 8.11, 8.14)."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest
import ultravin

from streams.enrich.context import Context
from streams.enrich.origin import VehicleOrigin, vehicle_origin
from streams.enrich.vin import check_digit, decode_vin
from streams.reference.vehicles import load_vehicles

VEHICLES = load_vehicles()


def origin(vin: str, stated: str | None = None) -> VehicleOrigin:
    context = Context(SimpleNamespace(vehicles=VEHICLES), SimpleNamespace(day=date(2026, 10, 1)))  # type: ignore[arg-type]
    return vehicle_origin(decode_vin(vin[:8] + check_digit(vin) + vin[9:], context), stated, VEHICLES)


@pytest.mark.parametrize(
    ("vin", "country"),
    [
        pytest.param("2LMPJ5NTXGB482688", "CA", id="MKT 2016, Oakville decoded as US"),
        pytest.param("2LMPJ7LP0GB814798", "CA", id="MKX 2016, Oakville decoded as US"),
        pytest.param("2LMPJ8KR0KBL00001", "CA", id="Nautilus 2019, Oakville decoded as US"),
        pytest.param("2T2BK1BA1DC783755", "CA", id="Lexus RX 2013, Cambridge decoded as Japan"),
        pytest.param("4S3BNCN65G1378375", "US", id="Legacy 2016, Lafayette decoded as India"),
        pytest.param("KMEKC88Z6TC735059", "KR", id="Xcient 2026, Cheon-ju decoded as China"),
        pytest.param("WMZYT5C36HW076229", "AT", id="Countryman 2017, Graz decoded as Australia"),
        pytest.param("WDDMH4EE8FN852457", "HU", id="B-Class 2015, Kecskemet decoded as Germany"),
        pytest.param("WMEFK9BE7JY694899", "SI", id="smart 2018, Novo Mesto decoded as Slovakia"),
        pytest.param("WMEFK9BJ4JJ679105", "FR", id="smart 2018, Hambach"),
        pytest.param("3FRNX66N97V642941", "MX", id="F-650 2007, Escobedo decoded as US"),
    ],
)
def test_a_plant_country_that_contradicts_its_city_is_corrected(vin: str, country: str) -> None:
    found = origin(vin)
    assert (found.country, found.basis) == (country, "plant")


@pytest.mark.parametrize("vin", ["2LMPJ5NTXGB482688", "2T2BK1BA1DC783755", "WMEFK9BE7JY694899"])
def test_a_correction_is_a_warning_that_says_what_was_decoded(vin: str) -> None:
    (warning,) = origin(vin).warnings
    assert warning.startswith("plant_corrected: decoded as ")


def test_frontier_and_titan_of_2008_are_not_from_jamaica() -> None:
    found = {
        origin(vin).country
        for vin in ultravin.generate(300, wmi="JN6", year=2008, invalid_rate=0, seed=1)
        if ultravin.decode(vin)["attributes"].get("Plant Country", "").strip() == "JAMAICA"
    }
    assert found == {"JP"}


@pytest.mark.parametrize(
    ("vin", "country", "basis"),
    [
        pytest.param("LRW3E7EKXPC123456", "CN", "plant_source", id="Tesla Shanghai"),
        pytest.param("XP7YGCES3PB123456", "DE", "plant_source", id="Tesla Gruenheide"),
        pytest.param("VF1RFB00023456789", None, "none", id="Renault"),
        pytest.param("VR3UPHNSSKT123456", None, "none", id="Peugeot"),
        pytest.param("VR7BCZKXCME123456", None, "none", id="Citroen"),
        pytest.param("UU1HSDAG559123456", None, "none", id="Dacia"),
    ],
)
def test_a_wmi_without_a_decoded_plant_is_never_the_brands_home(vin: str, country: str | None, basis: str) -> None:
    found = origin(vin)
    assert (found.country, found.basis) == (country, basis)
    assert ("country_of_assembly" in found.missing_facts) is (country is None)


@pytest.mark.parametrize(
    ("vin", "country"),
    [
        pytest.param("5LMPJ8JA1RJ946299", "CN", id="Nautilus 2024, plant J, Hangzhou"),
        pytest.param("5UXTR9C36JN656235", "ZA", id="BMW X3, 5UX with plant N"),
        pytest.param("5UXTS3C54J0915384", "US", id="BMW X3, Greer"),
        pytest.param("3VVVB7AX0LM183724", "MX", id="Tiguan, Puebla"),
        pytest.param("2T3H1RFV0MC260019", "CA", id="RAV4, 2T3"),
        pytest.param("JTMG6RFV8MD462177", "JP", id="RAV4, JTM"),
        pytest.param("2HKRT6H89MH915353", "CA", id="CR-V, 2HK"),
        pytest.param("7FART6H86MA031316", "US", id="CR-V, 7FA"),
        pytest.param("5J6RW2H55MA234162", "US", id="CR-V, 5J6"),
        pytest.param("KL77LKE29RB935933", "KR", id="Trax, KL7"),
        pytest.param("LRBAZNE43RD756865", "CN", id="Envision, LRB"),
        pytest.param("3FMTK4S54PM520869", "MX", id="Mach-E, 3FM"),
        pytest.param("3FTTW8AA4SRA13127", "MX", id="Maverick, 3FT"),
        pytest.param("7MMVAADM6PN212680", "US", id="CX-50, 7MM"),
        pytest.param("3MVDMAEL3NM777726", "MX", id="CX-30, 3MV"),
        pytest.param("YSMET3KA2PB378375", "CN", id="Polestar 2, YSM"),
        pytest.param("YSRPB3YB8SB811342", "CN", id="Polestar 3, YSR"),
        pytest.param("YV4EL0YE9SS423337", "CN", id="EX30, YV4 with plant S"),
        pytest.param("YV4EV3ZE8S2811377", "BE", id="EX30, YV4 with plant 2"),
        pytest.param("NM0KS9CN5DT336081", "TR", id="Transit Connect 2013, Kocaeli"),
        pytest.param("NM0LS9E73G1887578", "ES", id="Transit Connect 2016, Valencia"),
        pytest.param("ZFB4FADBXJ6269450", "TR", id="ZFB, Bursa"),
        pytest.param("ZFBTFACBXJZ976396", "RS", id="ZFB, Kragujevac"),
        pytest.param("SC6GM1CA5SF400313", "FR", id="Ineos, SC6, Hambach"),
        pytest.param("WZ1DB0C0XMW757662", "AT", id="Supra, WZ1, Graz"),
        pytest.param("SADFS2FX9J1031316", "AT", id="E-Pace, SAD, Graz"),
        pytest.param("WP1BE2AY6LD093593", "SK", id="Cayenne, WP1, Bratislava"),
        pytest.param("SALRP7EU2L2667046", "SK", id="Discovery, SAL, Nitra"),
        pytest.param("SALCK2FX1LH908916", "GB", id="Discovery Sport, Halewood"),
        pytest.param("WA1FABFYXM2586811", "MX", id="Q5, WA1, San Jose Chiapa"),
        pytest.param("WA1BUDF33M1629655", "HU", id="Q3, WA1, Gyor"),
        pytest.param("WA1DUCF38MB881074", "BE", id="WA1, Brussels"),
        pytest.param("WA1LXBF70MD384715", "SK", id="Q7, WA1, Bratislava"),
        pytest.param("3GPKHZRMXRS707073", "MX", id="Prologue, 3GP"),
        pytest.param("WMWXP3C09M2764802", "GB", id="Mini, Oxford decoded as England or United Kingdom"),
    ],
)
def test_the_wmi_does_not_name_the_country(vin: str, country: str) -> None:
    assert origin(vin).country == country


def test_an_impossible_pair_of_model_and_plant_keeps_its_origin_with_a_warning() -> None:
    found = origin("5LMPJ8J48RU709091")
    assert found.country == "US"
    assert found.warnings == (
        "plant_unlikely: LINCOLN Nautilus of 2024 is known to be built in CN, the VIN's plant is in US",
    )
    assert origin("5LMPJ8JA1RJ946299").warnings == ()


def test_neither_city_nor_country_is_believed_where_both_are_doubtful() -> None:
    doubtful = [
        vin
        for vin in ultravin.generate(400, wmi="WP0", year=2018, invalid_rate=0, seed=2)
        if ultravin.decode(vin)["attributes"].get("Plant City") == "UUSIKAUPUNKI"
    ]
    assert doubtful
    assert {origin(vin).country for vin in doubtful} == {None}


def test_the_record_speaks_where_the_vin_is_silent() -> None:
    found = origin("VF1RFB00023456789", stated="FR")
    assert (found.country, found.basis, found.missing_facts) == ("FR", "record", ())


def test_the_plant_decides_against_the_record_with_a_warning() -> None:
    found = origin("2T3H1RFV0MC260019", stated="JP")
    assert found.country == "CA"
    assert found.warnings == ("origin_conflict: the record says JP, the VIN's plant is in CA",)


def test_every_country_that_vpic_decodes_for_a_road_vehicle_has_its_code() -> None:
    decoded = {
        country
        for vin in ultravin.cover_vins()
        if (country := str(ultravin.decode(vin)["attributes"].get("Plant Country", "")).strip())
    }
    assert decoded - set(VEHICLES.countries) == set()
