"""The contracts as committed: generated from the models, and nobody breaks since the last release."""

from __future__ import annotations

from typer import Typer
from typer.testing import CliRunner

from schemas.generation import CONTRACTS, incompatible, last_release, stale_schemas, unversioned
from streams.cli import schemas as command


def test_the_committed_schemas_are_those_of_the_models() -> None:
    assert stale_schemas() == [], "run `lotrisk schemas generate` and commit schemas/json"


def test_nothing_breaks_since_the_last_release() -> None:
    assert last_release() is not None
    assert {name: [str(change) for change in changes] for name, changes in incompatible().items()} == {}
    assert unversioned() == []


def test_the_check_command_says_so() -> None:
    app = Typer()
    command.register(app)
    result = CliRunner().invoke(app, ["schemas", "check"])
    assert result.exit_code == 0, result.output
    assert f"{len(CONTRACTS)} contracts are current and compatible with release {last_release()}" in result.stdout
