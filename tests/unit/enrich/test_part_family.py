"""Part families: the record first, then the words of a parts master, the maker's number, the line; else unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.enrich.part_family import UNKNOWN, FamilyRules, candidate_lines, import_line
from streams.reference.materials import load_materials

MATERIALS = load_materials()
RULES = FamilyRules(MATERIALS)


def family_of(description: str) -> str | None:
    found = RULES.by_description(description)
    return found.family.id if found.family is not None else None


@pytest.mark.parametrize(
    ("description", "family"),
    [
        # makers' own styles: noun first, abbreviations, dashes, commas
        ("MTR ASY-WIPER", "wiper_motor"),
        ("MOTOR ASY - WIPER", "wiper_motor"),
        ("MOTOR ASSY, WINDSHIELD WIPER, FR", "wiper_motor"),
        ("CONV ASM-CTLTC (W/ EXH MANIF)", "catalytic_converter"),
        ("CONVERTER ASM-CTLTC", "catalytic_converter"),
        ("SPKR", "loudspeaker"),
        ("SPEAKER-FRONT DOOR", "loudspeaker"),
        ("SENSOR-OXY", "oxygen_sensor"),
        ("SENSOR, OXYGEN, FR", "oxygen_sensor"),
        ("O2 SENSOR", "oxygen_sensor"),
        ("SENSOR, AIR FUEL RATIO", "oxygen_sensor"),
        ("ALTERNATOR", "alternator"),
        ("ALTERNATOR-ENGINE", "alternator"),
        ("GENERATOR ASM", "alternator"),
        ("STARTER", "starter"),
        ("MOTOR-STARTING", "starter"),
        ("GEAR ASM-ELEC PWR STRG", "eps_gear"),
        ("MOTOR, POWER STEERING", "eps_motor"),
        ("MOTOR ASY-BLOWER", "blower_motor"),
        ("COIL-IGNITION", "ignition_coil"),
        ("ACTUATOR ASM-PRK BRK", "brake_motor"),
        ("DRIVE UNIT ASM-REAR", "traction_motor"),
        ("SENSOR ASM-CR/SHF POSN", "speed_sensor"),
        ("SENSOR, ABS, RR", "speed_sensor"),
        ("PUMP ASY-FUEL", "fuel_pump"),
        ("BATTERY, HV", "battery_high_voltage"),
        ("BATTERY ASM-HYBRID", "battery_high_voltage"),
        ("BATTERY", "battery_lead_acid"),
        ("BRG", "bearing"),
        ("HUB & BEARING FRT", "wheel_bearing"),
        ("KIT - BRAKE LINING", "brake_pad"),
        ("PAD KIT, DISC BRAKE", "brake_pad"),
        ("FILTER-OIL", "oil_filter"),
        ("ELEMENT, AIR CLEANER", "air_filter"),
        ("LAMP ASY - HEAD", "headlamp"),
        ("TIRE P235/60R18", "tyre"),
        ("CAMERA-REAR VIEW", "radar_camera"),
        ("MODULE-POWERTRAIN CONTROL", "control_module"),
        ("SENSOR - TPMS", "sensor_other"),
        ("BLADE, WIPER", "wiper_blade"),
        ("Loudspeaker 6x9", "loudspeaker"),
    ],
)
def test_descriptions_of_parts_masters(description: str, family: str) -> None:
    assert family_of(description) == family


@pytest.mark.parametrize(
    ("description", "family"),
    [
        ("ROTOR", "brake_rotor"),
        ("ROTOR ASM-FRT BRK", "brake_rotor"),
        ("BRAKE DISC ROTOR", "brake_rotor"),
        ("ROTOR-MOTOR, TRACTION", "traction_rotor"),
        ("ROTOR, MOTOR", "traction_rotor"),
    ],
)
def test_a_brake_rotor_is_no_motor_rotor(description: str, family: str) -> None:
    assert family_of(description) == family


@pytest.mark.parametrize(
    ("description", "family"),
    [
        ("BOLT-ALTERNATOR MTG BRKT", "hardware"),
        ("BRACKET - STARTER MOTOR", "hardware"),
        ("MOTOR MOUNT", "hardware"),
        ("GASKET-CATALYTIC CONVERTER", "hardware"),
        ("HARNESS-HEADLAMP", "wiring_harness"),
        ("CABLE - STARTER", "wiring_harness"),
        ("SWITCH ASM-WDO", "switch"),
        ("RELAY-FUEL PUMP", "switch"),
        ("BELT-ALTERNATOR", "belt_hose"),
        ("SENSOR, AIRBAG", "sensor_other"),
        ("BULB - STOP LAMP", "bulb"),
        ("MODULE, BLOWER MOTOR CONTROL", "control_module"),
    ],
)
def test_what_belongs_to_a_motor_is_no_motor(description: str, family: str) -> None:
    assert family_of(description) == family


@pytest.mark.parametrize(
    ("description", "family"),
    [
        ("WINDOW REGULATOR", "window_regulator"),
        ("WINDOW REGULATOR W/O MOTOR", "window_regulator"),
        ("REGULATOR LESS MOTOR, WINDOW", None),
        ("Window Regulator w/ Motor", "window_motor"),
        ("REGULATOR ASM-FRT S/D WDO (W/ MOT)", "window_motor"),
        ("COMPRESSOR ASM-A/C", "ac_compressor"),
        ("COMPRESSOR ASSY, W/MOTOR", "electric_compressor"),
        ("CALIPER FOR EPB", "brake_caliper"),
    ],
)
def test_with_and_without(description: str, family: str | None) -> None:
    assert family_of(description) == family


@pytest.mark.parametrize("description", ["", "   ", "XYZ", "123-456", "N/A", "PT# SEE NOTES", "ÄÖÜ", "W/", "(", "-"])
def test_what_no_rule_knows_stays_unknown(description: str) -> None:
    assert RULES.by_description(description) == UNKNOWN


@given(st.text(max_size=60))
def test_any_text_is_read_without_error_and_twice_the_same(description: str) -> None:
    assert RULES.by_description(description) == RULES.by_description(description)


@pytest.mark.parametrize("family", sorted(MATERIALS.families))
def test_every_family_is_found_by_each_of_its_own_phrases(family: str) -> None:
    for phrase in MATERIALS.families[family].words:
        own = [word for word in phrase.split() if not word.startswith("+")]
        behind = [word[1:] for word in phrase.split() if word.startswith("+")]
        text = " ".join(own) + (" W/ " + " ".join(behind) if behind else "")
        assert family_of(text) == family, text


def test_more_words_are_surer_than_one() -> None:
    assert RULES.by_description("MTR ASY-WIPER").confidence == "M"
    assert RULES.by_description("ALTERNATOR").confidence == "L"


def test_record_comes_before_description_number_and_line() -> None:
    found = RULES.find("loudspeaker", "MTR ASY-WIPER", "85110-12345", "TOYOTA", "8421.32.00")
    assert (found.family, found.basis, found.confidence) == (MATERIALS.families["loudspeaker"], "record", "H")


def test_description_comes_before_number_and_line() -> None:
    found = RULES.find(None, "SPKR", "85110-12345", "TOYOTA", "8421.32.00")
    assert (found.family, found.basis) == (MATERIALS.families["loudspeaker"], "description")


def test_family_the_files_do_not_know_falls_back_to_the_description() -> None:
    found = RULES.find("widget", "SPKR", "1", None, None)
    assert (found.family, found.basis) == (MATERIALS.families["loudspeaker"], "description")


def test_number_names_the_family_where_words_are_silent() -> None:
    for brand, number, family in [
        ("Toyota", "85110-0E070", "wiper_motor"),
        ("FORD", "FL3Z-17508-A", "wiper_motor"),
        ("Motorcraft", "HL3Z5E212D", "catalytic_converter"),
        ("HONDA", "31100-5BA-A01", "alternator"),
        ("Kia", "39210-2J000", "oxygen_sensor"),
        ("NISSAN", "40206-6CA0A", "brake_rotor"),
    ]:
        found = RULES.find(None, "SEE BOOK", number, brand, None)
        assert (found.family and found.family.id, found.basis, found.confidence) == (family, "number", "L")


def test_number_without_its_maker_says_nothing() -> None:
    assert RULES.find(None, None, "85110-0E070", None, None) == UNKNOWN
    assert RULES.find(None, None, "85110-0E070", "HONDA", None) == UNKNOWN
    assert RULES.find(None, None, "39210-2J000", "NOKIA", None) == UNKNOWN


def test_line_names_the_family_last() -> None:
    found = RULES.find(None, None, "1", None, "8421.32.0000")
    assert (found.family, found.basis, found.confidence) == (MATERIALS.families["catalytic_converter"], "hts", "L")
    assert RULES.find(None, None, "1", None, "8708.99.81") == UNKNOWN
    assert RULES.find(None, None, "1", None, "8421") == UNKNOWN


@pytest.mark.parametrize(
    ("hts", "line"),
    [
        (None, None),
        ("01", None),
        ("02", None),
        ("8708", None),
        ("0101", None),
        ("9999.99", None),
        ("7708.10", None),
        ("9903.05.31", None),
        ("850511", "8505.11"),
        ("8505.11", "8505.11"),
        ("85182980", "8518.29.80"),
        ("8505.11.0070", "8505.11.0070"),
        ("8505110070", "8505.11.0070"),
    ],
)
def test_placeholders_and_headings_are_no_lines(hts: str | None, line: str | None) -> None:
    assert import_line(hts) == line


def test_own_line_comes_before_the_familys_hints() -> None:
    family = MATERIALS.families["eps_motor"]
    assert candidate_lines(None, family) == ("8501.31.40", "8708.94.75")
    assert candidate_lines("8708.94.75", family) == ("8708.94.75",)
    assert candidate_lines("8501.10.40", family) == ("8501.10.40",)
    assert candidate_lines(None, None) == ()


def test_six_digits_are_narrowed_by_the_family() -> None:
    assert candidate_lines("8501.31", MATERIALS.families["eps_motor"]) == ("8501.31.40",)
    assert candidate_lines("8501.10", MATERIALS.families["eps_motor"]) == ("8501.10",)
    assert candidate_lines("8505.11", None) == ("8505.11",)
