"""The health and metrics port: /livez, /readyz, /status and /metrics, served by a thread of its own.

A worker that is only busy answers its probes at once; one whose loop stands still says so (`Health.not_live`).
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.web.health import Health

T = TypeVar("T")
_NEVER_CACHED = {"Cache-Control": "no-store"}


class WebUnavailable(RuntimeError):
    """The port can't be opened; the message says why and which setting to change."""


class WebServer:
    """A running health and metrics port. `port` is the one in use, also where 0 was asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, runner: web.AppRunner, port: int) -> None:
        self._loop = loop
        self._runner = runner
        self.port = port

    async def stop(self) -> None:
        """Close the port and every connection to it; the thread ends."""
        await _on(self._loop, self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)


async def start_web(health: Health, registry: CollectorRegistry, host: str, port: int) -> WebServer:
    """Open the port, in a thread of its own. Raises `WebUnavailable` where it is taken or not ours to open."""
    loop = asyncio.new_event_loop()

    def run() -> None:
        loop.run_forever()
        loop.close()

    threading.Thread(target=run, name="web", daemon=True).start()
    try:
        runner = await _on(loop, _open(health, registry, host, port))
    except WebUnavailable:
        loop.call_soon_threadsafe(loop.stop)
        raise
    bound: int = runner.addresses[0][1]
    return WebServer(loop, runner, bound)


async def _on(loop: asyncio.AbstractEventLoop, work: Coroutine[None, None, T]) -> T:
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


async def _open(health: Health, registry: CollectorRegistry, host: str, port: int) -> web.AppRunner:
    app = web.Application()
    app.router.add_get("/livez", _probe(health.not_live))
    app.router.add_get("/readyz", _probe(health.not_ready))
    app.router.add_get("/status", _status(health))
    app.router.add_get("/metrics", _metrics(registry))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as failure:
        await runner.cleanup()
        raise WebUnavailable(_explain(failure, host, port)) from failure
    return runner


Handler = Callable[[web.Request], Awaitable[web.Response]]


def _probe(reasons_not: Callable[[], tuple[str, ...]]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        reasons = reasons_not()
        body = orjson.dumps({"ok": not reasons, "reasons": reasons})
        return _json(body, status=503 if reasons else 200)

    return answer


def _status(health: Health) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return _json(orjson.dumps(health.status(), option=orjson.OPT_INDENT_2))

    return answer


def _metrics(registry: CollectorRegistry) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type, **_NEVER_CACHED})

    return answer


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=_NEVER_CACHED)


def _explain(failure: OSError, host: str, port: int) -> str:
    wanted = f"the health and metrics port {port} on {host} can't be opened"
    if failure.errno == errno.EADDRINUSE:
        return f"{wanted}: something listens there already; set LOTRISK_WEB_PORT to another one (0 takes a free one)"
    if failure.errno == errno.EACCES:
        return f"{wanted}: not permitted; set LOTRISK_WEB_PORT to one above 1023"
    return f"{wanted}: {failure.strerror or failure}; check LOTRISK_WEB_HOST and LOTRISK_WEB_PORT"
