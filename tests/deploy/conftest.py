"""What the deploy tests stand on: tools of the operating system, and a real Kafka."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from streams.broker import EmbeddedKafka


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
