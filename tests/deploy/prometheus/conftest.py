"""Prometheus' and Alertmanager's programs; a test fails naming what to install where one is missing."""

from __future__ import annotations

import shutil

import pytest


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
