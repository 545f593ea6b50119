"""`lotrisk worker`: the process that enriches."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import typer

if TYPE_CHECKING:
    from streams.app import LotriskApp
    from streams.settings import Settings
    from streams.transport.lanes import Lanes
    from streams.transport.pipeline import Pipeline

log = logging.getLogger("lotrisk")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def worker() -> None:
        """Enrich vehicles and parts until stopped (Ctrl-C or SIGTERM)."""
        from streams.settings import Settings

        raise typer.Exit(run(Settings()))


class Agent(Protocol):
    """A module of `streams.agents`: what it does with its input, and how it joins an app."""

    PIPELINE: Pipeline

    @staticmethod
    def register(app: LotriskApp) -> None: ...


def run(settings: Settings, agents: Sequence[Agent] | None = None) -> int:
    """Run one worker in this process with `agents` (vehicles and parts).

    Returns the exit status: 0 when it was stopped, 1 when it could not start or crashed.
    """
    import uvloop

    from streams.agents import parts, vehicles

    logging.basicConfig(
        level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for chatty in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    # The consumer's thread makes a loop of its own by this policy.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return asyncio.run(_serve(settings, (vehicles, parts) if agents is None else agents))


def end_process(error: BaseException) -> None:
    """Nothing can be trusted any more: leave before anything is committed; the orchestrator starts a new process."""
    log.critical("the worker ends: %r", error, exc_info=error)
    logging.shutdown()
    os._exit(70)


async def _serve(settings: Settings, agents: Sequence[Agent]) -> int:
    from prometheus_client import CollectorRegistry

    from streams import __version__
    from streams.app import create_app
    from streams.clock import clock_for
    from streams.metrics import Metrics
    from streams.reference import load
    from streams.transport.books import Books
    from streams.transport.heartbeat import Heartbeat
    from streams.transport.preflight import TopicsNotReadyError

    metrics = Metrics(CollectorRegistry())
    metrics.build(__version__)
    books = Books(load(), clock_for(settings.as_of), lambda book: metrics.book_in_use(str(book.number), None))
    app = create_app(
        settings,
        [agent.PIPELINE for agent in agents],
        context=books.context,
        metrics=metrics,
        fatal=end_process,
    )
    for agent in agents:
        agent.register(app)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await app.start()
    except TopicsNotReadyError as error:
        log.error("%s", error)
        return 1
    heartbeat = Heartbeat(settings, lambda: report(app.lanes, str(books.context().book.number)))
    await heartbeat.start()
    log.info("worker ready")
    try:
        await app.wait(stop.wait())
    finally:
        _leave_for_sure_within(20)
        await heartbeat.stop()
        await app.stop()
    return 1 if app.crashed else 0


def report(lanes: Lanes, book: str) -> dict[str, object]:
    """What a heartbeat says: the book, and each assigned partition with how far it is."""
    return {
        "book": book,
        "partitions": sorted(f"{tp.topic}[{tp.partition}]" for tp in lanes.assigned),
        "paused": {f"{tp.topic}[{tp.partition}]": why for tp, why in lanes.paused.items()},
    }


def _leave_for_sure_within(seconds: float) -> None:
    """A stop that hangs is ended: everything finished is committed, the rest will be read again."""
    timer = threading.Timer(seconds, lambda: os._exit(71))
    timer.daemon = True
    timer.start()
