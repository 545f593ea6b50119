"""Apache Kafka in a container of testcontainers: a generic one, since its own KafkaContainer wants another image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

from streams.broker.configuration import DEFAULTS
from streams.broker.ports import free_port
from streams.broker.probe import live_brokers

IMAGE = "apache/kafka:4.4.0"
_CLIENTS, _INSIDE, _CONTROLLER = 9092, 9093, 9094
_START_SECONDS = 120.0
_POLL_SECONDS = 0.2


@contextmanager
def kafka_in_container() -> Iterator[str]:
    """One node with the embedded broker's settings; yields `host:port`.

    Fails, naming what to do, where no engine answers or the image can't be had.
    """
    try:
        container = DockerContainer(IMAGE)
        host = container.get_docker_client().host()
    except DockerException as error:
        pytest.fail(
            f"no container engine answers ({error}): start Docker, set DOCKER_HOST to one that runs, or leave "
            "LOTRISK_TEST_BROKER unset for the embedded broker",
            pytrace=False,
        )
    # Chosen here, since Kafka tells its clients the port at which they reach it.
    port = free_port()
    properties = {
        "node.id": 1,
        "process.roles": "broker,controller",
        "listeners": f"PLAINTEXT://:{_CLIENTS},INSIDE://:{_INSIDE},CONTROLLER://:{_CONTROLLER}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port},INSIDE://localhost:{_INSIDE}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@localhost:{_CONTROLLER}",
        **DEFAULTS,
    }
    for name, value in properties.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        container.with_env("KAFKA_" + name.upper().replace(".", "_"), text)
    container.with_bind_ports(_CLIENTS, port)
    with container:
        deadline = time.monotonic() + _START_SECONDS
        while live_brokers(host, port) < 1:
            if time.monotonic() > deadline:
                out, err = container.get_logs()
                pytest.fail(f"{IMAGE} does not answer on {host}:{port}:\n{(out + err).decode()[-3000:]}", pytrace=False)
            time.sleep(_POLL_SECONDS)
        yield f"{host}:{port}"
