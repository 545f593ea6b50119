"""A cable between a worker and the broker that can be cut, held in one direction or both, and slowed down."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from streams.broker.ports import HOST, free_port

TO_BROKER, FROM_BROKER = "to the broker", "from the broker"
_CHUNK_BYTES = 65_536


class Cable:
    """A TCP proxy on a port of its own, run by a thread. What is held arrives late, as on a network that heals."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port([target_port])
        self._target_port = target_port
        self._is_cut = False
        self._delay_seconds = 0.0
        self._flowing = {TO_BROKER: asyncio.Event(), FROM_BROKER: asyncio.Event()}
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def address(self) -> str:
        """`host:port` of the worker's end."""
        return f"{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the cable is not ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def cut(self) -> None:
        """Connections end at once, and none is made."""
        self._tell(self._cut)

    def hold(self, *directions: str) -> None:
        """Nothing comes through any more, and nobody is told; without `directions` in both."""
        self._tell(lambda: self._hold(directions or (TO_BROKER, FROM_BROKER)))

    def slow(self, seconds: float) -> None:
        """Every packet takes that much longer, in each direction."""
        self._tell(lambda: setattr(self, "_delay_seconds", seconds))

    def mend(self) -> None:
        """As new."""
        self._tell(self._mend)

    def _tell(self, change: Callable[[], None]) -> None:
        done = threading.Event()

        def tell() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(tell)
        assert done.wait(10), "the cable does not listen"

    def _hold(self, directions: Sequence[str]) -> None:
        for direction in directions:
            self._flowing[direction].clear()

    def _cut(self) -> None:
        self._is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def _mend(self) -> None:
        self._is_cut = False
        self._delay_seconds = 0.0
        for flowing in self._flowing.values():
            flowing.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._mend()
        server = self._loop.run_until_complete(asyncio.start_server(self._connect, HOST, self.port))
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            broker_reader, broker_writer = await asyncio.open_connection(HOST, self._target_port)
        except OSError:  # the broker is down
            writer.transport.abort()
            return
        ends = {writer, broker_writer}
        self._writers |= ends
        try:
            await asyncio.gather(
                self._pump(reader, broker_writer, TO_BROKER), self._pump(broker_reader, writer, FROM_BROKER)
            )
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        try:
            while data := await reader.read(_CHUNK_BYTES):
                await self._flowing[direction].wait()
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.transport.abort()


class Wiring:
    """A broker's listeners with a cable to each of `names`: `arguments` are for `EmbeddedKafka`."""

    def __init__(self, names: Sequence[str]) -> None:
        taken: list[int] = []
        for _ in range(len(names) + 1):
            taken.append(free_port(taken))
        port, *listeners = taken
        self.cables = {name: Cable(target) for name, target in zip(names, listeners, strict=True)}
        advertised = [f"PLAINTEXT://{HOST}:{port}"]
        advertised += [f"{_listener(name)}://{cable.address}" for name, cable in self.cables.items()]
        self.arguments: dict[str, Any] = {
            "port": port,
            "extra_listeners": {_listener(name): target for name, target in zip(names, listeners, strict=True)},
            "settings": {"advertised.listeners": ",".join(advertised)},
        }

    def __enter__(self) -> Self:
        for cable in self.cables.values():
            cable.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for cable in self.cables.values():
            cable.__exit__(kind, error, trace)

    def variables(self) -> dict[str, dict[str, str]]:
        """What tells each worker to use its own cable."""
        return {name: {"LOTRISK_BOOTSTRAP_SERVERS": cable.address} for name, cable in self.cables.items()}


def _listener(name: str) -> str:
    return f"PLAINTEXT_{name.upper()}"
