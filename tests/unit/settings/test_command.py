"""`lotrisk settings`, and the page it writes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from streams.cli import settings as command
from streams.settings import ENV_PREFIX, Settings


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    for name in [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    made = typer.Typer()
    command.register(made)
    return made


def test_the_page_has_one_row_for_each_setting_with_its_description() -> None:
    rows = [line for line in command.page().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [ENV_PREFIX + name.upper() for name in Settings.model_fields]
    for row, field in zip(rows, Settings.model_fields.values(), strict=True):
        assert field.description
        assert row.endswith(f"| {field.description} |")


@pytest.mark.parametrize(
    "row",
    [
        "| `LOTRISK_PARTITIONS` | `8` | 1 to 1,024 |",
        "| `LOTRISK_DLQ_MAX_PERCENT` | `50` | above 0, at most 100 |",
        "| `LOTRISK_SSL_CHECK_HOSTNAME` | `true` | `true`, `false` |",
        "| `LOTRISK_LOG_LEVEL` | `INFO` | `DEBUG`, `INFO`, `WARNING`, `ERROR` |",
        "| `LOTRISK_SASL_USERNAME` | unset |  |",
        "| `LOTRISK_TOPIC_PREFIX` | empty |  |",
        "| `LOTRISK_PROCESSING_GUARANTEE` | `exactly_once` | `exactly_once`, `at_least_once` |",
    ],
)
def test_the_page_says_what_a_variable_may_hold(row: str) -> None:
    assert row in command.page()


def test_values_in_force_are_shown_and_the_password_is_not(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTRISK_PARTITIONS", "12")
    monkeypatch.setenv("LOTRISK_SASL_PASSWORD", "hunter2")
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    assert "default 8" in result.stdout
    assert "**********" in result.stdout
    assert "hunter2" not in result.output


def test_a_misspelt_variable_is_named(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTRISK_GRUOP", "x")
    result = CliRunner().invoke(app, [])
    assert "LOTRISK_GRUOP is set, but there is no such setting" in result.stderr


def test_a_value_that_cannot_be_used_ends_it_with_the_variables_name(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOTRISK_PARTITIONS", "many")
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert result.stderr.startswith("LOTRISK_PARTITIONS: ")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"LOTRISK_PARTITIONS": "many"}, "LOTRISK_PARTITIONS: Input should be a valid integer"),
        ({"LOTRISK_SECURITY_PROTOCOL": "SASL_SSL"}, "LOTRISK_SASL_USERNAME is not set, and SASL_SSL needs a user"),
    ],
)
@pytest.mark.parametrize(
    "arguments", [["status"], ["get", "1FTFW1E59PFA00007"], ["dlq", "list", "vehicles"], ["worker"]]
)
def test_every_command_ends_with_one_line_where_the_settings_cannot_be_used(
    variables: dict[str, str], said: str, arguments: list[str]
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)} | variables
    ended = subprocess.run(
        [sys.executable, "-c", "from streams.cli import main; main()", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
