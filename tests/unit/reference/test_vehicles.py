"""The vehicle reference loads whole, and a broken file is refused by file, record and field."""

from __future__ import annotations

import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from streams.reference import vehicles
from streams.reference.loading import ReferenceError
from streams.reference.vehicles import FOLDER, load_vehicles

VEHICLES = load_vehicles()
TABLES = ("drives", "batteries", "kinds", "lines", "weights", "powertrains", "builds", "customs_value", "entry_dates")


@pytest.mark.parametrize("table", TABLES)
def test_every_row_has_a_source_and_a_confidence(table: str) -> None:
    rows = getattr(VEHICLES, table)
    assert rows
    for row in rows:
        assert row.source
        assert row.confidence in ("H", "M", "L")


@pytest.mark.parametrize("table", ["drives", "batteries", "kinds", "weights", "powertrains", "builds", "ignitions"])
def test_years_run_forward(table: str) -> None:
    for row in getattr(VEHICLES, table):
        if row.first_year is not None and row.last_year is not None:
            assert row.first_year <= row.last_year, row


def test_every_powertrain_has_a_word_on_magnets_and_a_line() -> None:
    for powertrain in ("ICE", "MHEV", "HEV", "PHEV", "BEV", "FCEV"):
        assert any(row.powertrain == powertrain and row.make is None for row in VEHICLES.drives), powertrain
        for kind in ("passenger", "goods"):
            assert any(row.powertrain == powertrain and row.kind == kind for row in VEHICLES.lines), powertrain


@pytest.mark.parametrize(("kind", "ignition"), [("passenger", "petrol"), ("passenger", "diesel")])
def test_displacement_brackets_meet_without_gap_or_overlap(kind: str, ignition: str) -> None:
    rows = sorted(
        (row for row in VEHICLES.lines if (row.kind, row.powertrain, row.ignition) == (kind, "ICE", ignition)),
        key=lambda row: row.over_cc or 0,
    )
    assert rows[0].over_cc is None
    assert rows[-1].to_cc is None
    assert [row.to_cc for row in rows[:-1]] == [row.over_cc for row in rows[1:]]


def test_the_passenger_lines_of_note_33b_are_spelt_as_printed() -> None:
    printed = {
        *("8703.22.01", "8703.23.01", "8703.24.01", "8703.31.01", "8703.32.01", "8703.33.01", "8703.40.00"),
        *("8703.50.00", "8703.60.00", "8703.70.00", "8703.80.00", "8704.21.01", "8704.31.01", "8704.41.00"),
        *("8704.51.00", "8704.60.00"),
    }
    assert printed <= {row.hts for row in VEHICLES.lines}


def test_the_customs_value_of_2_8_and_japans_own() -> None:
    general = next(row for row in VEHICLES.customs_value if row.origin is None)
    assert (general.low, general.central, general.high) == (Decimal("0.65"), Decimal("0.78"), Decimal("0.88"))
    japan = next(row for row in VEHICLES.customs_value if row.origin == "JP")
    assert japan.low < general.low
    assert Decimal("0.60") <= japan.central <= Decimal("0.63")
    assert japan.first == date(2025, 4, 3)


def test_the_us_content_and_the_offset_are_those_of_the_fact_sheet() -> None:
    (content,) = VEHICLES.us_content
    assert (content.low, content.central, content.high) == (Decimal("0.30"), Decimal("0.40"), Decimal("0.60"))
    assert set(content.origins) == {"CA", "MX"}
    assert VEHICLES.us_built.offset_percent == Decimal("3.75")


def test_a_correction_names_a_country_that_vpic_spells_so() -> None:
    for city, decoded in VEHICLES.plants:
        assert city
        assert decoded in VEHICLES.countries or decoded in ("JAMAICA", "AUSTRALIA")


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("lines.csv", "8703.23.01", "8703.23", ("lines.csv", "line 2", "hts")),
        ("drives.csv", "BEV,,no,", "BEV,,perhaps,", ("drives.csv", "traction_magnets")),
        ("customs_value.csv", "0.65,0.78", "0.95,0.78", ("customs_value.csv", "line 2", "in order")),
        ("plants.csv", ",CA,", ",CAN,", ("plants.csv", "country")),
        ("assumptions.toml", "offset_percent = 3.75\n", "", ("assumptions.toml", "imported-parts", "offset_percent")),
        ("assumptions.toml", "[[us_built]]", "[[us_made]]", ("assumptions.toml", "[[us_built]]")),
    ],
)
def test_a_broken_file_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, words: tuple[str, ...]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(FOLDER, folder)
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), "utf-8")
    monkeypatch.setattr(vehicles, "FOLDER", folder)
    with pytest.raises(ReferenceError) as refused:
        load_vehicles()
    for word in words:
        assert word in str(refused.value)
