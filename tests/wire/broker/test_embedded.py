"""The embedded broker is started, killed, restarted and misconfigured, as an operator or a test would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient

from streams.broker import BrokerError, BrokerFailedError, EmbeddedKafka, PortTakenError, distribution
from streams.broker.ports import HOST, free_port, is_free
from streams.broker.probe import live_brokers
from streams.settings import Settings
from streams.topics import VEHICLES
from tests.wire import kafka_io
from tests.wire.kafka_io import Raw

OwnBroker = Callable[..., EmbeddedKafka]
MakeSettings = Callable[..., Settings]

UNREACHABLE = "http://127.0.0.1:9"
OFFLINE = {
    distribution.REPOSITORY_VARIABLE: UNREACHABLE,
    "http_proxy": UNREACHABLE,
    "https_proxy": UNREACHABLE,
    "no_proxy": "",
}


def gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def foreground() -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """Runs `lotrisk broker` and waits for the port it prints."""
    distribution.ensure()
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from streams.cli import main; main()", "broker", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        started.append(process)
        assert process.stdout is not None
        address = process.stdout.readline()
        if not address:
            return process, 0
        return process, int(address.rpartition(":")[2])

    yield run
    for process in started:
        process.kill()
        process.communicate()


def java_of(process: subprocess.Popen[str]) -> tuple[psutil.Process, Path]:
    """The JVM below `lotrisk broker`, and its directory."""
    (java,) = [child for child in psutil.Process(process.pid).children(recursive=True) if "java" in child.name()]
    return java, Path(java.cmdline()[-1]).parent


def test_it_answers_when_start_returns_and_nothing_is_left_after_the_block() -> None:
    with EmbeddedKafka() as kafka:
        host, _, port = kafka.bootstrap_servers.partition(":")
        assert live_brokers(host, int(port)) == 1
        pid, directory = kafka.pid, kafka.directory
        assert pid is not None
        assert "Kafka Server started" in kafka.log_path.read_text()
    assert gone(pid)
    assert not directory.exists()
    assert is_free(int(port))
    assert kafka.pid is None
    kafka.stop()


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_records_survive_a_restart_and_a_kill_on_the_same_port(
    own_broker: OwnBroker, make_settings: MakeSettings, how: str
) -> None:
    kafka = own_broker()
    settings = make_settings(kafka.bootstrap_servers)
    kafka_io.create_topics(settings, [VEHICLES])
    kafka_io.produce(settings, VEHICLES, [Raw(b"{}", key=b"d:v")])
    first = kafka.pid
    if how == "kill":
        kafka.kill()
        assert kafka.pid is None
        kafka.start()
    else:
        kafka.restart()
    assert kafka.pid not in (None, first)
    assert kafka.bootstrap_servers == settings.bootstrap_servers
    assert [found.key for found in kafka_io.read_all(settings, VEHICLES)] == [b"d:v"]


def test_a_named_directory_is_kept_and_used_again(
    own_broker: OwnBroker, make_settings: MakeSettings, tmp_path: Path
) -> None:
    first = own_broker(tmp_path / "data")
    settings = make_settings(first.bootstrap_servers)
    kafka_io.create_topics(settings, [VEHICLES])
    kafka_io.produce(settings, VEHICLES, [Raw(b"{}", key=b"kept")])
    first.stop()
    second = own_broker(tmp_path / "data")
    again = settings.model_copy(update={"bootstrap_servers": second.bootstrap_servers})
    assert [found.key for found in kafka_io.read_all(again, VEHICLES)] == [b"kept"]
    with pytest.raises(BrokerError, match="in use by another broker"):
        EmbeddedKafka(tmp_path / "data").start()
    assert len(kafka_io.read_all(again, VEHICLES)) == 1


def test_a_taken_port_is_refused_at_once(own_broker: OwnBroker) -> None:
    port = int(own_broker().bootstrap_servers.rpartition(":")[2])
    began = time.monotonic()
    with pytest.raises(PortTakenError, match=f"Port {port} "):
        EmbeddedKafka(port=port).start()
    assert time.monotonic() - began < 5


def test_java_that_refuses_its_flags_is_quoted() -> None:
    kafka = EmbeddedKafka(jvm_flags=["-XX:NoSuchFlag"])
    with pytest.raises(BrokerFailedError, match="Unrecognized VM option 'NoSuchFlag'"):
        kafka.start()
    assert kafka.pid is None


def test_kafka_that_refuses_its_settings_is_quoted() -> None:
    with pytest.raises(BrokerFailedError, match=r"(?s)Its log ends:.*num\.network\.threads"):
        EmbeddedKafka(settings={"num.network.threads": 0}).start()


def test_a_broker_that_does_not_answer_in_time_is_ended() -> None:
    kafka = EmbeddedKafka(start_seconds=0.05)
    with pytest.raises(BrokerFailedError, match="did not answer on 127"):
        kafka.start()
    assert kafka.pid is None


def test_no_room_for_the_data_is_said_before_java_starts(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=f"{tmp_path}.*MiB needed"):
        EmbeddedKafka(tmp_path, min_free_bytes=1 << 60).start()
    assert not (tmp_path / "broker.log").exists()


def test_scram_users_and_listeners_of_other_protocols_can_be_added(own_broker: OwnBroker) -> None:
    kafka = own_broker(
        extra_listeners={"SASL_PLAINTEXT": 0},
        storage_args=["--add-scram", "SCRAM-SHA-512=[name=ann,password=secret]"],
        settings={
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
        },
    )
    client = KafkaAdminClient(
        bootstrap_servers=kafka.address("SASL_PLAINTEXT"),
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username="ann",
        sasl_plain_password="secret",
    )
    with closing(client):
        assert client.list_topics() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_on_a_signal(
    foreground: Callable[..., tuple[subprocess.Popen[str], int]], number: signal.Signals
) -> None:
    process, port = foreground("--port", "0")
    java, directory = java_of(process)
    assert live_brokers(HOST, port) == 1
    process.send_signal(number)
    assert process.wait(20) == 0
    assert gone(java.pid)
    assert not directory.exists()


def test_kill_9_of_the_command_takes_java_and_data_along_within_two_seconds(
    foreground: Callable[..., tuple[subprocess.Popen[str], int]],
) -> None:
    process, port = foreground("--port", "0")
    java, directory = java_of(process)
    process.kill()
    kafka_io.wait_until(lambda: gone(java.pid) and not directory.exists(), 2.0, every_seconds=0.02)
    assert is_free(port)


def test_the_command_says_when_kafka_ends_by_itself(
    foreground: Callable[..., tuple[subprocess.Popen[str], int]],
) -> None:
    process, _ = foreground("--port", "0")
    java, _ = java_of(process)
    java.kill()
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Apache Kafka ended by itself" in errors
    assert "Kafka Server started" in errors


def test_the_command_keeps_the_data_it_is_told_to_keep(
    foreground: Callable[..., tuple[subprocess.Popen[str], int]], tmp_path: Path
) -> None:
    port = free_port()
    process, printed = foreground("--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert printed == port
    process.terminate()
    process.wait(20)
    assert (tmp_path / "data" / "kafka" / "meta.properties").is_file()
    process, _ = foreground("--port", "0", "--keep", TMPDIR=str(tmp_path))
    _, directory = java_of(process)
    process.terminate()
    _, errors = process.communicate(timeout=20)
    assert f"Data kept in {directory}" in errors
    assert (directory / "kafka" / "meta.properties").is_file()


def test_a_filled_cache_needs_no_network(
    foreground: Callable[..., tuple[subprocess.Popen[str], int]], tmp_path: Path
) -> None:
    _, port = foreground("--port", "0", **OFFLINE)
    assert live_brokers(HOST, port) == 1
    empty, nothing = foreground("--port", "0", **OFFLINE, **{distribution.CACHE_VARIABLE: str(tmp_path)})
    assert nothing == 0
    _, errors = empty.communicate(timeout=60)
    assert empty.returncode == 1
    assert "can't be fetched" in errors
    assert "Traceback" not in errors
