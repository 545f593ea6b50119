"""`lotrisk status`: workers, partitions, lag, book, re-rating, paused lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.transport.lag import PartitionLag

PATIENCE_SECONDS = 10.0
"""Somebody waits for the answer."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def status(
        json: Annotated[bool, typer.Option("--json", help="Machine readable.")] = False,
    ) -> None:
        """Show the workers, who has which partition, lag, the book in use, how far re-rating is, and paused partitions.

        Exits with 1 when no worker is alive or a partition is paused.
        """
        import orjson
        from kafka.errors import KafkaError

        from streams.cli._brokers import what_brokers_said
        from streams.settings import Settings
        from streams.topics import PARTS, VEHICLES
        from streams.transport.heartbeat import DEAD_AFTER_SECONDS, read_workers
        from streams.transport.lag import group_lag
        from streams.transport.reading import TopicMissingError

        settings = Settings()
        try:
            topics = [topic.full_name(settings.topic_prefix) for topic in (VEHICLES, PARTS)]
            lags = group_lag(settings, topics, timeout_seconds=PATIENCE_SECONDS)
            workers = asyncio.run(read_workers(settings))
        except KafkaError as error:
            typer.echo(what_brokers_said(settings.bootstrap_servers, error), err=True)
            raise typer.Exit(1) from error
        except TopicMissingError as error:
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
    return {
        "workers": workers,
        "partitions": partitions,
        "lag": sum(lag.lag for lag in lags),
        "rerate": rerating_in_total(workers),
    }


def rerating_in_total(workers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How far the live workers are together in bringing what they hold up to a new book.

    Records and speed are sums, times the longest: null where a worker doesn't know yet. Beats of an older release, that
    don't say, are left out.
    """
    found = [worker["rerate"] for worker in workers if worker["alive"] and "rerate" in worker]
    remaining = [one["remaining_seconds"] for one in found]
    return {
        "pending": sum(one["pending"] for one in found),
        "rated": sum(one["rated"] for one in found),
        "per_second": round(sum(one["per_second"] for one in found), 1),
        "remaining_seconds": None if None in remaining else max(remaining, default=0.0),
        "last_seconds": max((one["last_seconds"] for one in found), default=0.0),
    }


def rerating_text(found: Mapping[str, Any]) -> str:
    """The same in words: `12,000 left, 8,000/s, 2 s`, or how long the last one took."""
    if not found["pending"]:
        return f"done, the last in {found['last_seconds']:.1f} s" if found["last_seconds"] else "done"
    remaining = found["remaining_seconds"]
    left = "" if remaining is None else f", {remaining:.0f} s"
    return f"{found['pending']:,} left, {found['per_second']:,.0f}/s{left}"


def _show(workers: list[dict[str, Any]], lags: list[PartitionLag], owners: Owners) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title="workers")
    for column in ("worker", "state", "last beat", "version", "book", "re-rating", "partitions", "health and metrics"):
        table.add_column(column)
    for worker in workers:
        state = "dead" if not worker["alive"] else "ready" if worker["ready"] else "; ".join(worker["reasons"])
        table.add_row(
            worker["worker"], state, f"{worker['age_seconds']:.0f} s ago", worker["version"], worker["book"],
            rerating_text(worker["rerate"]) if "rerate" in worker else "",
            str(len(worker["partitions"])), worker["web"],
        )  # fmt: skip
    console.print(table)
    total = rerating_in_total(workers)
    if total["pending"] or total["last_seconds"]:
        console.print(f"re-rating: {rerating_text(total)}, {total['rated']:,} rated", highlight=False)
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
