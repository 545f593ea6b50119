"""VINs whose answer was decided from the fact sheet before lotrisk was asked (its sections 3, 5 and 8).

`golden_vins.csv`: an empty cell is not asked, `-` is null; `row` names the rows of the fact sheet that it stands for.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from streams.cli._explain_vehicle import explain_vin
from streams.cli.explain import register
from streams.enrich.context import Context
from streams.policy.book import build_book
from streams.reference import load

REFERENCE = load()
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, date(2026, 10, 1)))
with (Path(__file__).with_name("golden_vins.csv")).open() as file:
    CASES = list(csv.DictReader(file))
ASKED = ("origin", "hts", "powertrain", "traction_magnets", "battery_chemistry")

ROWS = {
    "3.2": "BEV PMSM, HEV, PHEV, belt starter-generator, induction, quad-motor PM truck",
    "3.3": "Audi, BMW 5th-gen, BMW 6th-gen, GM BEV3, Mercedes, Nissan, Renault, Tesla, VW MEB AWD, nearly all PM",
    "8.13 magnet-free:": "RAV4 EV, smart 453, B-Class",
    "8.13 mixed:": (
        "Polestar 2 from 2024, EQB, Equinox EV, Blazer EV, Prologue, Optiq, ID.4, Q4, Q6, Cybertruck, "
        "Model S and X 2019-20"
    ),
    "8.13 magnets:": (
        "smart ED, Polestar 2 before 2024, Model S and X from 2021, i3, i8, BMW and Mini PHEV, Cooper SE F56"
    ),
    "8.13 nimh:": (
        "RAV4 position 5 W, Camry 4T1B21, Prius AWD-e, Highlander, Sienna, Tundra, Tacoma, Crown, Land Cruiser, CX-50"
    ),
    "8.13 liion:": "RAV4 position 5 6, Camry 4T1B31, Prius front drive, Ford from 2013",
}
"""The rows of the fact sheet's tables 3.2, 3.3 and of 8.13, typed from it."""


def test_every_row_of_3_2_3_3_and_8_13_has_its_vin() -> None:
    wanted = {f"{section} {row}" for section, rows in ROWS.items() for row in rows.split(", ")}
    assert {row for case in CASES for row in case["row"].split(";") if row} == wanted


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    """One run of `lotrisk explain --stdin --json` over all."""
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    vins = "".join(case["vin"] + "\n" for case in CASES)
    ran = CliRunner().invoke(app, ["explain", "--stdin", "--json", "--on", "2026-10-01"], input=vins)
    assert ran.exit_code == 0
    found = [orjson.loads(line) for line in ran.stdout.splitlines()]
    assert [one["vin"] for one in found] == [case["vin"] for case in CASES]
    return {case["what"]: one for case, one in zip(CASES, found, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_the_vin_says_what_the_fact_sheet_says(case: dict[str, str], answers: dict[str, dict[str, Any]]) -> None:
    found = answers[case["what"]]
    asked = {name: None if case[name] == "-" else case[name] for name in ASKED if case[name]}
    assert {name: found[name] for name in asked} == asked
    if asked.get("hts"):
        assert found["hts_candidates"] == [asked["hts"]]
    if case["warning"]:
        assert any(warning.startswith(case["warning"]) for warning in found["warnings"])
    if case["missing_fact"]:
        assert case["missing_fact"] in found["missing_facts"]


@pytest.mark.parametrize(
    ("what", "component", "pieces"),
    [
        ("Ford Focus Electric", "bev_pm_150", [1, 1.35, 2]),
        ("E-Golf 2016", "bev_pm_100", [1, 1, 1]),
        ("VW ID.4 2023 of Chattanooga rear drive", "bev_pm_150", [1, 1, 1]),
        ("Mach-E 2022 of Cuautitlan", "bev_pm_200", [1, 1, 1]),
        ("VW ID.4 2023 AWD", "bev_pm_150", [1, 1, 1]),
        ("Rivian R1S quad motor", "quad_pm_truck", [1, 1, 1]),
        ("BMW 330e holds magnets", "phev_machines", [1, 1, 1]),
        ("Accord Hybrid 2021", "hev_machines", [1, 1, 1]),
        ("RAM 1500 eTorque has no level", "belt_starter_generator", [1, 1, 1]),
        ("Tesla Model S 2016 is induction only", "magnet_free_machine", [1, 1, 1]),
    ],
)
def test_each_machine_of_3_2_is_in_the_bill_of_a_vin(
    what: str, component: str, pieces: list[float], answers: dict[str, dict[str, Any]]
) -> None:
    machines = {item["component"]: item["quantity"] for item in answers[what]["bill"]}
    assert machines[component] == pieces


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5LMPJ8J4RJ946299", "16 characters"),
        ("5LMPJ8JA1RJ9462991", "18 characters"),
        ("5LMPJ8JA1RI946299", "holds I"),
        ("5LMPJ8JA1RO946299", "holds O"),
        ("5LMPJ8JA1RQ946299", "holds Q"),
        ("5LMPJ8JA1R-946299", "holds -"),
        ("9F02M123456", "11 characters"),
        ("5LMPJ8JA1RJ94629É", "holds É"),
    ],
)
def test_what_is_no_vin_says_why(text: str, words: str) -> None:
    found = explain_vin(text, CONTEXT)
    assert words in found["error"]
    assert (found["origin"], found["hts"], found["powertrain"]) == (None, None, "unknown")


def test_lower_case_and_blanks_are_forgiven() -> None:
    assert explain_vin(" 5lmpj8ja1rj946299 ", CONTEXT)["origin"] == "CN"
