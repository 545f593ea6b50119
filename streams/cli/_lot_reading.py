"""The current lot under two books, read from the enriched topics."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from streams.cli._lot_difference import Kind, LotDifference
from streams.topics import PARTS_ENRICHED, VEHICLES_ENRICHED, Topic
from streams.transport.books import US_EASTERN, book_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from streams.policy.book import Book
    from streams.reference.trade import TradeReference
    from streams.reference.trade_records import MeasureRecord
    from streams.settings import Settings

TOPICS: tuple[tuple[Kind, Topic], ...] = (("vehicle", VEHICLES_ENRICHED), ("part", PARTS_ENRICHED))


def today(settings: Settings) -> date:
    """The day in New York by the clock that the workers have."""
    from streams.clock import clock_for

    return clock_for(settings.as_of, settings.as_of_started).now().astimezone(US_EASTERN).date()


def book_of(settings: Settings, trade: TradeReference, day: date, overrides: Sequence[MeasureRecord]) -> Book:
    """The book of a day as the workers would make it."""
    return book_on(trade, day, overrides, as_known_then=settings.as_of is not None)


async def difference(settings: Settings, before: Book, after: Book, console: Console) -> LotDifference:
    """Rate the whole lot under both books; a bar on `console` shows how far it is.

    Raises:
        TopicMissingError: the enriched topics don't exist.
    """
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from streams.enrich.context import Context
    from streams.reference import load
    from streams.transport.desk import current_records

    context = Context(load(), before)
    lot = LotDifference(context, context.under(after))
    columns = (TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} records"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("rating the lot under both books")
        for kind, topic in TOPICS:
            async for key, value in current_records(settings, topic):
                lot.add(kind, key, value)
                progress.advance(task)
    return lot
