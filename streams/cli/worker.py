"""`lotrisk worker`: the process that enriches."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Protocol

import typer

if TYPE_CHECKING:
    from streams.app import LotriskApp
    from streams.instruments import Metrics
    from streams.policy.book import Book
    from streams.settings import Settings
    from streams.tracing import Tracing
    from streams.transport.pipeline import Pipeline
    from streams.web.health import WorkerHealth

log = logging.getLogger("lotrisk")

WATCH_SECONDS = 1.0
STATES_EVERY = 5
"""Sizes of states are looked at every so many rounds of the watch."""
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
STOP_SECONDS = 20.0
"""A stop that takes longer is cut off; the batch in work drains within LOTRISK_DRAIN_SECONDS."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def worker() -> None:
        """Enrich vehicles and parts until stopped (Ctrl-C or SIGTERM)."""
        from streams.settings import Settings

        raise typer.Exit(run(Settings()))


class Agent(Protocol):
    """A module of `streams.agents`: what it does with its input, and how it joins an app."""

    @property
    def PIPELINE(self) -> Pipeline: ...  # noqa: N802 - a module's constant
    @property
    def register(self) -> Callable[[LotriskApp], None]: ...


def run(settings: Settings, agents: Sequence[Agent] | None = None, *, remember: bool = True) -> int:
    """Run one worker in this process with `agents` (vehicles, parts, groups); without `remember` it keeps no state.

    Returns the exit status: 0 when it was stopped, 1 when it could not start or crashed.
    """
    import uvloop

    from streams.compiled import COMPILED
    from streams.heap import keep_small
    from streams.logs import configure

    keep_small()
    if agents is None:
        from streams.agents import groups, parts, vehicles

        agents = (vehicles, parts, groups)
    configure(settings, "worker")
    if not COMPILED:
        log.warning("this installation has no compiled module: install it again where there is a C compiler for speed")
    # The consumer's thread makes a loop of its own by this policy.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return asyncio.run(_serve(settings, agents, remember=remember))


def end_process(error: BaseException) -> None:
    """Nothing can be trusted any more: leave before anything is committed; the orchestrator starts a new process."""
    log.critical("the worker ends: %r", error, exc_info=error)
    logging.shutdown()
    os._exit(70)


async def _serve(settings: Settings, agents: Sequence[Agent], *, remember: bool) -> int:
    from kafka.errors import KafkaError
    from prometheus_client import CollectorRegistry

    from streams import __version__
    from streams.app import create_app
    from streams.clock import clock_for
    from streams.heap import set_aside
    from streams.instruments import Metrics
    from streams.reference import load
    from streams.settings import SettingsError
    from streams.state.store import StateStore
    from streams.transport.books import Books
    from streams.transport.follower import PolicyFollower
    from streams.transport.heartbeat import Heartbeat
    from streams.transport.preflight import TopicsNotReadyError
    from streams.web.exits import Exits
    from streams.web.health import WorkerHealth
    from streams.web.server import WebUnavailable, start_web

    metrics = Metrics(CollectorRegistry())
    metrics.build(__version__)
    for agent in agents:
        metrics.latency.begin(agent.PIPELINE.source.full_name(settings.topic_prefix))
    exits = Exits(settings.state_dir)
    metrics.exits_before(exits.counts())

    def fatal(error: BaseException) -> None:
        exits.add(error)
        end_process(error)

    try:
        tracing = _tracing(settings)
    except RuntimeError as error:
        log.error("%s", error)
        return 1
    books = Books(
        load(),
        clock_for(settings.as_of, settings.as_of_started),
        lambda book: _show_book(metrics, book),
        as_known_then=settings.as_of is not None,
    )
    follower = PolicyFollower(settings, books, metrics, fatal)
    app = create_app(
        settings,
        [agent.PIPELINE for agent in agents],
        context=books.context,
        metrics=metrics,
        fatal=fatal,
        follower=follower,
        states=StateStore(settings, metrics=metrics) if remember else None,
        since=lambda: books.since,
        tracing=tracing,
    )
    books.on_change(lambda _: app.lanes.book_changed())
    for agent in agents:
        agent.register(app)
    health = WorkerHealth(
        metrics,
        assigned=lambda: app.lanes.is_leased,
        book=lambda: str(books.number),
        stall_seconds=settings.stall_seconds,
    )

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stopping = loop.create_task(stop.wait())
    # To restore a lot makes many objects too.
    set_aside()
    try:
        web = await start_web(health, metrics.registry, settings.web_host, settings.web_port)
        starting = loop.create_task(app.start())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            # The group may take as long as a rebalance to let us in: too long to wait with leaving.
            _leave_for_sure_within(STOP_SECONDS)
            log.info("told to stop before the group let this worker in")
            await app.stop()
            await web.stop()
            return 0
        await starting
    except (TopicsNotReadyError, WebUnavailable, SettingsError, KafkaError) as error:
        log.error("%s", error)
        return 1
    heartbeat = Heartbeat(
        settings,
        lambda: {"web": f"{_reached_at(settings.web_host)}:{web.port}", **health.status(), **follower.report()},
    )
    await heartbeat.start()
    follower.on_read(heartbeat.beat)
    books.on_change(lambda _: heartbeat.beat())
    watch = loop.create_task(_watch(app, metrics, health), name="watch")
    watched = end_when_stuck(health, fatal)
    set_aside()
    log.info("worker ready; health and metrics on http://%s:%d", settings.web_host, web.port)
    try:
        await app.wait(stopping)
    finally:
        _leave_for_sure_within(STOP_SECONDS)
        watched.set()
        watch.cancel()
        await heartbeat.stop()
        await app.stop()
        await web.stop()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)
    return 1 if app.crashed else 0


def _tracing(settings: Settings) -> Tracing | None:
    """What makes spans; OpenTelemetry is loaded only where they are wanted."""
    from streams.settings import Traces

    if settings.traces is Traces.OFF:
        return None
    from streams.tracing import tracing_for

    return tracing_for(settings)


def _reached_at(web_host: str) -> str:
    """The host others ask for this worker's port: one that listens everywhere is known by its own name."""
    return socket.gethostname() if web_host in EVERYWHERE else web_host


def _show_book(metrics: Metrics, book: Book) -> None:
    from streams.policy.controls import REVIEW_REQUIRED, controlled

    verified = datetime.combine(book.trade.verified, datetime.min.time(), UTC).timestamp()
    unconfirmed = sum(control.status == REVIEW_REQUIRED for control in controlled(book))
    metrics.book_in_use(str(book.number), verified, unconfirmed)


async def _watch(app: LotriskApp, metrics: Metrics, health: WorkerHealth) -> None:
    """Keep the lanes' progress and what is shown of states current, and the heap small."""
    from streams.heap import give_back

    for turn in count():
        health.turned()
        if turn % STATES_EVERY == 0:
            metrics.look()
        # Milliseconds each time, and of every hundredth record they would be seen.
        await asyncio.to_thread(give_back)
        app.lanes.observe_progress()
        await asyncio.sleep(WATCH_SECONDS)


def end_when_stuck(
    health: WorkerHealth, fatal: Callable[[BaseException], None], every: float = WATCH_SECONDS
) -> threading.Event:
    """A worker that looks alive and moves nothing ends itself, to be restarted; until the event is set.

    Looked at from a thread of its own, since the loop may be what hangs, and twice in a row: a process that was frozen
    finds its loop to have stood still, and it turns at once.
    """
    from streams.web.exits import StalledError

    over = threading.Event()

    def look() -> None:
        before: tuple[str, ...] = ()
        while not over.wait(every):
            reasons = health.not_live()
            if reasons and before:
                fatal(StalledError("; ".join(reasons)))
            before = reasons

    threading.Thread(target=look, name="stuck", daemon=True).start()
    return over


def _leave_for_sure_within(seconds: float) -> None:
    """A stop that hangs is ended: everything finished is committed, the rest will be read again."""
    timer = threading.Timer(seconds, lambda: os._exit(71))
    timer.daemon = True
    timer.start()
