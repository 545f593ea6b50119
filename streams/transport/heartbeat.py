"""What a worker says of itself on `lotrisk.workers`, every few seconds, and a tombstone when it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from streams import __version__
from streams.connection import aiokafka_options
from streams.settings import Settings
from streams.topics import WORKERS
from streams.transport.reading import read_to_end

log = logging.getLogger(__name__)

BEAT_SECONDS = 3.0
DEAD_AFTER_SECONDS = 10.0
"""A worker whose last beat is older is taken for dead."""
POLICY_KEY = b"lotrisk.policy"
"""Key of the record that remembers how far `trade.policy` was read when no worker is left to say so."""


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
        self._due = asyncio.Event()
        self._remembered: object = None

    def beat(self) -> None:
        """Beat at once, besides the beats every few seconds: something changed that others wait for."""
        self._due.set()

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
            await self._send(self._key, None)
            await self._producer.stop()

    async def _beat(self) -> None:
        while True:
            self._due.clear()
            report = self._report()
            body = {
                "worker": self._key.decode(),
                "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "version": __version__,
                **report,
            }
            await self._send(self._key, orjson.dumps(body))
            policy = report.get("policy")
            if policy not in (None, self._remembered) and await self._send(
                POLICY_KEY, orjson.dumps({"policy": policy})
            ):
                self._remembered = policy
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), BEAT_SECONDS)

    async def _send(self, key: bytes, value: bytes | None) -> bool:
        assert self._producer is not None
        try:
            await asyncio.wait_for(self._producer.send_and_wait(self._topic, value, key=key), BEAT_SECONDS)
        except (TimeoutError, KafkaError) as error:
            log.warning("heartbeat not delivered: %r", error)
            return False
        return True


async def read_workers(settings: Settings) -> list[dict[str, Any]]:
    """The last beat of each worker that has not said goodbye, by worker id."""
    latest = await _latest(settings)
    latest.pop(POLICY_KEY, None)
    return [latest[key] for key in sorted(latest)]


async def watch_workers(settings: Settings) -> AsyncIterator[list[dict[str, Any]]]:
    """The last beat of each worker, by worker id, again and again: first all there is, then as they beat."""
    topic = WORKERS.full_name(settings.topic_prefix)
    consumer = AIOKafkaConsumer(
        group_id=None, auto_offset_reset="earliest", enable_auto_commit=False, **aiokafka_options(settings)
    )
    await consumer.start()
    try:
        tp = TopicPartition(topic, 0)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        await consumer.seek_to_beginning(tp)
        latest: dict[bytes, dict[str, Any]] = {}
        while True:
            for record in (await consumer.getmany(tp, timeout_ms=200)).get(tp, ()):
                _keep(latest, record.key, record.value)
            if await consumer.position(tp) >= end:
                yield [latest[key] for key in sorted(latest) if key != POLICY_KEY]
    finally:
        await consumer.stop()


async def read_standings(settings: Settings) -> list[tuple[str, int, int]]:
    """How far workers, also those that left, have read `trade.policy`: topic id, epoch, next offset."""
    reports = [body["policy"] for body in (await _latest(settings)).values() if body.get("policy")]
    return [(found["topic_id"], found["epoch"], found["position"]) for found in reports]


async def _latest(settings: Settings) -> dict[bytes, dict[str, Any]]:
    latest: dict[bytes, dict[str, Any]] = {}
    async for record in read_to_end(settings, WORKERS.full_name(settings.topic_prefix)):
        _keep(latest, record.key, record.value)
    return latest


def _keep(latest: dict[bytes, dict[str, Any]], key: bytes, value: bytes | None) -> None:
    if value is None:
        latest.pop(key, None)
        return
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError:
        body = None
    # What is no heartbeat must stop neither a worker that starts nor a command.
    if isinstance(body, dict) and (key == POLICY_KEY or ("worker" in body and "at" in body)):
        latest[key] = body
    else:
        log.warning("%s: not a heartbeat, left out: key %r", WORKERS.name, key)
