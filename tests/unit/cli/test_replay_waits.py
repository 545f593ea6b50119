"""`lotrisk replay` gives a worker that was started just before the time to say that it runs, and not for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from streams.cli import replay
from streams.settings import Settings


def _heard(monkeypatch: pytest.MonkeyPatch, answers: Iterator[list[str]]) -> Callable[[], None]:
    async def read_workers(_: Any) -> list[str]:
        return next(answers)

    monkeypatch.setattr("streams.transport.heartbeat.read_workers", read_workers)
    monkeypatch.setattr(replay.time, "sleep", lambda _: None)
    return replay._Living(Settings()).wait


def test_a_worker_that_comes_up_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[list[str]] = iter([[], [], ["a"]])
    _heard(monkeypatch, answers)()
    assert next(answers, None) is None


def test_where_none_comes_the_command_ends_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(replay, "START_SECONDS", -1.0)
    with pytest.raises(typer.Exit) as ended:
        _heard(monkeypatch, iter([[]]))()
    assert ended.value.exit_code == 1
    assert "no worker runs" in capsys.readouterr().err
