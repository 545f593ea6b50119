"""What the deploy tests stand on: tools of the operating system, and a real Kafka."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from streams.broker import EmbeddedKafka
from tests.deploy.engine import DOCKERFILE, IMAGE, docker, require_engine
from tests.deploy.prometheus.live import tried  # noqa: F401 - a fixture, also of the dashboards' tests


@pytest.fixture(scope="session")
def kcat() -> str:
    """The path of kcat; fails, naming what to install, where there is none."""
    found = shutil.which("kcat")
    if found is None:
        pytest.fail("kcat is not installed: apt-get install kcat", pytrace=False)
    return found


@pytest.fixture(scope="session")
def kafka() -> Iterator[EmbeddedKafka]:
    """One Apache Kafka for the session."""
    with EmbeddedKafka() as running:
        yield running


def _found(program: str, package: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.fail(f"{program} is not installed: apt-get install {package}", pytrace=False)
    return path


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool."""
    return _found("promtool", "prometheus")


@pytest.fixture(scope="session")
def amtool() -> str:
    """The path of amtool."""
    return _found("amtool", "prometheus-alertmanager")


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The path of Prometheus."""
    return _found("prometheus", "prometheus")


@pytest.fixture(scope="session")
def alertmanager() -> str:
    """The path of Alertmanager."""
    return _found("prometheus-alertmanager", "prometheus-alertmanager")


@pytest.fixture(scope="session")
def image() -> str:
    """The image's name, after a build from this tree."""
    require_engine()
    docker("build", "--file", str(DOCKERFILE), "--tag", IMAGE, ".", seconds=400)
    return IMAGE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What watches real failures with a real Prometheus takes minutes and a quiet machine: `make test-live`."""
    for item in items:
        if "tried" in getattr(item, "fixturenames", ()):
            item.add_marker("live")
