"""`lotrisk whatif`: what hypothetical measures would change on the current lot, without publishing them."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.policy.book import Book
    from streams.reference.trade_records import MeasureRecord
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def whatif(
        file: Annotated[Path, typer.Argument(help="Hypothetical measures, TOML or JSON; see docs/policy-desk.md.")],
        on: Annotated[str | None, typer.Option(help="Day on which they stand, YYYY-MM-DD; today if left out.")] = None,
        json: Annotated[Path | None, typer.Option(help="Also write all sums as JSON.")] = None,
        csv: Annotated[Path | None, typer.Option(help="Also write the sums by group as CSV.")] = None,
    ) -> None:
        """Show what measures would change on the current lot if they stood: duty, controls, by make, origin, dealer.

        Nothing is published. Amounts are the importer's duty if the goods on the lot were entered again.
        """
        import orjson
        from rich.console import Console

        from streams.cli._days import typed_day, within
        from streams.cli._lot_reading import today
        from streams.cli._lot_report import document, show, write_csv
        from streams.cli._policy_file import PolicyFileError
        from streams.reference.trade import load_trade
        from streams.settings import load_settings
        from streams.transport.reading import TopicMissingError

        settings = load_settings()
        trade = load_trade()
        day = within("--on", typed_day("--on", on), trade.first_day, trade.last_day) if on else today(settings)
        from streams.cli._lot_reading import difference

        try:
            before, after, records = asyncio.run(_books(settings, file, day))
            lot = asyncio.run(difference(settings, before, after, Console(stderr=True)))
        except (PolicyFileError, TopicMissingError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        console = Console()
        for record in records:
            console.print(f"[bold]{record.id}[/] {record.title}", highlight=False)
        console.print(f"against book {before.number}", highlight=False)
        show(lot, console)
        head = {"book": str(before.number), "day": day.isoformat(), "measures": [record.id for record in records]}
        try:
            if json is not None:
                text = orjson.dumps(head | document(lot), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
                json.write_bytes(text)
                typer.echo(f"wrote {json}", err=True)
            if csv is not None:
                write_csv(lot, csv)
                typer.echo(f"wrote {csv}", err=True)
        except OSError as error:
            typer.echo(f"{error.filename}: {error.strerror}", err=True)
            raise typer.Exit(1) from error


async def _books(settings: Settings, file: Path, day: date) -> tuple[Book, Book, list[MeasureRecord]]:
    """The book of the day, the same with the file's measures, and these; they stand from the book's own day."""
    from streams.cli._lot_reading import book_of
    from streams.cli._policy_file import PolicyFileError, read_event
    from streams.reference.trade import load_trade
    from streams.transport.desk import in_order, read_log

    trade = load_trade()
    read_event(file, hypothetical(day))  # a file that can't be read is told before any broker is asked
    read = await read_log(settings, trade)
    held = read.log.overrides
    before = book_of(settings, trade, day, held)
    records = read_event(file, hypothetical(before.number.regime))
    _, _, refused = in_order(read.log, records)
    if refused:
        raise PolicyFileError("\n".join(f"{file.name}: [[measure]] {one.measure}: {one.error}" for one in refused))
    return before, book_of(settings, trade, day, read.log.overrides), records


def hypothetical(day: date) -> dict[str, Any]:
    """What a measure that only `whatif` sees need not say: it is law from the day of the book."""
    return {
        "instrument": "hypothetical",
        "status": "in_force",
        "effective_from": day,
        "recorded_at": day,
        "confidence": "L",
        "source": "hypothetical",
    }
