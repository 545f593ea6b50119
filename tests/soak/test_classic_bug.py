"""The classic bug, several times over: found in the broken variant every time, never in the real order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.classic import BROKEN, RIGHT, WITH_DRAIN, slow_transactions
from tests.wire.conftest import Broker

pytestmark = pytest.mark.soak


def test_the_broken_variant_is_caught_every_time(broker: Broker, tmp_path: Path, rounds: int) -> None:
    caught = 0
    for number in range(rounds):
        books = slow_transactions(broker.bootstrap_servers, _fresh(tmp_path, number), BROKEN)
        print(f"broken, run {number + 1} of {rounds}: {books}", flush=True)
        caught += bool(books.duplicates or books.out_of_order or books.missing)
    assert caught == rounds


@pytest.mark.parametrize("variant", [RIGHT, WITH_DRAIN], ids=["without a drain", "as it is"])
def test_the_real_order_passes_every_time(broker: Broker, tmp_path: Path, rounds: int, variant: str) -> None:
    for number in range(rounds):
        books = slow_transactions(broker.bootstrap_servers, _fresh(tmp_path, number), variant)
        print(f"{variant}, run {number + 1} of {rounds}: {books}", flush=True)
        books.balance()


def _fresh(directory: Path, number: int) -> Path:
    own = directory / str(number)
    own.mkdir()
    return own
