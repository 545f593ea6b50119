"""The book that `lotrisk policy list|show|diff|timeline` ask: the files, and what trade.policy overrides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.policy.book import Book
    from streams.reference.trade import TradeReference
    from streams.settings import Settings
    from streams.transport.desk import ReadLog

Published = Annotated[
    bool | None,
    typer.Option(
        "--published/--files",
        help="With what trade.policy overrides, or the files alone. Left out: with it where LOTRISK_BOOTSTRAP_SERVERS "
        "is set and the brokers answer.",
        show_default=False,
    ),
]
READ_SECONDS = 15.0


def policy_book(on: str | None, known_at: str | None, published: bool | None) -> Book:
    """The book of a day as known on another, None for today and all that is known; what it rests on goes to stderr.

    Raises:
        typer.Exit: 2 for a day that is none; 1 where trade.policy was asked for and can't be read.
    """
    from streams.cli._days import typed_day
    from streams.cli._lot_reading import today
    from streams.policy.book import build_book
    from streams.reference.trade import load_trade
    from streams.settings import load_settings

    settings = load_settings()
    day = typed_day("--on", on) if on else today(settings)
    known = typed_day("--known-at", known_at) if known_at else None
    trade = load_trade()
    wanted = "bootstrap_servers" in settings.model_fields_set if published is None else published
    read = _read(settings, trade, asked_for=published is True) if wanted else None
    if read is None:
        return build_book(trade, day, known_at=known)
    log = read.log
    count = len(log.overrides)
    typer.echo(f"with {count} version{'s' * (count != 1)} from trade.policy of {settings.bootstrap_servers}", err=True)
    return build_book(trade, day, log.overrides, epoch=log.epoch, offset=log.offset, known_at=known)


def _read(settings: Settings, trade: TradeReference, *, asked_for: bool) -> ReadLog | None:
    from aiokafka.errors import KafkaError

    from streams.cli._brokers import is_of_kafka, what_brokers_said
    from streams.transport.desk import read_log
    from streams.transport.reading import TopicMissingError

    try:
        return asyncio.run(asyncio.wait_for(read_log(settings, trade), READ_SECONDS))
    except (KafkaError, TopicMissingError, TimeoutError) as error:
        said = what_brokers_said(settings.bootstrap_servers, error) if is_of_kafka(error) else str(error)
        said = said or f"no answer within {READ_SECONDS:.0f} s"
        if asked_for:
            typer.echo(f"trade.policy can't be read: {said}", err=True)
            raise typer.Exit(1) from error
        typer.echo(f"from the files alone: trade.policy can't be read: {said}", err=True)
        return None
