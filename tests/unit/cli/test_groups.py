"""The tables of `lotrisk groups`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli import commands
from streams.cli import groups as command

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples" / "enriched-group" / "valid"
GROUPS: dict[str, Any] = {
    (group := json.loads(path.read_text("utf-8")))["group"]: group for path in EXAMPLES.glob("*.json")
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    async def stands(_: object) -> dict[str, Any]:
        return GROUPS

    monkeypatch.setattr(command, "read_groups", stands)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: str) -> Any:
        return CliRunner().invoke(commands(), ["groups", *arguments])

    return invoke


def test_every_kind_has_its_table(run: Any) -> None:
    shown = run()
    assert shown.exit_code == 0, shown.output
    lot = GROUPS["book:all"]["totals"]
    assert f"{float(lot['value_usd']):,.0f}" in shown.output
    assert all(key in shown.output for key in GROUPS)
    assert "powertrain" not in shown.output.split("central")[0], "a kind without groups has no table"


def test_one_kind_one_group_and_json(run: Any) -> None:
    model = next(key for key in GROUPS if key.startswith("model:"))
    assert "book:all" not in run("model").output
    assert json.loads(run(model).output) == GROUPS[model]
    assert [json.loads(line)["group"] for line in run("--json").output.splitlines()] == list(GROUPS)


def test_what_is_not_there_and_what_is_no_kind_are_told_apart(run: Any) -> None:
    assert run("model:NO/SUCH").exit_code == 1
    wrong = run("dealer")
    assert wrong.exit_code == 2
    assert "model:TOYOTA/RAV4" in wrong.output
