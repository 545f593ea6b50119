"""Fixtures of the tests on real Kafka: a shared broker, fresh names for each test, brokers of a test's own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.broker import EmbeddedKafka
from streams.broker.probe import live_brokers
from streams.settings import Settings
from tests.wire import kafka_io

WHICH = "LOTRISK_TEST_BROKER"
"""Environment variable: `embedded` (or unset), `testcontainers`, or host:port of a broker that runs."""
_OF_THE_BROKER = ("LOTRISK_BROKER_", WHICH)


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker all tests share. It has no `stop` or `kill`: those need an `own_broker`."""

    bootstrap_servers: str


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """Apache Kafka, started once for the whole session, or the one that runs already: as LOTRISK_TEST_BROKER says."""
    which = os.environ.get(WHICH, "embedded")
    if which == "embedded":
        with EmbeddedKafka() as kafka:
            yield Broker(kafka.bootstrap_servers)
    elif which == "testcontainers":
        # Only here: the embedded broker needs neither testcontainers nor an engine.
        from tests.wire.container import kafka_in_container

        with kafka_in_container() as address:
            yield Broker(address)
    else:
        host, _, port = which.rpartition(":")
        assert port.isdigit(), f"{WHICH}={which}: embedded, testcontainers or host:port"
        assert live_brokers(host, int(port), timeout=5.0), f"{WHICH}={which}: no Kafka answers there"
        yield Broker(which)


@pytest.fixture
def make_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings for a broker's address: fresh prefix and group, short timeouts, nothing from the environment."""
    for name in os.environ:
        if name.startswith("LOTRISK_") and not name.startswith(_OF_THE_BROKER):
            monkeypatch.delenv(name)

    def make(bootstrap_servers: str, **changes: Any) -> Settings:
        unique = uuid.uuid4().hex[:10]
        return Settings(
            **{
                "bootstrap_servers": bootstrap_servers,
                "topic_prefix": f"t{unique}.",
                "group": f"g{unique}",
                "partitions": 4,
                "session_timeout_seconds": 6.0,
                "rebalance_timeout_seconds": 9.0,
                "drain_seconds": 3.0,
                "web_port": 0,
                "state_dir": tmp_path / "state",
                **changes,
            }
        )

    return make


@pytest.fixture
def settings(broker: Broker, make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """Settings for the shared broker; the topics of this test are deleted after it."""
    made = make_settings(broker.bootstrap_servers)
    yield made
    kafka_io.delete_topics(made)


@pytest.fixture
def own_broker() -> Iterator[Callable[..., EmbeddedKafka]]:
    """Starts brokers of this test's own, to be killed and restarted; arguments are EmbeddedKafka's."""
    with ExitStack() as stack:
        yield lambda *arguments, **named: stack.enter_context(EmbeddedKafka(*arguments, **named))
