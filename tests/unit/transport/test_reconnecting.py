"""A broker that is gone is asked less and less often, and one that comes back is found soon."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import client as aiokafka_client
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata

from streams.transport import reconnecting


class Brokers:
    """What clients find: refused connections where `up` is false."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reconnecting.pace_reconnects()
        self.up = False
        self.attempts: Counter[int] = Counter()
        monkeypatch.setattr(aiokafka_client, "create_conn", self._create)
        monkeypatch.setattr(
            ClusterMetadata, "broker_metadata", lambda _, node: SimpleNamespace(host="127.0.0.1", port=node)
        )

    async def _create(self, host: str, port: int, **_: Any) -> Any:
        self.attempts[port] += 1
        if not self.up:
            raise OSError(f"{host}:{port} refuses")
        return SimpleNamespace(connected=lambda: True)


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    return Brokers(monkeypatch)


def on_a_client(work: Callable[[AIOKafkaClient], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await work(AIOKafkaClient(bootstrap_servers="127.0.0.1:9"))

    asyncio.run(run())


def test_many_callers_make_few_attempts(brokers: Brokers) -> None:
    calls = 0

    async def ask(client: AIOKafkaClient, until: float) -> None:
        nonlocal calls
        while time.monotonic() < until:
            assert not await client.ready(1)
            calls += 1

    async def work(client: AIOKafkaClient) -> None:
        until = time.monotonic() + 1.0
        await asyncio.gather(*(ask(client, until) for _ in range(20)))

    on_a_client(work)
    assert 4 <= brokers.attempts[1] <= 20 + 6, "each once before the first failure, then at 0.05, 0.15, 0.35, 0.75 s"
    assert calls <= 20 * 8, "and nobody spins meanwhile"


def test_pauses_grow_up_to_a_second() -> None:
    pauses = [reconnecting._pause(failures) for failures in (0, 1, 2, 3, 4, 5, 50_000)]
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_broker_that_is_back_is_found_and_the_count_begins_anew(brokers: Brokers) -> None:
    async def work(client: AIOKafkaClient) -> None:
        for _ in range(3):
            assert not await client.ready(1)
        brokers.up = True
        assert await client.ready(1)
        assert reconnecting._gone[client] == {}
        assert await client.ready(1)

    on_a_client(work)
    assert brokers.attempts == {1: 4}, "a connection that stands is used"


def test_another_broker_is_not_waited_for(brokers: Brokers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "FIRST_SECONDS", 60.0)
    monkeypatch.setattr(reconnecting, "LONGEST_SECONDS", 60.0)

    async def work(client: AIOKafkaClient) -> None:
        assert not await client.ready(1)
        assert not await asyncio.wait_for(client.ready(2), 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.ready(1), 0.05)

    on_a_client(work)
    assert brokers.attempts == {1: 1, 2: 1}


def test_what_is_replaced_is_as_it_was_written_for() -> None:
    assert list(inspect.signature(reconnecting._connect).parameters) == ["self", "node_id", "group", "no_hint"]
