"""Slow transactions under rebalances that nothing drains: caught in the broken variant, harmless in the real order."""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.classic import BROKEN, RIGHT, slow_transactions
from tests.wire.conftest import Broker

REBALANCES = 6


def test_init_before_the_offset_fetch_protects(broker: Broker, tmp_path: Path) -> None:
    slow_transactions(broker.bootstrap_servers, tmp_path, RIGHT, REBALANCES).balance()


def test_init_after_the_offset_fetch_is_caught(broker: Broker, tmp_path: Path) -> None:
    """The books must tell: a rehearsal that passes on the broken order would prove nothing of the right one.

    On a busy machine too few records may be under way at six rebalances, so there are three goes.
    """
    goes = [tmp_path / str(number) for number in range(3)]
    assert any(_duplicates(broker, directory) for directory in goes), "the broken order passed three times"


def _duplicates(broker: Broker, directory: Path) -> bool:
    directory.mkdir()
    return bool(slow_transactions(broker.bootstrap_servers, directory, BROKEN, REBALANCES).duplicates)
