"""Settings: what the environment may say, and what is said when it is wrong."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import pytest

from streams.settings import Settings, SettingsError, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("LOTRISK_")]:
        monkeypatch.delenv(name)


def test_without_variables_every_setting_has_its_default() -> None:
    settings = load_settings()
    assert (settings.bootstrap_servers, settings.group, settings.partitions) == ("localhost:9092", "lotrisk", 8)
    assert settings.processing_guarantee == "exactly_once"


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTRISK_PARTITIONS", "16")
    monkeypatch.setenv("LOTRISK_STATE_DIR", "/var/lib/lotrisk")
    settings = load_settings()
    assert (settings.partitions, settings.state_dir) == (16, Path("/var/lib/lotrisk"))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LOTRISK_PARTITIONS", "zero", "LOTRISK_PARTITIONS: Input should be a valid integer"),
        ("LOTRISK_PARTITIONS", "0", "LOTRISK_PARTITIONS: Input should be greater than or equal to 1"),
        ("LOTRISK_BOOTSTRAP_SERVERS", "localhost", "LOTRISK_BOOTSTRAP_SERVERS: "),
        ("LOTRISK_BOOTSTRAP_SERVERS", "kafka://localhost:9092", "LOTRISK_BOOTSTRAP_SERVERS: "),
        ("LOTRISK_SECURITY_PROTOCOL", "TLS", "LOTRISK_SECURITY_PROTOCOL: Input should be 'PLAINTEXT'"),
        ("LOTRISK_PROCESSING_GUARANTEE", "twice", "LOTRISK_PROCESSING_GUARANTEE: Input should be 'exactly_once'"),
        ("LOTRISK_AS_OF", "yesterday", "LOTRISK_AS_OF: 'yesterday' is not a time"),
        ("LOTRISK_AS_OF_STARTED", "2026-01-01T00:00:00Z", "LOTRISK_AS_OF_STARTED is set without LOTRISK_AS_OF"),
        ("LOTRISK_DRAIN_SECONDS", "21", "LOTRISK_DRAIN_SECONDS 21 is more than a third"),
        ("LOTRISK_TOPIC_PREFIX", "a/b", "LOTRISK_TOPIC_PREFIX: "),
    ],
)
def test_a_wrong_value_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(said)


def test_a_form_that_does_not_fit_is_told_with_what_the_setting_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTRISK_BOOTSTRAP_SERVERS", "localhost")
    with pytest.raises(
        SettingsError, match=r"LOTRISK_BOOTSTRAP_SERVERS: Kafka brokers as host:port, comma separated\."
    ):
        load_settings()


def test_every_wrong_variable_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTRISK_PARTITIONS", "x")
    monkeypatch.setenv("LOTRISK_WEB_PORT", "99999")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["LOTRISK_PARTITIONS", "LOTRISK_WEB_PORT"]


def test_the_password_stands_in_no_text_of_the_settings_or_of_their_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTRISK_SASL_PASSWORD", "hunter2")
    settings = load_settings()
    assert settings.sasl_password is not None
    assert settings.sasl_password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()

    # An error of the whole model would show every variable.
    monkeypatch.setenv("LOTRISK_DRAIN_SECONDS", "59")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ValueError, match="a third") as raw:
        Settings()
    assert "hunter2" not in "".join(traceback.format_exception(raw.value))


def test_misspelt_variables_are_found() -> None:
    environment = {"LOTRISK_PARTITION": "3", "LOTRISK_PARTITIONS": "3", "PATH": "", "LOTRISK_GROUPS": "x"}
    assert unknown_variables(environment) == ("LOTRISK_GROUPS", "LOTRISK_PARTITION")
