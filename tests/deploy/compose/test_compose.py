"""Compose brings up all of it that can run where the tests run: Kafka, topics, a worker, the lag exporter, a lot."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaConsumer, TopicPartition

from streams.broker.ports import free_port
from streams.topics import CATALOGUE, VEHICLES_ENRICHED
from tests.deploy.engine import IMAGE, ROOT, compose_command, docker

FILE = ROOT / "deploy" / "compose" / "compose.yml"
PROJECT = "lotrisktest"
OURS = {"topics", "worker", "lag", "demo"}
SECONDS = 150.0
VEHICLES = 300


class Compose:
    """One project of the compose file."""

    def __init__(self, command: list[str], port: int, *more: Path, project: str = PROJECT) -> None:
        """`more`: files over the first one."""
        files = [word for file in (FILE, *more) for word in ("--file", str(file))]
        self._command = [*command, *files, "--project-name", project]
        self.port = port
        self._environment = os.environ | {
            "KAFKA_PORT": str(port),
            "LOTRISK_PARTITIONS": "2",
            "LOT_VEHICLES": str(VEHICLES),
            "LOT_PARTS": "100",
        }

    def __call__(self, *arguments: str, check: bool = True) -> str:
        ran = subprocess.run(
            [*self._command, *arguments], env=self._environment, capture_output=True, text=True, timeout=SECONDS,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert ran.returncode == 0 or not check, f"{arguments}:\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return ran.stdout

    def container(self, service: str) -> dict[str, Any]:
        """What the engine knows of the service's only container."""
        (name,) = self("ps", "-q", service).split()
        (found,) = json.loads(docker("inspect", name).stdout)
        return dict(found)

    def fetch(self, service: str, url: str) -> str:
        """What the service answers inside its container: its port is open to the others only."""
        code = f"import urllib.request; print(urllib.request.urlopen('{url}', timeout=10).read().decode())"
        return docker("exec", self.container(service)["Id"], "python", "-c", code).stdout


@pytest.fixture(scope="module")
def compose(image: str) -> Iterator[Compose]:
    """The services that need no image from a registry, up and healthy."""
    assert image == IMAGE, "the one that the file names"
    if docker("image", "inspect", "apache/kafka:4.4.0", check=False).returncode:
        pytest.fail("no image apache/kafka:4.4.0: docker pull apache/kafka:4.4.0", pytrace=False)
    project = Compose(compose_command(), free_port())
    project("down", "--volumes", check=False)
    try:
        project("up", "-d", "worker", "lag")
        _await_health(project, "worker", "lag")
        yield project
    finally:
        print(project("logs", "--no-color", "topics", "worker", "lag", check=False)[-20_000:])
        project("--profile", "demo", "down", "--volumes", "--timeout", "20")


def _await_health(project: Compose, *services: str) -> None:
    deadline = time.monotonic() + SECONDS
    for service in services:
        while (state := project.container(service)["State"])["Health"]["Status"] != "healthy":
            assert time.monotonic() < deadline, f"{service}: {state}"
            time.sleep(0.5)


def test_the_topics_are_there_before_the_worker(compose: Compose) -> None:
    topics = compose.container("topics")["State"]
    assert topics["ExitCode"] == 0
    assert topics["FinishedAt"] <= compose.container("worker")["State"]["StartedAt"]


def test_the_demo_lot_comes_out_enriched(compose: Compose) -> None:
    compose("--profile", "demo", "up", "-d", "demo")
    consumer = KafkaConsumer(bootstrap_servers=f"127.0.0.1:{compose.port}", isolation_level="read_committed")
    try:
        assert {topic.name for topic in CATALOGUE} <= consumer.topics()
        consumer.assign([TopicPartition(VEHICLES_ENRICHED.name, number) for number in (0, 1)])
        consumer.seek_to_beginning()
        seen: dict[bytes, dict[str, object]] = {}
        deadline = time.monotonic() + SECONDS
        while len(seen) < VEHICLES:
            for records in consumer.poll(timeout_ms=500).values():
                seen |= {record.key: json.loads(record.value) for record in records}
            assert time.monotonic() < deadline, f"{len(seen)} of {VEHICLES} vehicles"
    finally:
        consumer.close()
    assert all({"vin", "origin", "book"} <= record.keys() for record in seen.values())


def test_worker_and_exporter_show_their_metrics_where_prometheus_asks(compose: Compose) -> None:
    for service, metric in (("worker", "lotrisk_records_in_total"), ("lag", "lotrisk_brokers_up 1.0")):
        port = targets()[service]
        assert metric in compose.fetch(service, f"http://{service}:{port}/metrics")


def test_containers_are_hardened(compose: Compose) -> None:
    for service in ("worker", "lag"):
        found = compose.container(service)
        assert found["HostConfig"]["ReadonlyRootfs"] is True, service
        assert found["Config"]["User"] == "10001:10001"
        published = [binding for bindings in found["NetworkSettings"]["Ports"].values() for binding in bindings or ()]
        assert published == [], service


def test_a_stop_is_clean(compose: Compose) -> None:
    compose("stop", "worker")
    assert compose.container("worker")["State"]["ExitCode"] == 0
    compose("start", "worker")
    _await_health(compose, "worker")


def targets() -> Mapping[str, int]:
    """Service names and ports that Prometheus is told to ask."""
    document = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    return {
        name: found["port"]
        for job in document["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    }
