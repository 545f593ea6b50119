"""Days and countries as a person types them after an option."""

from __future__ import annotations

from datetime import date

import typer


def typed_day(option: str, text: str) -> date:
    """The day of an option's text.

    Raises:
        typer.Exit: 2, with a line that says how a day is written.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        typer.echo(f"{option}: {text!r} is not a date; write YYYY-MM-DD", err=True)
        raise typer.Exit(2) from None


def within(option: str, day: date, first: date, last: date) -> date:
    """The day, if the book covers it.

    Raises:
        typer.Exit: 2, with a line that says which days it covers.
    """
    if first <= day <= last:
        return day
    typer.echo(f"{option}: {day} is outside the book, which covers {first} to {last}", err=True)
    raise typer.Exit(2)


def typed_country(option: str, text: str | None) -> str | None:
    """The country of an option's text as ISO alpha-2: by name or code; None for none.

    Raises:
        typer.Exit: 2, with a line that says how a country is written.
    """
    from streams.feeds.cells import country

    try:
        return country(text) if text else None
    except ValueError as error:
        typer.echo(f"{option}: {text!r} is {error}", err=True)
        raise typer.Exit(2) from None
