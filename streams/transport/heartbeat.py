"""What a worker says of itself on `lotrisk.workers`, every few seconds, and a tombstone when it leaves."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams import __version__
from streams.connection import aiokafka_options
from streams.settings import Settings
from streams.topics import WORKERS

log = logging.getLogger(__name__)

BEAT_SECONDS = 3.0
DEAD_AFTER_SECONDS = 10.0
"""A worker whose last beat is older is taken for dead."""


def worker_id() -> str:
    """Host and process: unique among the workers that live at one time."""
    return f"{socket.gethostname()}-{os.getpid()}"


class Heartbeat:
    """Publishes `report()` with the worker's id and the time; never a reason for the worker to stop."""

    def __init__(self, settings: Settings, report: Callable[[], dict[str, object]]) -> None:
        self._settings = settings
        self._report = report
        self._topic = WORKERS.full_name(settings.topic_prefix)
        self._key = worker_id().encode()
        self._task: asyncio.Task[None] | None = None
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect and begin to beat."""
        self._producer = AIOKafkaProducer(
            client_id=f"{self._settings.group}-heartbeat", acks="all", **aiokafka_options(self._settings)
        )
        await self._producer.start()
        self._task = asyncio.get_running_loop().create_task(self._beat(), name="heartbeat")

    async def stop(self) -> None:
        """Say goodbye and disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._producer is not None:
            await self._send(None)
            await self._producer.stop()

    async def _beat(self) -> None:
        while True:
            body = {
                "worker": self._key.decode(),
                "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "version": __version__,
                **self._report(),
            }
            await self._send(orjson.dumps(body))
            await asyncio.sleep(BEAT_SECONDS)

    async def _send(self, value: bytes | None) -> None:
        assert self._producer is not None
        try:
            await asyncio.wait_for(self._producer.send_and_wait(self._topic, value, key=self._key), BEAT_SECONDS)
        except (TimeoutError, KafkaError) as error:
            log.warning("heartbeat not delivered: %r", error)
