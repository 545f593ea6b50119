"""The health and metrics port, asked by a real HTTP client."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from streams.instruments import Metrics
from streams.web import WebUnavailable, start_web
from streams.web.health import JSON


@dataclass
class Said:
    """A worker's health as told."""

    live: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    state: dict[str, JSON] = field(default_factory=dict)

    def not_live(self) -> tuple[str, ...]:
        return self.live

    def not_ready(self) -> tuple[str, ...]:
        return self.ready

    def status(self) -> Mapping[str, JSON]:
        return self.state


def serve(health: Said, ask: Callable[[aiohttp.ClientSession, Metrics], Awaitable[None]]) -> None:
    async def run() -> None:
        metrics = Metrics(CollectorRegistry())
        server = await start_web(health, metrics.registry, "127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
                await ask(client, metrics)
        finally:
            await server.stop()

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_healthy_worker_answers_200_without_reasons(path: str) -> None:
    async def ask(client: aiohttp.ClientSession, _: Metrics) -> None:
        async with client.get(path) as answer:
            assert answer.status == 200
            assert await answer.json() == {"ok": True, "reasons": []}
            assert answer.headers["Cache-Control"] == "no-store"

    serve(Said(), ask)


def test_a_stuck_worker_answers_503_with_its_reasons_and_is_still_ready() -> None:
    async def ask(client: aiohttp.ClientSession, _: Metrics) -> None:
        async with client.get("/livez") as answer:
            assert answer.status == 503
            assert await answer.json() == {"ok": False, "reasons": ["dms.vehicles/3: stands still"]}
        async with client.get("/readyz") as answer:
            assert answer.status == 200

    serve(Said(live=("dms.vehicles/3: stands still",)), ask)


def test_readiness_is_asked_anew_each_time() -> None:
    health = Said(ready=("no policy book loaded yet",))

    async def ask(client: aiohttp.ClientSession, _: Metrics) -> None:
        async with client.get("/readyz") as answer:
            assert answer.status == 503
        health.ready = ()
        async with client.get("/readyz") as answer:
            assert answer.status == 200

    serve(health, ask)


def test_status_is_json_as_told() -> None:
    state: dict[str, JSON] = {"book": None, "partitions": [{"topic": "dms.vehicles", "lag": 3}]}

    async def ask(client: aiohttp.ClientSession, _: Metrics) -> None:
        async with client.get("/status") as answer:
            assert answer.content_type == "application/json"
            assert await answer.json() == state

    serve(Said(state=state), ask)


def test_metrics_come_in_the_text_format_and_in_openmetrics_where_asked() -> None:
    async def ask(client: aiohttp.ClientSession, metrics: Metrics) -> None:
        metrics.rebalances.inc(2)
        async with client.get("/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert "\nlotrisk_rebalances_total 2.0\n" in await answer.text()
        async with client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            text = await answer.text()
            assert "\nlotrisk_rebalances_total 2.0\n" in text
            assert text.endswith("# EOF\n")

    serve(Said(), ask)


def test_another_path_is_404_and_nothing_can_be_written() -> None:
    async def ask(client: aiohttp.ClientSession, _: Metrics) -> None:
        async with client.get("/") as answer:
            assert answer.status == 404
        async with client.post("/status") as answer:
            assert answer.status == 405

    serve(Said(), ask)


def test_a_worker_whose_loop_is_busy_answers_all_the_same() -> None:
    async def run() -> None:
        server = await start_web(Said(), Metrics(CollectorRegistry()).registry, "127.0.0.1", 0)
        for path in ("/livez", "/metrics"):  # asked from this loop's own thread: it can't turn meanwhile
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:  # noqa: ASYNC210 - on purpose
                assert answer.status == 200
        await server.stop()

    asyncio.run(run())


def test_a_taken_port_names_itself_and_the_setting() -> None:
    async def run() -> None:
        metrics = Metrics(CollectorRegistry())
        first = await start_web(Said(), metrics.registry, "127.0.0.1", 0)
        try:
            with pytest.raises(WebUnavailable, match=rf"port {first.port} on 127.0.0.1 .* LOTRISK_WEB_PORT"):
                await start_web(Said(), metrics.registry, "127.0.0.1", first.port)
        finally:
            await first.stop()

    asyncio.run(run())


def test_a_stopped_port_is_free_again() -> None:
    async def run() -> None:
        metrics = Metrics(CollectorRegistry())
        first = await start_web(Said(), metrics.registry, "127.0.0.1", 0)
        await first.stop()
        second = await start_web(Said(), metrics.registry, "127.0.0.1", first.port)
        assert second.port == first.port
        await second.stop()

    asyncio.run(run())


def test_a_host_that_is_not_ours_says_which_settings_to_check() -> None:
    async def run() -> None:
        with pytest.raises(WebUnavailable, match="check LOTRISK_WEB_HOST"):
            await start_web(Said(), CollectorRegistry(), "192.0.2.1", 0)

    asyncio.run(run())
