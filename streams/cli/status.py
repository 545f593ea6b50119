"""`lotrisk status`: workers, partitions, lag, book, paused lanes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.transport.lag import PartitionLag


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def status(
        json: Annotated[bool, typer.Option("--json", help="Machine readable.")] = False,
    ) -> None:
        """Show the workers, who has which partition, lag, the book in use and paused partitions.

        Exits with 1 when no worker is alive or a partition is paused.
        """
        import orjson
        from kafka.errors import KafkaError

        from streams.settings import Settings
        from streams.topics import PARTS, VEHICLES
        from streams.transport.heartbeat import DEAD_AFTER_SECONDS, read_workers
        from streams.transport.lag import group_lag
        from streams.transport.reading import TopicMissingError

        settings = Settings()
        try:
            lags = group_lag(settings, [topic.full_name(settings.topic_prefix) for topic in (VEHICLES, PARTS)])
            workers = asyncio.run(read_workers(settings))
        except (KafkaError, TopicMissingError) as error:
            typer.echo(f"{settings.bootstrap_servers}: {error}", err=True)
            raise typer.Exit(1) from error
        now = datetime.now(UTC)
        for worker in workers:
            age = (now - datetime.fromisoformat(worker["at"])).total_seconds()
            worker["age_seconds"] = round(age, 1)
            worker["alive"] = age < DEAD_AFTER_SECONDS
        owners = {
            (lane["topic"], lane["partition"]): (worker["worker"], lane["paused"])
            for worker in workers
            if worker["alive"]
            for lane in worker["partitions"]
        }
        if json:
            typer.echo(orjson.dumps(_document(workers, lags, owners), option=orjson.OPT_INDENT_2).decode())
        else:
            _show(workers, lags, owners)
        if not any(worker["alive"] for worker in workers) or any(paused for _, paused in owners.values()):
            raise typer.Exit(1)


Owners = dict[tuple[str, int], tuple[str, bool]]


def _document(workers: list[dict[str, Any]], lags: list[PartitionLag], owners: Owners) -> dict[str, object]:
    partitions = []
    for lag in lags:
        owner, paused = owners.get((lag.topic, lag.partition), (None, False))
        partitions.append(
            {"topic": lag.topic, "partition": lag.partition, "committed": lag.committed, "end": lag.end,
             "lag": lag.lag, "worker": owner, "paused": paused}
        )  # fmt: skip
    return {"workers": workers, "partitions": partitions, "lag": sum(lag.lag for lag in lags)}


def _show(workers: list[dict[str, Any]], lags: list[PartitionLag], owners: Owners) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title="workers")
    for column in ("worker", "state", "last beat", "version", "book", "partitions", "health and metrics"):
        table.add_column(column)
    for worker in workers:
        state = "dead" if not worker["alive"] else "ready" if worker["ready"] else "; ".join(worker["reasons"])
        table.add_row(
            worker["worker"], state, f"{worker['age_seconds']:.0f} s ago", worker["version"], worker["book"],
            str(len(worker["partitions"])), worker["web"],
        )  # fmt: skip
    console.print(table)
    if not workers:
        console.print("no worker has reported: start one with `lotrisk worker`")
    table = Table(title=f"partitions, {sum(lag.lag for lag in lags):,} records behind")
    for column, justify in (("topic", "left"), ("partition", "right"), ("committed", "right"), ("end", "right"),
                            ("lag", "right"), ("worker", "left")):  # fmt: skip
        table.add_column(column, justify="right" if justify == "right" else "left")
    for lag in lags:
        owner, paused = owners.get((lag.topic, lag.partition), ("nobody", False))
        table.add_row(
            lag.topic, str(lag.partition), "-" if lag.committed is None else f"{lag.committed:,}", f"{lag.end:,}",
            f"{lag.lag:,}", f"{owner} PAUSED" if paused else owner,
        )  # fmt: skip
    console.print(table)
