"""Where `lotrisk policy list` takes its measures from, with and without a cluster."""

from __future__ import annotations

import socket

import pytest
import typer
from typer.testing import CliRunner

from streams.cli import policy

APP = typer.Typer()
policy.register(APP)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("LOTRISK_BOOTSTRAP_SERVERS", address)
    return address


def test_without_brokers_the_files_answer_and_it_says_so(nobody: str) -> None:
    del nobody
    done = CliRunner().invoke(APP, ["policy", "list", "--json"])
    assert done.exit_code == 0
    assert "from the files alone: trade.policy can't be read" in done.stderr
    assert '"232-AUTO' in done.stdout


def test_who_asks_for_what_is_published_gets_it_or_an_error(nobody: str) -> None:
    del nobody
    done = CliRunner().invoke(APP, ["policy", "list", "--published"])
    assert done.exit_code == 1
    assert "trade.policy can't be read" in done.stderr
    assert not done.stdout


def test_without_a_cluster_set_none_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOTRISK_BOOTSTRAP_SERVERS", raising=False)
    done = CliRunner().invoke(APP, ["policy", "list", "--json"])
    assert done.exit_code == 0
    assert not done.stderr
