"""Random records, policy events, clock moves, kills and rebalances end with the lot that a batch would have made."""

from __future__ import annotations

from tests.rehearsal.machine import STEPS, drive
from tests.wire.conftest import Broker


def test_a_lot_ends_as_a_batch_would_have_rated_it(broker: Broker) -> None:
    """A few examples, the same each time, with every kind of step; `make soak` plays many others."""
    counted = drive(broker.bootstrap_servers, examples=4, steps=10, seed=88)
    assert counted.keys() == set(STEPS)
