"""The compose file holds to the rest of the project; no engine is needed to see it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from streams.settings import Settings
from tests.deploy.compose.test_compose import FILE, OURS, targets
from tests.deploy.engine import ROOT

DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]


def test_every_variable_is_a_setting() -> None:
    known = {f"LOTRISK_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        used = {variable for variable in SERVICES[name]["environment"] if variable.startswith("LOTRISK_")}
        assert used <= known, name


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_service_of_ours_can_write_nowhere_and_gain_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_replay_is_as_hardened_and_waits_for_its_clock() -> None:
    replay: dict[str, Any] = yaml.safe_load(FILE.with_name("replay.yml").read_text("utf-8"))["services"]
    for name in ("clock", "replay"):
        assert replay[name]["read_only"] is True
        assert replay[name]["cap_drop"] == ["ALL"]
        assert replay[name]["image"] == SERVICES["worker"]["image"]
    assert replay["worker"]["depends_on"]["clock"]["condition"] == "service_completed_successfully"
    assert replay["worker"]["environment"]["LOTRISK_AS_OF"] == replay["replay"]["environment"]["LOTRISK_AS_OF"]


def test_starts_are_ordered() -> None:
    assert SERVICES["topics"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert SERVICES["demo"]["depends_on"]["worker"]["condition"] == "service_healthy"
    for name in ("worker", "lag"):
        assert SERVICES[name]["depends_on"]["topics"]["condition"] == "service_completed_successfully"


def test_every_mounted_file_is_there() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in DOCUMENT["volumes"] or (FILE.parent / source).exists(), f"{name}: {volume}"


def test_every_port_is_open_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_finds_what_it_is_told_to_ask() -> None:
    assert targets().keys() <= SERVICES.keys()
    assert targets()["lag"] == int(SERVICES["lag"]["environment"]["LOTRISK_WEB_PORT"])
    assert "alertmanager" in SERVICES
    provisioned = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources.yml").read_text("utf-8"))
    assert [source["url"] for source in provisioned["datasources"]] == ["http://prometheus:9090"]


def test_the_kafka_of_compose_is_the_one_that_is_tried_elsewhere() -> None:
    (lock,) = (ROOT / "streams" / "broker").glob("kafka-*.lock")
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{lock.stem.removeprefix('kafka-')}"
