"""Client options: each way to talk to Kafka, and what is said when a piece is missing.

The certificates beside this file belong to no one and open nothing.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import traceback
from pathlib import Path

import aiokafka
import kafka
import pytest
from pydantic import SecretStr

from streams.connection import aiokafka_options, kafka_python_options
from streams.settings import SaslMechanism, SecurityProtocol, Settings, SettingsError

CERTIFICATES = Path(__file__).parent / "certificates"
SASL = [SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL]


def _sasl(**more: object) -> Settings:
    values: dict[str, object] = {
        "security_protocol": SecurityProtocol.SASL_PLAINTEXT,
        "sasl_username": "lot",
        "sasl_password": SecretStr("hunter2"),
    }
    return Settings(**(values | more))  # type: ignore[arg-type] # pydantic checks the values


def test_plaintext_needs_only_the_brokers() -> None:
    settings = Settings(bootstrap_servers="a:9092, b:9092")
    assert aiokafka_options(settings) == {"bootstrap_servers": "a:9092,b:9092", "security_protocol": "PLAINTEXT"}
    assert kafka_python_options(settings) == {
        "bootstrap_servers": ["a:9092", "b:9092"],
        "security_protocol": "PLAINTEXT",
    }


def test_a_user_without_sasl_is_not_sent() -> None:
    settings = _sasl(security_protocol=SecurityProtocol.PLAINTEXT)
    assert not [name for name in aiokafka_options(settings) if name.startswith("sasl")]


@pytest.mark.parametrize("protocol", SASL)
@pytest.mark.parametrize("mechanism", list(SaslMechanism))
def test_sasl_carries_mechanism_user_and_password(protocol: SecurityProtocol, mechanism: SaslMechanism) -> None:
    for make in (aiokafka_options, kafka_python_options):
        options = make(_sasl(security_protocol=protocol, sasl_mechanism=mechanism))
        assert options["security_protocol"] == protocol.value
        assert options["sasl_mechanism"] == mechanism.value
        assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("lot", "hunter2")
        assert isinstance(options.get("ssl_context"), ssl.SSLContext) == (protocol is SecurityProtocol.SASL_SSL)


def test_the_password_comes_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter 2 \n")
    options = aiokafka_options(_sasl(sasl_password=None, sasl_password_file=file))
    assert options["sasl_plain_password"] == "hunter 2 "


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sasl_username": None}, "LOTRISK_SASL_USERNAME is not set"),
        ({"sasl_password": None}, "set LOTRISK_SASL_PASSWORD_FILE or LOTRISK_SASL_PASSWORD"),
        ({"sasl_password": SecretStr("")}, "set LOTRISK_SASL_PASSWORD_FILE or LOTRISK_SASL_PASSWORD"),
        ({"sasl_password_file": Path("/nowhere")}, "are both set; keep one"),
        (
            {"sasl_password": None, "sasl_password_file": Path("/nowhere/at/all")},
            "LOTRISK_SASL_PASSWORD_FILE: can't read /nowhere/at/all: No such file",
        ),
    ],
)
def test_a_missing_piece_of_sasl_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        aiokafka_options(_sasl(**values))


@pytest.mark.parametrize(("content", "said"), [(b"\n", "is empty"), (b"hunter2\xff", "is not UTF-8 text")])
def test_a_password_file_without_a_password_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=said) as caught:
        aiokafka_options(_sasl(sasl_password=None, sasl_password_file=file))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_tls_checks_the_broker_by_the_given_authority() -> None:
    settings = Settings(security_protocol=SecurityProtocol.SSL, ssl_cafile=CERTIFICATES / "other.pem")
    context = aiokafka_options(settings)["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert "lotrisk-test-other" in str(context.get_ca_certs())


def test_the_host_name_check_can_be_switched_off_but_not_the_certificate_check() -> None:
    settings = Settings(security_protocol=SecurityProtocol.SSL, ssl_check_hostname=False)
    context = aiokafka_options(settings)["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert not context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_client_certificate_is_loaded() -> None:
    settings = Settings(
        security_protocol=SecurityProtocol.SSL,
        ssl_certfile=CERTIFICATES / "client.pem",
        ssl_keyfile=CERTIFICATES / "client.key",
    )
    assert isinstance(kafka_python_options(settings)["ssl_context"], ssl.SSLContext)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ssl_cafile": "absent.pem"}, "LOTRISK_SSL_CAFILE: can't read .*absent.pem: No such file"),
        ({"ssl_cafile": "client.key"}, "LOTRISK_SSL_CAFILE: .*client.key holds no PEM certificate"),
        ({"ssl_certfile": "absent.pem"}, "LOTRISK_SSL_CERTFILE: can't read .*absent.pem"),
        ({"ssl_keyfile": "client.key"}, "LOTRISK_SSL_KEYFILE is set without LOTRISK_SSL_CERTFILE"),
        ({"ssl_certfile": "client.pem"}, "LOTRISK_SSL_CERTFILE: .*in the same file.* can't be used"),
        (
            {"ssl_certfile": "other.pem", "ssl_keyfile": "client.key"},
            "can't be used; both must be PEM, belong together",
        ),
        ({"ssl_certfile": "client.pem", "ssl_keyfile": "locked.key"}, "have no password"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(files: dict[str, str], said: str) -> None:
    settings = Settings(
        security_protocol=SecurityProtocol.SSL,
        **{name: CERTIFICATES / file for name, file in files.items()},  # type: ignore[arg-type] # paths, all
    )
    with pytest.raises(SettingsError, match=said):
        aiokafka_options(settings)


@pytest.mark.parametrize("protocol", list(SecurityProtocol))
def test_kafka_python_takes_the_options_and_its_debug_log_hides_the_password(
    protocol: SecurityProtocol, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="kafka")
    options = kafka_python_options(_sasl(security_protocol=protocol, bootstrap_servers="127.0.0.1:1"))
    assert "hunter2" not in repr(options)
    for client in (kafka.KafkaAdminClient, kafka.KafkaProducer, kafka.KafkaConsumer):
        with pytest.raises(kafka.errors.KafkaTimeoutError):
            client(**options, bootstrap_timeout_ms=1)
    assert "Starting KafkaAdminClient with configuration" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("protocol", list(SecurityProtocol))
def test_aiokafka_takes_the_options_and_its_debug_log_hides_the_password(
    protocol: SecurityProtocol, caplog: pytest.LogCaptureFixture
) -> None:
    async def connect_to_nothing() -> None:
        producer = aiokafka.AIOKafkaProducer(**options)
        with pytest.raises(aiokafka.errors.KafkaConnectionError):
            await producer.start()
        await producer.stop()

    caplog.set_level(logging.DEBUG, logger="aiokafka")
    options = aiokafka_options(_sasl(security_protocol=protocol, bootstrap_servers="127.0.0.1:1"))
    assert "hunter2" not in repr(options)
    asyncio.run(connect_to_nothing())
    assert "127.0.0.1" in caplog.text
    assert "hunter2" not in caplog.text
