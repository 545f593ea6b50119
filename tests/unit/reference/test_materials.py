"""Materials: the shipped files hold what the sources say, and a broken file is refused by name."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from streams.reference import materials as module
from streams.reference import thresholds as thresholds_module
from streams.reference.loading import ROOT, ReferenceError
from streams.reference.materials import MaterialReference, load_materials


@pytest.fixture(scope="module")
def materials() -> MaterialReference:
    return load_materials()


# Oxide per metal, from the atomic masses of the IUPAC table, to check the factors of the file.
ATOMS = {
    "La": (138.905, 1, 1.5),
    "Ce": (140.116, 1, 2),
    "Pr": (140.908, 6, 11),
    "Nd": (144.242, 1, 1.5),
    "Sm": (150.36, 1, 1.5),
    "Eu": (151.964, 1, 1.5),
    "Gd": (157.25, 1, 1.5),
    "Tb": (158.925, 4, 7),
    "Dy": (162.500, 1, 1.5),
    "Y": (88.906, 1, 1.5),
}


def test_oxide_factors_follow_from_atomic_masses(materials: MaterialReference) -> None:
    assert set(materials.elements) == set(ATOMS)
    for symbol, (mass, metal, oxygen) in ATOMS.items():
        factor = (mass * metal + 15.999 * oxygen) / (mass * metal)
        assert materials.elements[symbol].oxide_factor == pytest.approx(factor, abs=0.001), symbol


def test_magnet_elements_are_the_five_that_magnets_hold(materials: MaterialReference) -> None:
    assert {symbol for symbol, row in materials.elements.items() if row.magnet} == {"Nd", "Pr", "Dy", "Tb", "Sm"}


# Fact sheet 3.2: kilograms of magnet and grams of element.
MACHINES = {
    "bev_pm_100": ((0.8, 1.2, 1.8), (180, 270, 430), (50, 78, 120), (4, 18, 90), (0, 3.6, 9)),
    "bev_pm_150": ((1.0, 1.8, 2.6), (220, 405, 620), (60, 117, 170), (5, 27, 130), (0, 5.4, 12)),
    "bev_pm_200": ((1.4, 2.4, 3.5), (310, 540, 840), (85, 156, 230), (7, 36, 175), (0, 7, 15)),
    "quad_pm_truck": ((4, 5, 6), (900, 1125, 1440), (250, 325, 400), (20, 75, 300), (0, 15, 30)),
    "phev_machines": ((0.5, 0.9, 1.6), (110, 200, 380), (30, 58, 105), (3, 18, 90), (0, 2, 6)),
    "hev_machines": ((0.5, 0.9, 1.4), (110, 200, 340), (30, 55, 95), (5, 40, 90), (0, 1, 5)),
    "belt_starter_generator": ((0, 0.15, 0.5), (0, 34, 120), (0, 10, 33), (0, 2, 15), (0, 0, 2)),
}


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_machine_holds_what_the_source_says(materials: MaterialReference, machine: str) -> None:
    kilograms, *elements = MACHINES[machine]
    component = materials.components[machine]
    assert component.magnet_g == pytest.approx(tuple(mass * 1000 for mass in kilograms))
    assert [component.grams[element] for element in ("Nd", "Pr", "Dy", "Tb")] == [tuple(row) for row in elements]
    assert component.total_g[1] == pytest.approx(sum(row[1] for row in elements))


def test_machine_without_magnets_holds_nothing(materials: MaterialReference) -> None:
    assert materials.components["magnet_free_machine"].total_g == (0, 0, 0)


def test_default_traction_grade_gives_the_machines_central_grams(materials: MaterialReference) -> None:
    grade = materials.grades["ndfeb_traction"]
    for machine in ("bev_pm_100", "bev_pm_150", "bev_pm_200", "quad_pm_truck"):
        component = materials.components[machine]
        for element, percent in grade.percent.items():
            assert component.grams[element][1] == pytest.approx(component.magnet_g[1] * percent[1] / 100, abs=0.3)


# Fact sheet 3.4: grams of rare earth in one part.
PARTS = {
    "eps_motor": (15, 45, 90),
    "electric_compressor": (25, 50, 90),
    "electric_pump": (2, 8, 25),
    "blower_motor": (0, 10, 40),
    "window_motor": (0, 0, 6),
    "comfort_motor": (0, 2, 8),
    "wiper_motor": (0, 0, 10),
    "starter": (0, 0, 30),
    "alternator": (0, 0, 20),
    "brake_motor": (0, 3, 12),
    "brake_booster": (8, 20, 45),
    "loudspeaker": (0, 4, 12),
    "loudspeaker_set": (5, 15, 35),
    "speed_sensor": (0, 0.3, 2),
    "ignition_coil": (0, 0.5, 3),
    "catalyst_petrol": (15, 50, 125),
    "catalyst_diesel": (5, 30, 100),
    "oxygen_sensor": (0.02, 0.15, 0.5),
    "led_lamp": (0.001, 0.01, 0.1),
    "display": (0.001, 0.02, 0.2),
    "battery_nimh": (1500, 2500, 4000),
    "battery_liion": (0, 0, 5),
    "glass": (0, 2, 60),
    "fuel_additive": (0, 0, 60),
    "trace": (0, 0, 1),
}


@pytest.mark.parametrize("part", sorted(PARTS))
def test_part_holds_what_the_source_says(materials: MaterialReference, part: str) -> None:
    assert materials.components[part].total_g == PARTS[part]


def test_every_component_of_the_sources_is_there_and_used(materials: MaterialReference) -> None:
    assert set(MACHINES) | set(PARTS) <= set(materials.components)
    in_vehicles = {row.component for row in materials.vehicle_bill} | {row.machine for row in materials.traction}
    in_parts = {item.component for family in materials.families.values() for item in family.items}
    assert set(materials.components) - in_vehicles - in_parts == {"magnet_free_machine"}


def test_elements_of_a_component_sum_to_its_total(materials: MaterialReference) -> None:
    for component in materials.components.values():
        sums = [sum(grams[column] for grams in component.grams.values()) for column in range(3)]
        assert sums[1] == pytest.approx(component.total_g[1]), component.id
        assert sums[0] <= component.total_g[0] + 1e-9, component.id
        assert sums[2] >= component.total_g[2] - 1e-9, component.id
        for grams in (*component.grams.values(), component.total_g, component.magnet_g):
            assert 0 <= grams[0] <= grams[1] <= grams[2], component.id


def test_rare_earth_fits_into_the_magnets(materials: MaterialReference) -> None:
    for component in materials.components.values():
        if component.grade is not None:
            assert component.total_g[1] < component.magnet_g[1] or component.magnet_g[1] == 0, component.id
            assert component.total_g[2] < component.magnet_g[2], component.id


def test_grades_hold_no_more_than_their_total(materials: MaterialReference) -> None:
    for grade in materials.grades.values():
        central = sum(percent[1] for percent in grade.percent.values())
        assert central == pytest.approx(grade.rare_earth_percent[1], abs=0.05), grade.id
        assert sum(percent[0] for percent in grade.percent.values()) <= grade.rare_earth_percent[1], grade.id


def test_prices_are_those_quoted(materials: MaterialReference) -> None:
    quoted = {(row.element, row.market, row.date.isoformat()): row.central for row in materials.oxide_prices}
    assert quoted["Nd", "china", "2026-02-02"] == 93
    assert quoted["Dy", "china", "2026-02-02"] == 169
    assert quoted["Tb", "china", "2026-02-02"] == 777
    assert quoted["Y", "china", "2026-02-02"] == 9.8
    assert quoted["Dy", "china", "2025-09-25"] == 201
    assert quoted["Dy", "outside_china", "2026-04-01"] == 189
    assert quoted["Tb", "outside_china", "2026-04-01"] == 840


def test_thin_european_asks_are_no_prices(materials: MaterialReference) -> None:
    highest = {"Dy": 300, "Tb": 1000, "Y": 20}
    for row in materials.oxide_prices:
        assert row.high <= highest.get(row.element, 120), row


def test_shares_are_percents_and_heavy_elements_are_refined_in_china(materials: MaterialReference) -> None:
    for row in materials.china_shares:
        assert row.high <= 100, row
    refined = {row.of: row for row in materials.china_shares if row.stage == "refine"}
    assert all(refined[element].low >= 98 for element in ("Dy", "Tb", "Y"))
    assert {
        (row.of, row.central) for row in materials.china_shares if row.stage == "magnet" and not row.goods_origin
    } == {
        ("ndfeb", 94),
        ("smco", 82.5),
    }


def test_every_source_key_is_in_the_table_of_sources() -> None:
    with (ROOT / "sources.csv").open(encoding="utf-8", newline="") as file:
        known = {row["key"] for row in csv.DictReader(file)}
    cited = set()
    for path in [*module.DATA.iterdir(), *module.PARTS.iterdir(), thresholds_module.FILE]:
        cited |= set(re.findall(r"\bS[0-9]{2}\b", path.read_text("utf-8")))
    assert {"S50", "S60", "S65"} <= cited <= known


def test_families_name_lines_of_eight_digits_and_their_words_are_spelt_out(materials: MaterialReference) -> None:
    short = {written for written, meant in materials.abbreviations.items() if meant != (written,)}
    for family in materials.families.values():
        for phrase in family.words:
            assert not {word.removeprefix("+") for word in phrase.split()} & short, (family.id, phrase)


def test_a_magnet_family_usually_holds_rare_earth_magnets_and_the_others_do_not(materials: MaterialReference) -> None:
    for family in materials.families.values():
        magnets = sum(
            materials.components[item.component].magnet_g[1] * item.quantity[1]
            for item in family.items
            if materials.components[item.component].grade is not None
        )
        if family.kind == "magnet":
            assert magnets > 0, family.id
        elif family.kind == "none":
            held = {item.component: item.quantity[1] for item in family.items}
            mostly_other = {"speed_sensor", "electric_pump", "comfort_motor"}
            assert magnets == 0 or set(held) <= mostly_other, family.id


def test_no_phrase_names_two_families(materials: MaterialReference) -> None:
    seen: dict[frozenset[str], str] = {}
    for family in materials.families.values():
        for phrase in family.words:
            other = seen.setdefault(frozenset(phrase.split()), family.id)
            assert other == family.id, f"{phrase}: {other} and {family.id}"


def test_every_number_pattern_names_a_maker_and_a_family(materials: MaterialReference) -> None:
    for row in materials.number_patterns:
        assert row.brands.replace("|", "").isalpha()
        assert row.family in materials.families


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the data that a test may break."""
    shutil.copytree(module.DATA, tmp_path / "data")
    shutil.copytree(module.PARTS, tmp_path / "parts")
    shutil.copy(thresholds_module.FILE, tmp_path / "thresholds.toml")
    monkeypatch.setattr(module, "DATA", tmp_path / "data")
    monkeypatch.setattr(module, "PARTS", tmp_path / "parts")
    monkeypatch.setattr(thresholds_module, "FILE", tmp_path / "thresholds.toml")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("data/components.toml", "[15, 45, 90]", "[45, 15, 90]", r"components\.toml: .*eps_motor.*rise from low"),
        ("data/components.toml", "Nd = [73, 76, 78]", "Nd = [73, 70, 78]", r"eps_motor.*rise from low|sums to"),
        (
            "data/components.toml",
            "Nd = [73, 76, 78]",
            "Nd = [73, 75, 78]",
            r"eps_motor: central split_percent sums to 99",
        ),
        ("data/components.toml", 'magnet = "ndfeb_warm"', 'magnet = "ndfeb_hot"', "unknown magnet grade ndfeb_hot"),
        ("data/components.toml", 'id = "starter"', 'id = "eps_motor"', "eps_motor: stands twice"),
        ("data/components.toml", "Ce = [85, 87, 90]", "Xx = [85, 87, 90]", "unknown element Xx"),
        (
            "data/machines.toml",
            "magnet_kg = [0.8, 1.2, 1.8]",
            "magnet_kg = [0.2, 0.3, 0.4]",
            "bev_pm_100: grams exceed",
        ),
        ("data/oxide_prices.csv", "Tb,outside_china", "Dy,outside_china", "Tb: no price for market outside_china"),
        ("data/china_shares.csv", "refine,Gd", "refine,Eu", "Gd: no share for stage refine"),
        ("data/vehicle_bill.csv", "all,,eps_motor", "all,,eps_moter", "unknown component eps_moter"),
        ("data/traction.csv", "quad_pm_truck", "quad", "unknown machine quad"),
        ("data/elements.csv", "1.173", "0.9", r"elements\.csv: line 2: oxide_factor"),
        ("parts/families.toml", 'component = "glass"', 'component = "glas"', "glass: unknown component glas"),
        ("parts/families.toml", 'lines = ["8421.32.00"]', 'lines = ["842132"]', r"families\.toml.*lines"),
        ("parts/number_patterns.csv", ",loudspeaker,", ",speaker,", "unknown family speaker"),
        (
            "thresholds.toml",
            "weeks_of_cover_below = 9.0",
            "",
            "stockout_before_supply: weeks_of_cover_below is missing",
        ),
        ("thresholds.toml", 'id = "origin_unknown"', 'id = "origin_unclear"', "no .* for origin_unknown"),
    ],
)
def test_broken_data_is_refused_by_file_record_and_reason(
    copy: Path, file: str, old: str, new: str, message: str
) -> None:
    path = copy / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ReferenceError, match=message):
        load_materials()
