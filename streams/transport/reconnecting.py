"""How often a client tries to reach a broker that is gone.

aiokafka tries again at once wherever it needs the broker: a worker has a client a lane, and all of them together would
spend a good part of a core on refused connections, and its log on saying so. Here each client waits, longer after each
failure, as Kafka's own clients do (`reconnect.backoff.ms`, `reconnect.backoff.max.ms`).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from aiokafka.client import AIOKafkaClient, ConnectionGroup

FIRST_SECONDS = 0.05
LONGEST_SECONDS = 1.0


class _Gone(NamedTuple):
    """A broker that could not be reached: how often in a row, and before when nobody tries again."""

    failures: int
    until: float


_gone: WeakKeyDictionary[AIOKafkaClient, dict[object, _Gone]] = WeakKeyDictionary()
_connect = AIOKafkaClient._get_conn


async def _get_conn(
    client: AIOKafkaClient, node_id: object, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False
) -> Any:
    """A connection, or None: after a failure one caller a back-off tries, and no caller returns before it is over."""
    conn = client._conns.get((node_id, group))
    if conn is not None and conn.connected():
        return conn
    brokers = _gone.setdefault(client, {})
    failures = 0
    if (gone := brokers.get(node_id)) is not None:
        await asyncio.sleep(gone.until - time.monotonic())
        gone = brokers.get(node_id)
        if gone is not None:
            if gone.until > time.monotonic():
                return None  # somebody else's turn
            failures = gone.failures
            brokers[node_id] = _Gone(failures, time.monotonic() + _pause(failures))
    conn = await _connect(client, node_id, group=group, no_hint=no_hint)
    if conn is None:
        brokers[node_id] = _Gone(failures + 1, time.monotonic() + _pause(failures))
    else:
        brokers.pop(node_id, None)
    return conn


def _pause(failures: int) -> float:
    return min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 10))


def pace_reconnects() -> None:
    """From now on every aiokafka client of this process waits between two attempts."""
    AIOKafkaClient._get_conn = _get_conn
