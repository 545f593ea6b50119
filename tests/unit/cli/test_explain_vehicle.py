"""`lotrisk explain`: agrees with the enriched record, one object a line, and a text one can recompute from."""

from __future__ import annotations

import json
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from streams.cli._explain_vehicle import explain_vin
from streams.cli.explain import register
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched
from streams.enrich.vehicle import enrich_vehicle
from streams.policy.book import build_book
from streams.reference import load

REFERENCE = load()
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, date(2026, 10, 1)))

APP = typer.Typer()
register(APP)
APP.command("other")(lambda: None)  # with two commands each is called by its name

NAUTILUS = "5LMPJ8JA1RJ946299"
MAVERICK = "3FTTW8H38SRA86038"
ACCORD = "1HGCM82633A004352"
ETORQUE = "1C6SRFFG3LN123456"
HARLEY = "1HD1KED1XHB615555"
RENAULT = "VF1RFB00023456789"


def run(*arguments: str, stdin: str | bytes | None = None) -> Any:
    return CliRunner().invoke(APP, ["explain", *arguments], input=stdin)


@pytest.mark.parametrize("vin", [NAUTILUS, MAVERICK, ACCORD, ETORQUE, HARLEY, RENAULT])
def test_explanation_agrees_with_the_enriched_record(vin: str) -> None:
    stated = {"msrp_usd": "40000.00", "stock_class": "new", "in_stock_date": "2026-08-01"}
    shown = orjson.loads(orjson.dumps(explain_vin(vin, CONTEXT, **stated)))
    found = enrich_vehicle(
        f"explain:{vin}".encode(), orjson.dumps({"dealer_id": "explain", "vin": vin, **stated}), CONTEXT
    )
    assert isinstance(found, Enriched), found
    record = orjson.loads(found.value)
    assert shown["origin"] == record["origin"]["country"]
    assert shown["hts"] == record["classification"]["hts"]
    assert shown["exposure"] == record["exposure"]
    assert shown["customs_value_usd"] == record["tariff"]["customs_value_usd"]
    for field in ("missing_facts", "warnings", "confidence", "book"):
        assert shown[field] == record[field], field
    for field in ("powertrain", "traction_magnets", "battery_chemistry"):
        assert shown[field] == record["decoded"][field], field
    for name, view in record["tariff"]["importer_duty"].items():
        said = shown["importer_duty"][name]
        assert (said is None) is (view is None)
        if view is not None:
            assert said["total_usd"] == view["total_usd"]
            assert {one["measure"]: one["amount_usd"] for one in said["components"]} == view["components"]


def test_many_vins_give_one_object_a_line_in_order_and_a_bad_one_its_error() -> None:
    result = run("--stdin", "--on", "2026-10-01", stdin=f"{NAUTILUS}\n\n  {ACCORD.lower()}  \nNOT A VIN\n{ETORQUE}")
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["vin"] for one in found] == [NAUTILUS, ACCORD, "NOT A VIN", ETORQUE]
    asked = {
        *("vin", "origin", "hts", "hts_candidates", "powertrain", "traction_magnets", "battery_chemistry"),
        *("rare_earth_g", "missing_facts", "warnings"),
    }
    for one in found:
        assert asked <= set(one)
    assert set(found[0]["rare_earth_g"]) == {"low", "central", "high"}
    assert "has 9 characters" in found[2]["error"]
    assert (found[3]["hts"], found[3]["hts_candidates"]) == (None, ["8704.31.01", "8704.51.00"])


def test_bytes_that_are_no_text_do_not_stop_the_rest() -> None:
    result = run("--stdin", "--on", "2026-10-01", stdin=b"\xef\xbb\xbf" + NAUTILUS.encode() + b"\n\xff\xfe\n")
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["origin"] == "CN"
    assert "error" in second


def test_the_readings_let_one_recompute_every_amount() -> None:
    shown = explain_vin(NAUTILUS, CONTEXT, msrp_usd="58000.00", stock_class="new", entry_date="2026-06-01")
    view = shown["importer_duty"]["replacement"]
    (reading,) = shown["readings"]
    cent = Decimal("0.01")
    for column, share in enumerate(shown["customs_value_share"]):
        value = (Decimal(58_000) * Decimal(str(share))).quantize(cent, ROUND_HALF_UP)
        assert shown["customs_value_usd"][column] == str(value)
        amounts = [
            (value * Decimal(one["rate_percent"]) / 100).quantize(cent, ROUND_HALF_UP) for one in reading["components"]
        ]
        assert [one["amount_usd"][column] for one in view["components"]] == [str(amount) for amount in amounts]
        assert view["total_usd"][column] == str(sum(amounts))
    assert all(one["authority"] for one in reading["components"])
    assert any(entry["rule"] == "ST-4" for entry in reading["not_applied"])


def test_the_text_names_origin_line_bill_controls_duty_and_what_is_missing() -> None:
    result = run(MAVERICK, "--msrp", "30000", "--in-stock-date", "2026-08-01", "--on", "2026-10-01")
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    for words in (
        "HERMOSILLO, MEXICO",
        "MX (by plant, H)",
        "8704.51.00",
        "because powertrain HEV",
        "Bill of what holds rare earths",
        "0.1% rule",
        "Customs value: MSRP $30000 times 0.65 / 0.78 / 0.88",
        "Importer's duty, replacement",
        "232-AUTO-USMCA",
        "no USMCA claim",
        "Missing facts: ",
        "us_content_share",
        "not for customers",
    ):
        assert words in text, words


def test_a_us_built_cars_text_says_that_the_duty_is_in_its_parts() -> None:
    text = " ".join(run(ACCORD, "--msrp", "40000", "--on", "2026-10-01").stdout.split())
    said = "0% / 20% / 40% of MSRP at 15% / 20% / 25%; the maker's offset of 3.75%"
    for words in ("232-PART", "232-OFFSET", "imported_parts_content", "not imported", said):
        assert words in text, words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((NAUTILUS, "--msrp", "much"), "msrp_usd"),
        (("1HGCM82633A00435",), "has 16 characters"),
    ],
)
def test_what_is_wrong_is_said_and_the_exit_code_is_1(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments, "--on", "2026-10-01")
    assert result.exit_code == 1
    assert words in result.output


@pytest.mark.parametrize("arguments", [(), (NAUTILUS, "--stdin"), (NAUTILUS, "--part", "1")])
def test_one_thing_is_explained_at_a_time(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_what_is_only_threatened_stands_apart() -> None:
    found = explain_vin("KM8JBDA2XRU000001", CONTEXT, msrp_usd="30000.00")
    threat = found["threatened"]["232-KR-25"]
    assert (threat["legal_status"], threat["added_usd"]) == ("announced", ["0.00", "2925.00", "3300.00"])
    shown = run("KM8JBDA2XRU000001", "--msrp", "30000", "--on", "2026-10-01").stdout
    assert "Threatened, in no total: 232-KR-25, announced (said 2026-01-26)" in shown
    assert run("KM8JBDA2XRU000001", "--on", "2026-01-25").stdout.count("Threatened") == 0
