"""`lotrisk explain`: the whole reasoning behind an estimate."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from schemas.fields import StockClass

_DAY = ["%Y-%m-%d"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    vin: Annotated[str | None, typer.Argument(help="A VIN; leave it out with --stdin.")] = None,
    msrp: Annotated[str | None, typer.Option(help="MSRP in dollars, destination apart: 38990.00.")] = None,
    stock_class: Annotated[StockClass, typer.Option(help="How the unit stands in stock.")] = StockClass.NEW,
    entry_date: Annotated[datetime | None, typer.Option(formats=_DAY, help="Day of entry, where known.")] = None,
    in_stock_date: Annotated[datetime | None, typer.Option(formats=_DAY, help="Day the unit came into stock.")] = None,
    usmca: Annotated[bool | None, typer.Option("--usmca/--no-usmca", help="Whether USMCA is claimed.")] = None,
    us_content: Annotated[float | None, typer.Option(min=0, max=1, help="Approved US content, 0 to 1.")] = None,
    country_of_assembly: Annotated[str | None, typer.Option(help="Country the record states, e.g. MX.")] = None,
    on: Annotated[datetime | None, typer.Option(formats=_DAY, help="Day in force; unset: today, US Eastern.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="VINs from standard input, one a line; one object out.")
    ] = False,
) -> None:
    """Explain a vehicle's estimate: VIN, origin, line, bill of rare earths, controls, duty, and what isn't known.

    Origin is the plant's country. Ranges are low / central / high. Nothing here is for customers.
    """
    import sys
    from zoneinfo import ZoneInfo

    import orjson
    from rich.console import Console

    from streams import reference
    from streams.cli._explain_vehicle import explain_vin, show_vehicle
    from streams.enrich.context import Context
    from streams.policy.book import build_book

    if (vin is None) is not stdin:
        raise typer.BadParameter("give one VIN, or --stdin and none")
    known = reference.load()
    context = Context(
        known, build_book(known.trade, on.date() if on else datetime.now(ZoneInfo("America/New_York")).date())
    )
    stated: dict[str, object] = {
        "msrp_usd": msrp,
        "stock_class": stock_class,
        "entry_date": entry_date.date() if entry_date else None,
        "in_stock_date": in_stock_date.date() if in_stock_date else None,
        "usmca": usmca,
        "us_content_share": us_content,
        "country_of_assembly": country_of_assembly,
    }
    if stdin:
        write = sys.stdout.buffer.write
        for line in sys.stdin:
            if line.strip():
                write(orjson.dumps(explain_vin(line, context, **stated), option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
        return
    assert vin is not None
    found = explain_vin(vin, context, **stated)
    if as_json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    else:
        show_vehicle(found, Console(markup=False, emoji=False))
    if "error" in found:
        raise typer.Exit(1)
