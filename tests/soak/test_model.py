"""The model of the lot, with many examples, others for each seed."""

from __future__ import annotations

import os

import pytest

from tests.rehearsal.machine import STEPS, drive
from tests.wire.conftest import Broker

pytestmark = pytest.mark.soak


@pytest.fixture
def examples() -> int:
    """LOTRISK_SOAK_EXAMPLES: how many lots are played."""
    return int(os.environ.get("LOTRISK_SOAK_EXAMPLES", "40"))


def test_many_lots_end_as_a_batch_would_have_rated_them(broker: Broker, examples: int, seed: int) -> None:
    counted = drive(broker.bootstrap_servers, examples=examples, steps=25, seed=seed)
    print(f"seed {seed}, {examples} lots, steps {dict(counted)}")
    assert counted.keys() <= set(STEPS)
    assert counted.keys() == set(STEPS) or examples < len(STEPS)
