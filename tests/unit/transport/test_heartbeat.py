"""What is read back from `lotrisk.workers`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from streams.transport.heartbeat import POLICY_KEY, _keep

BEAT = {"worker": "w", "at": "2026-10-01T00:00:00Z"}


def test_the_last_beat_counts_and_a_goodbye_ends_it() -> None:
    latest: dict[bytes, dict[str, Any]] = {}
    _keep(latest, b"w", orjson.dumps(BEAT))
    _keep(latest, b"w", orjson.dumps(BEAT | {"book": "2"}))
    _keep(latest, POLICY_KEY, b'{"policy":{}}')
    assert latest == {b"w": BEAT | {"book": "2"}, POLICY_KEY: {"policy": {}}}
    _keep(latest, b"w", None)
    assert set(latest) == {POLICY_KEY}


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"1", b"{}", b'{"worker":"w"}', b"\xff"])
def test_what_is_no_heartbeat_is_left_out(value: bytes) -> None:
    latest: dict[bytes, dict[str, Any]] = {}
    _keep(latest, b"w", value)
    assert latest == {}
