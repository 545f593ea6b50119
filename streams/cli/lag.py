"""`lotrisk lag`: the exporter that asks the brokers, not the workers, how far the group is behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def lag(
        port: Annotated[int, typer.Option(help="Port of /metrics and /livez; 0 takes a free one.", max=65535)] = 6067,
        every: Annotated[float, typer.Option(help="Seconds between two questions.", min=0.1)] = 10.0,
        timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer of the brokers.", min=0.1)] = 10.0,
    ) -> None:
        """Export the group's lag for Prometheus until stopped, on LOTRISK_WEB_HOST and a port of its own.

        Brokers that are away are asked again; meanwhile lotrisk_brokers_up is 0.
        """
        import asyncio
        import logging

        from streams.logs import configure
        from streams.settings import load_settings

        settings = load_settings()
        configure(settings, "lag")
        logging.getLogger("kafka").setLevel(logging.ERROR)
        asyncio.run(_serve(settings, port, every, timeout))


async def _serve(settings: Settings, port: int, every: float, timeout: float) -> None:
    import asyncio
    import logging
    import signal
    import time

    from streams.topics import PARTS, VEHICLES
    from streams.transport.lag import GroupLag
    from streams.web.lag_exporter import LagView, keep_asking, register
    from streams.web.server import WebUnavailable, start_web

    view = LagView(time.time, stuck_seconds=every + 12 * timeout)
    topics = [topic.full_name(settings.topic_prefix) for topic in (VEHICLES, PARTS)]
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        web = await start_web(view, register(view), settings.web_host, port)
    except WebUnavailable as error:
        typer.echo(f"{error} (here: --port)", err=True)
        raise typer.Exit(1) from error
    logging.getLogger("lotrisk").info("lag exporter ready on http://%s:%d/metrics", settings.web_host, web.port)
    failed = keep_asking(view, GroupLag(settings, topics, timeout_seconds=timeout).ask, every)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((failed, stopping), return_when=asyncio.FIRST_COMPLETED)
    await web.stop()
    if failed.done():
        failed.result()
