"""Each golden case comes out of `lotrisk estimate --csv`, with parts that add up to it."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from streams.cli.estimate import register

from .golden_cases import CASES

ROWS = [line.split() for table in CASES for line in table.strip().splitlines()]
COLUMNS = ("hts", "origin", "entry_date", "value", "usmca", "us_content", "claim", "known_at", "in_transit_date",
           "metal_share", "us_metal_share", "hts98")  # fmt: skip
FACTS = {"us": "us_content", "metal": "metal_share", "usmetal": "us_metal_share", "loaded": "in_transit_date",
         "known": "known_at", "98": "hts98"}  # fmt: skip
USMCA = {"usmca": "true", "no-usmca": "false"}


def cells(row: list[str]) -> dict[str, str]:
    line, origin, day, words, _ = row
    found = {"hts": line, "origin": origin, "entry_date": day, "value": "12345.67"}
    claims = []
    for word in words.split(",") if words != "-" else ():
        name, _, value = word.partition("=")
        if word in USMCA:
            found["usmca"] = USMCA[word]
        elif name in FACTS:
            found[FACTS[name]] = value
        else:
            claims.append(word)
    return {**found, "claim": " ".join(claims)}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    path = tmp_path_factory.mktemp("golden") / "cases.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(cells(row) for row in ROWS)
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, ["--csv", str(path)])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_there_is_one_answer_a_case(answers: list[dict[str, Any]]) -> None:
    assert len(ROWS) > 400
    assert [answer["row"] for answer in answers] == list(range(2, len(ROWS) + 2))


@pytest.mark.parametrize("number", [pytest.param(number, id=" ".join(row)) for number, row in enumerate(ROWS)])
def test_the_total_is_the_one_typed(number: int, answers: list[dict[str, Any]]) -> None:
    answer, wanted = answers[number], ROWS[number][-1]
    assert ("error" in answer) == (wanted == "!")
    if wanted in ("?", "!"):
        assert answer["total_rate_percent"] is None
        return
    assert Decimal(str(answer["total_rate_percent"])) == Decimal(wanted)
    assert sum(Decimal(str(part["rate_percent"])) for part in answer["components"]) == Decimal(wanted)
    assert sum(Decimal(part["amount"]) for part in answer["components"]) == Decimal(answer["total_duty"])
    assert Decimal(answer["total_duty_low"]) <= Decimal(answer["total_duty"]) <= Decimal(answer["total_duty_high"])


def test_rows_come_from_standard_input_too() -> None:
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, ["--csv", "-"], input="hts,origin,entry_date,value\n8703.23,JP,2026-10-01,100\n")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["total_duty"] == "15.00"
