"""`lotrisk worker`: the process that enriches."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from streams.settings import Settings

log = logging.getLogger("lotrisk")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def worker() -> None:
        """Enrich vehicles and parts until stopped (Ctrl-C or SIGTERM)."""
        from streams.settings import Settings

        raise typer.Exit(run(Settings()))


def run(settings: Settings) -> int:
    """Run one worker in this process; 0 when it was stopped, 1 when it could not start or crashed."""
    import uvloop

    logging.basicConfig(
        level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for chatty in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        return runner.run(_serve(settings))


def end_process(error: BaseException) -> None:
    """Nothing can be trusted any more: leave before anything is committed; the orchestrator starts a new process."""
    log.critical("the worker ends: %r", error, exc_info=error)
    logging.shutdown()
    os._exit(70)


async def _serve(settings: Settings) -> int:
    from prometheus_client import CollectorRegistry

    from streams import __version__
    from streams.agents import parts, vehicles
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
        settings, (vehicles.PIPELINE, parts.PIPELINE), context=books.context, metrics=metrics, fatal=end_process
    )
    vehicles.register(app)
    parts.register(app)

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


def report(lanes: object, book: str) -> dict[str, object]:
    """What a heartbeat says."""
    return {"book": book}


def _leave_for_sure_within(seconds: float) -> None:
    """A stop that hangs is ended: everything finished is committed, the rest will be read again."""
    timer = threading.Timer(seconds, lambda: os._exit(71))
    timer.daemon = True
    timer.start()
