"""A worker that ends itself is counted by the next one of its state directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from streams.transport.outbox import DeliveryError
from streams.web.exits import REASONS, Exits, StalledError


def test_every_reason_is_shown_from_the_start(tmp_path: Path) -> None:
    assert Exits(tmp_path / "state").counts() == dict.fromkeys(REASONS, 0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProducerFenced(), "fenced"),
        (StalledError("stands still"), "stalled"),
        (DeliveryError("transaction took longer"), "not_delivered"),
        (TopicAuthorizationFailedError("vehicles.enriched"), "denied"),
        (GroupAuthorizationFailedError("lotrisk"), "denied"),
        (TransactionalIdAuthorizationFailed("lotrisk-dms.vehicles-0"), "denied"),
        (KeyError("x"), "unexpected"),
    ],
)
def test_an_exit_is_counted_by_its_reason_and_outlives_the_process(
    error: Exception, reason: str, tmp_path: Path
) -> None:
    for _ in range(2):
        Exits(tmp_path / "state").add(error)
    assert Exits(tmp_path / "state").counts() == dict.fromkeys(REASONS, 0) | {reason: 2}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"fenced": "often"}'])
def test_a_broken_file_counts_from_0_again(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "exits.json").write_bytes(content)
    assert Exits(tmp_path).counts() == dict.fromkeys(REASONS, 0)
    Exits(tmp_path).add(ProducerFenced())
    assert Exits(tmp_path).counts()["fenced"] == 1


def test_a_directory_that_can_not_be_made_does_not_keep_the_worker_from_ending(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    Exits(tmp_path / "file" / "state").add(ProducerFenced())
