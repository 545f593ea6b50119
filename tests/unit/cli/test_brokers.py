"""What a command says of brokers that do not answer, or refuse, and where it doesn't speak of them."""

from __future__ import annotations

import aiokafka.errors
import kafka.errors
import pytest

import streams.cli
from streams.cli._brokers import is_of_kafka, what_brokers_said


@pytest.mark.parametrize(
    "error", [aiokafka.errors.KafkaConnectionError("[('a', 9)]"), kafka.errors.KafkaTimeoutError("bootstrap")]
)
def test_brokers_that_do_not_answer_are_named_with_what_to_check(error: Exception) -> None:
    assert is_of_kafka(error)
    said = what_brokers_said("kafka.example:9093", error)
    assert said.startswith("kafka.example:9093: no broker answers")
    assert "LOTRISK_BOOTSTRAP_SERVERS" in said
    assert "[(" not in said


def test_a_refusal_is_told_as_it_came() -> None:
    error = kafka.errors.TopicAuthorizationFailedError("dms.vehicles")
    said = what_brokers_said("kafka.example:9093", error)
    assert "TopicAuthorizationFailedError" in said
    assert "dms.vehicles" in said


@pytest.mark.parametrize("error", [aiokafka.errors.KafkaConnectionError("x"), kafka.errors.KafkaTimeoutError("x")])
def test_no_command_shows_a_traceback_of_them(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise error

    monkeypatch.setattr(streams.cli, "commands", lambda: command)
    with pytest.raises(SystemExit) as ended:
        streams.cli.main()
    assert ended.value.code == 1
    assert "no broker answers" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(streams.cli, "commands", lambda: command)
    with pytest.raises(RuntimeError, match="a bug"):
        streams.cli.main()
