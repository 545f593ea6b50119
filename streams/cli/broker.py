"""`lotrisk broker`: Apache Kafka in the foreground, with nothing to install."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
    import threading

    from rich.console import Console

    from streams.broker import BrokerError, EmbeddedKafka
    from streams.broker.distribution import KAFKA_VERSION

    console = Console(stderr=True)
    if keep and data_dir is None:
        data_dir = Path(tempfile.mkdtemp(prefix="lotrisk-kafka-"))
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: over.set())
    kafka = EmbeddedKafka(data_dir, port, heap=heap, console=console)
    try:
        kafka.start()
    except BrokerError as failure:
        console.print("[bold red]lotrisk broker:[/] ", end="")
        console.print(str(failure), markup=False, highlight=False)
        raise typer.Exit(1) from None
    console.print(f"Apache Kafka {KAFKA_VERSION} answers at [bold]{kafka.bootstrap_servers}[/]. Ctrl-C ends it.")
    console.print(f"Log: {kafka.log_path}", highlight=False)
    print(kafka.bootstrap_servers, flush=True)
    try:
        while kafka.pid is not None and not over.wait(0.5):
            pass
        died = kafka.pid is None
    finally:
        if data_dir is not None:
            console.print(f"Data kept in {data_dir}", highlight=False)
        kafka.stop()
    if died:
        console.print("[bold red]lotrisk broker:[/] Apache Kafka ended by itself.")
        raise typer.Exit(1)
