"""Fixtures of the long rehearsals: those of the wire tests, and how long they take, from the environment."""

from __future__ import annotations

import os

import pytest

from tests.wire.conftest import broker, own_broker

__all__ = ["broker", "own_broker", "records", "rounds", "seed"]


@pytest.fixture
def rounds() -> int:
    """LOTRISK_SOAK_ROUNDS: how often each rehearsal is played."""
    return int(os.environ.get("LOTRISK_SOAK_ROUNDS", "5"))


@pytest.fixture
def records() -> int:
    """LOTRISK_SOAK_RECORDS: how many records the backlog has."""
    return int(os.environ.get("LOTRISK_SOAK_RECORDS", "1000000"))


@pytest.fixture
def seed() -> int:
    """LOTRISK_SOAK_SEED: the order of interruptions."""
    return int(os.environ.get("LOTRISK_SOAK_SEED", "1"))
