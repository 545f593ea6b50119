"""In exactly once the broker gathers before it answers a fetch, while records come; else it answers at once."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from streams.settings import ProcessingGuarantee
from streams.transport import wire
from streams.transport.driver import FETCH_MAX_WAIT_MS, GATHER_BYTES, GATHER_MS, ConsumerThread

AT_ONCE = (1, FETCH_MAX_WAIT_MS)
GATHERS = (GATHER_BYTES, GATHER_MS)


def _asked(monkeypatch: pytest.MonkeyPatch, guarantee: ProcessingGuarantee, *found: int) -> list[tuple[int, int]]:
    """What the next fetch asks of the broker (bytes, milliseconds), after fetches that brought so many records."""
    records = iter(found)

    async def fetched(*_: Any) -> dict[str, list[int]]:
        count = next(records)
        return {"tp": [0] * count} if count else {}

    monkeypatch.setattr(wire, "fetched", fetched)
    fetcher = SimpleNamespace(
        _closed=False,
        _subscriptions=SimpleNamespace(fetch_context=contextlib.nullcontext),
        _fetch_min_bytes=1,
        _fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
    )
    consumer: Any = SimpleNamespace(_closed=False, _fetcher=fetcher)
    thread = object.__new__(ConsumerThread)
    settings = SimpleNamespace(processing_guarantee=guarantee)
    thread.__dict__.update(app=SimpleNamespace(settings=settings), consumer=SimpleNamespace(flow_active=True))

    async def fetch() -> list[tuple[int, int]]:
        asked = []
        for _ in found:
            await thread._fetch_records(consumer, set())
            asked.append((fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms))
        return asked

    return asyncio.run(fetch())


def test_exactly_once_gathers_while_records_come(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _asked(monkeypatch, ProcessingGuarantee.EXACTLY_ONCE, 0, 3, 1, 0, 2)
    assert asked == [AT_ONCE, GATHERS, GATHERS, AT_ONCE, GATHERS]


def test_at_least_once_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _asked(monkeypatch, ProcessingGuarantee.AT_LEAST_ONCE, 0, 3) == [AT_ONCE, AT_ONCE]
