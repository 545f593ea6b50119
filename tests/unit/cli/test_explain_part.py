"""`lotrisk explain --part`: what is said agrees with the enriched record, and what can't be said is not made up."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from streams.cli._explain_part import explain_part
from streams.cli.explain import register
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part
from streams.policy.book import build_book
from streams.reference import load

REFERENCE = load()
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, date(2026, 10, 1)))

APP = typer.Typer()
register(APP)
APP.command("other")(lambda: None)  # with two commands each is called by its name

PARTS: dict[str, dict[str, Any]] = {
    "speaker": {
        "description": "SPKR",
        "hts": "8518.29.80",
        "country_of_origin": "CN",
        "part_kind": "oe",
        "cost_usd": "40.00",
        "qty_on_hand": 1,
        "demand_12m": 52,
        "entry_date": "2026-10-01",
    },
    "two lines": {"description": "MOTOR, POWER STEERING", "country_of_origin": "JP", "cost_usd": "99.90"},
    "no origin": {"description": "SENSOR-OXY", "cost_usd": "99.90"},
    "unknown": {"description": "XYZ"},
    "rebuilt": {"description": "ALTERNATOR", "part_kind": "reman", "country_of_origin": "CN"},
    "made here": {"description": "OIL FILTER", "country_of_origin": "US", "cost_usd": "4.10", "qty_on_hand": 3},
}


@pytest.mark.parametrize("name", sorted(PARTS))
def test_explanation_agrees_with_the_enriched_record(name: str) -> None:
    stated = PARTS[name]
    found = enrich_part(b"explain:P-1", orjson.dumps({"dealer_id": "explain", "part_number": "P-1", **stated}), CONTEXT)
    assert isinstance(found, Enriched)
    record = orjson.loads(found.value)
    shown = orjson.loads(orjson.dumps(explain_part("P-1", CONTEXT, **stated)))
    for field in ("family", "exposure", "flags", "warnings", "confidence", "book"):
        assert shown[field] == record[field], field
    assert set(shown["missing_facts"]) == set(record["missing_facts"])
    assert shown["hts"] == record["classification"]["hts"]
    assert shown["customs_value_usd"] == record["tariff"]["customs_value_usd"]
    for view, duty in record["tariff"]["importer_duty"].items():
        if stated.get("country_of_origin") == "US" or duty is None:
            assert shown["importer_duty"][view] is None
            continue
        assert shown["importer_duty"][view]["total_usd"] == duty["total_usd"]
        assert {row["measure"]: row["amount_usd"] for row in shown["importer_duty"][view]["components"]} == duty[
            "components"
        ]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(APP, ["explain", *arguments, "--on", "2026-10-01"], env={"COLUMNS": "200"})
    return (result.exit_code, result.output)


def test_text_names_family_line_grams_duty_and_what_is_missing() -> None:
    code, text = run(
        "--part", "FL3Z-3504-A", "--description", "GEAR ASM-ELEC PWR STRG", "--origin", "CN", "--cost", "840",
        "--part-kind", "oe", "--quantity", "1", "--demand", "12", "--last-received", "2026-08-01",
    )  # fmt: skip
    assert code == 0
    for expected in ("8708.94.75", "15 / 45 / 90", "52.5", "$242.55", "CN-18: Tb, Dy", "stockout_before_supply"):
        assert expected in text
    assert "magnet_origin" in text


def test_unknown_part_is_said_to_be_unknown() -> None:
    code, text = run("--part", "1", "--description", "XYZ")
    assert code == 0
    assert "Rare earths: can't be said" in text
    assert "Importer's duty, replacement: can't be said" in text


def test_part_made_here_says_so() -> None:
    code, text = run("--part", "1", "--description", "OIL FILTER", "--origin", "US")
    assert code == 0
    assert "made in the US" in text


def test_json_is_one_object() -> None:
    code, text = run("--part", "1", "--description", "SPKR", "--json")
    assert code == 0
    assert json.loads(text)["family"] == "loudspeaker"


def test_field_the_contract_refuses_is_named() -> None:
    code, text = run("--part", "1", "--cost", "forty")
    assert code == 1
    assert "cost_usd" in text


def test_a_part_and_a_vin_together_are_refused() -> None:
    assert run("1HGCM82633A004352", "--part", "1")[0] == 2
