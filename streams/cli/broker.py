"""`lotrisk broker`: Apache Kafka in the foreground, with nothing to install."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_LOOK_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(broker)


def broker(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port on 127.0.0.1; 0 takes a free one.", show_default=True)
    ] = 9092,
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory for the data; kept and used again. Default: a temporary one.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary directory at the end.")] = False,
    heap: Annotated[str, typer.Option(help="Most heap of the broker's Java, as for -Xmx.")] = "512m",
) -> None:
    """Run Apache Kafka (one KRaft node) until Ctrl-C, and print its bootstrap address.

    The first time its jars are fetched into a cache; after that no network is needed.
    """
    import signal
    import tempfile
    import time

    from rich.console import Console

    from streams.broker import BrokerError, EmbeddedKafka
    from streams.broker.distribution import KAFKA_VERSION

    console = Console(stderr=True)
    if keep and data_dir is None:
        data_dir = Path(tempfile.mkdtemp(prefix="lotrisk-kafka-"))

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    failure: str | None = None
    try:
        with EmbeddedKafka(data_dir, port, heap=heap, console=console) as kafka:
            console.print(
                f"Apache Kafka {KAFKA_VERSION} is up. Ctrl-C ends it. Log: {kafka.log_path}",
                highlight=False,
                soft_wrap=True,
            )
            print(kafka.bootstrap_servers, flush=True)
            while kafka.pid is not None:
                time.sleep(_LOOK_SECONDS)
            failure = f"Apache Kafka ended by itself.\n{kafka.log_tail()}"
    except BrokerError as error:
        failure = str(error)
    except KeyboardInterrupt:
        pass
    if data_dir is not None:
        console.print(f"Data kept in {data_dir}", highlight=False, soft_wrap=True)
    if failure is not None:
        console.print(f"lotrisk broker: {failure}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)
