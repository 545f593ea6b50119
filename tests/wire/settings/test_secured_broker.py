"""Every way the settings know to talk to Kafka, by both clients, to a real broker with TLS and SASL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiokafka
import kafka
import pytest
from pydantic import SecretStr

from streams.broker import EmbeddedKafka
from streams.connection import aiokafka_options, kafka_python_options
from streams.settings import SaslMechanism, SecurityProtocol, Settings

CERTIFICATES = Path(__file__).parents[2] / "unit" / "settings" / "certificates"
PASSWORD = "hunter2"  # of a broker that lives as long as these tests
TOPIC = "anything"
SECURED = [SecurityProtocol.SSL, SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL]
WAYS = [
    (protocol, mechanism)
    for protocol in SECURED
    for mechanism in (SaslMechanism if protocol is not SecurityProtocol.SSL else [SaslMechanism.SCRAM_SHA_512])
]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    keystore = tmp_path_factory.mktemp("tls") / "broker.pem"
    keystore.write_text((CERTIFICATES / "broker.key").read_text() + (CERTIFICATES / "broker.pem").read_text())
    login = "org.apache.kafka.common.security"
    settings: dict[str, str] = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(CERTIFICATES / "client.pem"),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": ",".join(SaslMechanism),
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        prefix = f"listener.name.{listener}"
        settings[f"{prefix}.plain.sasl.jaas.config"] = f'{login}.plain.PlainLoginModule required user_lot="{PASSWORD}";'
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            settings[f"{prefix}.{mechanism}.sasl.jaas.config"] = f"{login}.scram.ScramLoginModule required;"
    scram = [
        argument
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for argument in ("--add-scram", f"{mechanism}=[name=lot,password={PASSWORD}]")
    ]
    listeners = {protocol.value: 0 for protocol in SECURED}
    with EmbeddedKafka(extra_listeners=listeners, settings=settings, storage_args=scram, heap="256m") as running:
        plain = kafka.KafkaAdminClient(bootstrap_servers=running.bootstrap_servers)
        plain.create_topics({TOPIC: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        plain.close()
        yield running


def _settings(broker: EmbeddedKafka, protocol: SecurityProtocol, mechanism: SaslMechanism, **more: object) -> Settings:
    values: dict[str, object] = {
        "bootstrap_servers": broker.address(protocol.value),
        "security_protocol": protocol,
        "sasl_mechanism": mechanism,
        "sasl_username": "lot",
        "sasl_password": SecretStr(PASSWORD),
        "ssl_cafile": CERTIFICATES / "broker.pem",
        "ssl_certfile": CERTIFICATES / "client.pem",
        "ssl_keyfile": CERTIFICATES / "client.key",
    }
    return Settings(**(values | more))  # type: ignore[arg-type] # pydantic checks the values


async def _aiokafka(settings: Settings) -> None:
    client = aiokafka.AIOKafkaProducer(**aiokafka_options(settings), request_timeout_ms=10_000)
    try:
        await client.start()
        await client.send_and_wait(TOPIC, b"in")
    finally:
        await client.stop()


def _kafka_python(settings: Settings, timeout_ms: int = 20_000) -> None:
    client = kafka.KafkaAdminClient(**kafka_python_options(settings), bootstrap_timeout_ms=timeout_ms)
    try:
        assert TOPIC in client.list_topics()
    finally:
        client.close()


@pytest.mark.parametrize(("protocol", "mechanism"), WAYS)
def test_both_clients_get_in(secured: EmbeddedKafka, protocol: SecurityProtocol, mechanism: SaslMechanism) -> None:
    settings = _settings(secured, protocol, mechanism)
    _kafka_python(settings)
    asyncio.run(_aiokafka(settings))


def test_the_password_may_stand_in_a_file(secured: EmbeddedKafka, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    settings = _settings(
        secured, SecurityProtocol.SASL_SSL, SaslMechanism.SCRAM_SHA_512, sasl_password=None, sasl_password_file=file
    )
    _kafka_python(settings)
    asyncio.run(_aiokafka(settings))


def _nobody_gets_in(settings: Settings, said: str, log: pytest.LogCaptureFixture) -> None:
    """kafka-python tries again until its time is up, and only logs why; aiokafka's error says it."""
    with pytest.raises(kafka.errors.KafkaTimeoutError):
        _kafka_python(settings, timeout_ms=2_000)
    with pytest.raises(aiokafka.errors.KafkaError) as caught:
        asyncio.run(_aiokafka(settings))
    assert said in f"{caught.value!r} {log.text}"
    assert PASSWORD not in log.text


@pytest.mark.parametrize("mechanism", list(SaslMechanism))
def test_a_wrong_password_is_refused(
    secured: EmbeddedKafka, mechanism: SaslMechanism, caplog: pytest.LogCaptureFixture
) -> None:
    settings = _settings(secured, SecurityProtocol.SASL_SSL, mechanism, sasl_password=SecretStr("wrong"))
    _nobody_gets_in(settings, "uthentication failed", caplog)


def test_a_broker_of_an_unknown_authority_is_not_spoken_to(
    secured: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    settings = _settings(secured, SecurityProtocol.SASL_SSL, SaslMechanism.PLAIN, ssl_cafile=CERTIFICATES / "other.pem")
    _nobody_gets_in(settings, "CERTIFICATE_VERIFY_FAILED", caplog)


def test_a_broker_that_asks_for_a_client_certificate_refuses_one_without(
    secured: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    settings = _settings(secured, SecurityProtocol.SSL, SaslMechanism.PLAIN, ssl_certfile=None, ssl_keyfile=None)
    _nobody_gets_in(settings, "", caplog)
