"""`lotrisk policy`: what is in force, one measure in full, what changed, and a picture over time."""

from __future__ import annotations

import json
import struct
import sys
import xml.etree.ElementTree as ElementTree
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from streams.cli.policy import register


def run(*arguments: str) -> Result:
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["policy", *arguments])


def read(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("day", "measure", "standing"),
    [
        ("2026-10-01", "232-AUTO", "in force"),
        ("2026-10-01", "S122", "past"),
        ("2026-07-23", "S122", "in force"),
        ("2026-07-23", "S301-FL-CN", "signed"),
        ("2026-10-01", "232-EU-25", "announced"),
        ("2026-10-01", "301-L4B", "not in force"),
        ("2026-10-01", "301-SEMI-2027", "signed"),
        ("2026-10-01", "CN-57", "suspended"),
        ("2026-11-24", "CN-57", "review_required"),
        ("2025-11-01", "CN-100", "withdrawn"),
        ("2026-10-01", "S301-CAP", "open"),
    ],
)
def test_a_measure_is_listed_with_where_it_stands(day: str, measure: str, standing: str) -> None:
    rows = {row["id"]: row for row in read("list", "--on", day, "--all")}
    assert rows[measure]["standing"] == standing
    shown = {row["id"] for row in read("list", "--on", day)}
    assert (measure in shown) == (standing not in ("past", "not yet", "not in force", "withdrawn"))


def test_a_rate_is_listed_as_it_is_that_day() -> None:
    rates = {row["id"]: row["rate_on_day"] for row in read("list", "--on", "2025-03-10")}
    assert rates["IEEPA-FENT-CN"] == "20"
    assert rates["MFN"] == "by line"
    rates = {row["id"]: row["rate_on_day"] for row in read("list", "--on", "2026-10-01")}
    assert rates["232-JP-V"] == "to 15"
    assert rates["S301-FL-OTHER"] == "0 to 12.5"


def test_the_list_as_known_on_a_day_lacks_what_was_not_published() -> None:
    known = {row["id"] for row in read("list", "--on", "2025-09-01", "--known-at", "2025-09-01", "--all")}
    assert "232-EU-V" not in known
    assert "232-AUTO" in known
    assert "232-EU-V" in {row["id"] for row in read("list", "--on", "2025-09-01", "--all")}


def test_the_list_is_printed() -> None:
    result = run("list", "--on", "2026-10-01")
    assert "232-AUTO" in result.stdout
    assert "2026-09-29" in result.stdout


def test_a_measure_is_shown_with_its_sources_in_full_and_its_rules() -> None:
    text = run("show", "232-eu-v").stdout
    for word in (
        "9903.94.51",
        "Harmonized Tariff Schedule of the United States, 2026 Revision 10",
        "ST-1",
        "2025-09-25",
    ):
        assert word in text.replace("\n", " ")
    document = read("show", "232-EU-V")
    assert document["replaces"] == ["232-AUTO"]
    assert {rule["id"] for rule in document["stacking"]} >= {"ST-1", "ST-4", "ST-8"}


def test_an_unknown_measure_names_its_neighbours() -> None:
    result = run("show", "232-EU-W")
    assert result.exit_code == 1
    assert "232-EU-V" in result.stderr


def test_the_difference_of_two_days_has_each_measure() -> None:
    document = read("diff", "8708.29.51", "CN", "2025-10-15", "2026-10-01", "--claim", "auto-part")
    assert document["total_rate_percent"] == [72.5, 52.5]
    changes = {row["measure"]: (row["before"], row["after"]) for row in document["changes"]}
    assert changes["IEEPA-FENT-CN"] == (20.0, None)
    assert changes["232-PART"] == (25.0, 25.0)
    assert "IEEPA-FENT-CN" in run("diff", "8708.29.51", "CN", "2025-10-15", "2026-10-01").stdout


def test_a_timeline_tiles_the_days() -> None:
    rows = read("timeline", "8708.29.51", "CN", "--claim", "auto-part", "--from", "2018-01-01", "--to", "2026-10-01")
    assert rows[0]["from"] == "2018-01-01"
    assert rows[-1]["to"] == "2026-10-01"
    for before, after in pairwise(rows):
        assert date.fromisoformat(after["from"]) == date.fromisoformat(before["to"]) + timedelta(days=1)
    totals = {row["from"]: row["total_rate_percent"] for row in rows}
    assert totals["2025-05-03"] == 72.5
    assert totals["2026-02-24"] == 52.5
    assert "72.5" in run("timeline", "8708.29.51", "CN").stdout


def test_a_picture_has_a_step_for_each_rate_and_a_band_for_what_is_open(tmp_path: Path) -> None:
    path = tmp_path / "line.svg"
    result = run("timeline", "8708.29.51", "CN", "--to", "2026-10-01", "--svg", str(path))
    assert result.exit_code == 0
    picture = ElementTree.fromstring(path.read_text("utf-8"))
    texts = {element.text for element in picture.iter() if element.text}
    assert {"2.5", "27.5", "72.5", "52.5"} <= texts
    assert any(element.get("fill-opacity") for element in picture.iter())


def test_a_picture_of_a_line_without_an_answer_is_still_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "line.svg"
    assert run("timeline", "9503.00.00", "CN", "--svg", str(path)).exit_code == 0
    assert ElementTree.fromstring(path.read_text("utf-8")).tag.endswith("svg")


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--on", "yesterday"),
        ("list", "--known-at", "2026-02-30"),
        ("diff", "870", "CN", "2025-10-15", "2026-10-01"),
        ("diff", "8703.23", "Atlantis", "2025-10-15", "2026-10-01"),
        ("diff", "8703.23", "CN", "2025-10-15", "2199-10-01"),
        ("diff", "8703.23", "CN", "2025-10-15", "2026-10-01", "--usmca"),
        ("timeline", "8703.23", "JP", "--from", "2026-01-01", "--to", "2025-01-01"),
        ("timeline", "8703.23", "JP", "--from", "2010-01-01"),
        ("timeline", "8703.23", "JP", "--claim", "korus"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.strip()


def test_a_line_s_rate_over_time_is_a_picture_in_pixels(tmp_path: Path) -> None:
    path = tmp_path / "line.png"
    result = run("timeline", "8501.53.80", "MX", "--from", "2024-06-01", "--to", "2026-10-01", "--png", str(path))
    assert result.exit_code == 0
    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert (width, height) == (1440, 624)
    assert f"wrote {path}" in result.stderr


def test_without_matplotlib_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    path = tmp_path / "line.png"
    result = run("timeline", "8708.29.51", "CN", "--png", str(path))
    assert result.exit_code == 1
    assert "pip install 'lotrisk[pictures]'" in result.stderr
    assert not path.exists()
