"""`lotrisk explain`: the whole reasoning behind an estimate."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from schemas.fields import PartKind, StockClass

_DAY = ["%Y-%m-%d"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain)


def explain(
    vin: Annotated[str | None, typer.Argument(help="A VIN; leave it out with --stdin and --part.")] = None,
    msrp: Annotated[str | None, typer.Option(help="MSRP in dollars, destination apart: 38990.00.")] = None,
    stock_class: Annotated[StockClass, typer.Option(help="How the unit stands in stock.")] = StockClass.NEW,
    entry_date: Annotated[datetime | None, typer.Option(formats=_DAY, help="Day of entry, where known.")] = None,
    in_stock_date: Annotated[datetime | None, typer.Option(formats=_DAY, help="Day the unit came into stock.")] = None,
    usmca: Annotated[bool | None, typer.Option("--usmca/--no-usmca", help="Whether USMCA is claimed.")] = None,
    us_content: Annotated[float | None, typer.Option(min=0, max=1, help="Approved US content, 0 to 1.")] = None,
    country_of_assembly: Annotated[str | None, typer.Option(help="Country the record states, e.g. MX.")] = None,
    part: Annotated[str | None, typer.Option(metavar="NUMBER", help="Explain a part of this number instead.")] = None,
    description: Annotated[str | None, typer.Option(help="With --part: the parts master's words.")] = None,
    brand: Annotated[str | None, typer.Option(help="With --part: its maker.")] = None,
    part_family: Annotated[str | None, typer.Option(help="With --part: its family, where it is known.")] = None,
    part_kind: Annotated[PartKind | None, typer.Option(help="With --part: where it comes from in the trade.")] = None,
    hts: Annotated[str | None, typer.Option(help="With --part: its tariff number.")] = None,
    origin: Annotated[str | None, typer.Option(help="With --part: its country of origin, e.g. CN.")] = None,
    cost: Annotated[str | None, typer.Option(help="With --part: dealer cost in dollars, core apart.")] = None,
    quantity: Annotated[float | None, typer.Option(min=0, help="With --part: quantity on hand.")] = None,
    demand: Annotated[float | None, typer.Option(min=0, help="With --part: demands in the last 12 months.")] = None,
    last_received: Annotated[
        datetime | None, typer.Option(formats=_DAY, help="With --part: day of the last receipt.")
    ] = None,
    on: Annotated[datetime | None, typer.Option(formats=_DAY, help="Day in force; unset: today, US Eastern.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="VINs from standard input, one a line; one object out.")
    ] = False,
) -> None:
    """Explain the estimate of a vehicle or part: origin, line, bill of rare earths, controls, duty, what isn't known.

    A vehicle's origin is the plant's country. Ranges are low / central / high. Nothing here is for customers.
    """
    import difflib
    import sys
    from zoneinfo import ZoneInfo

    import orjson
    from rich.console import Console

    from streams import reference
    from streams.cli._days import typed_country, within
    from streams.cli._explain_part import explain_part, show_part
    from streams.cli._explain_vehicle import explain_vin, show_vehicle
    from streams.enrich.context import Context
    from streams.policy.book import build_book

    if (vin is not None) + stdin + (part is not None) != 1:
        raise typer.BadParameter("give one VIN, or --stdin, or --part NUMBER")
    known = reference.load()
    first, last = known.trade.first_day, known.trade.last_day
    day = within("--on", on.date(), first, last) if on else datetime.now(ZoneInfo("America/New_York")).date()
    country_of_assembly = typed_country("--country-of-assembly", country_of_assembly)
    origin = typed_country("--origin", origin)
    if part_family is not None and part_family not in known.materials.families:
        near = difflib.get_close_matches(part_family, known.materials.families, cutoff=0.4)
        said = f"--part-family: no family {part_family!r}" + (f"; near: {', '.join(near)}" if near else "")
        typer.echo(said, err=True)
        raise typer.Exit(2)
    context = Context(known, build_book(known.trade, day))
    if part is not None:
        shown = explain_part(
            part,
            context,
            description=description,
            brand=brand,
            part_family=part_family,
            part_kind=part_kind,
            hts=hts,
            country_of_origin=origin,
            cost_usd=cost,
            qty_on_hand=quantity,
            demand_12m=demand,
            entry_date=entry_date.date() if entry_date else None,
            last_received=last_received.date() if last_received else None,
            in_stock_date=in_stock_date.date() if in_stock_date else None,
            usmca=usmca,
        )
        if as_json:
            typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2))
        elif "error" in shown:
            typer.echo(shown["error"], err=True)
        else:
            show_part(shown, Console(markup=False, emoji=False))
        if "error" in shown:
            raise typer.Exit(1)
        return
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
        for line in sys.stdin.buffer:
            text = line.decode("utf-8-sig", "replace").strip()
            if text:
                write(orjson.dumps(explain_vin(text, context, **stated), option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
        return
    assert vin is not None
    found = explain_vin(vin, context, **stated)
    if as_json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    elif "error" in found:
        typer.echo(found["error"], err=True)
    else:
        show_vehicle(found, Console(markup=False, emoji=False))
    if "error" in found:
        raise typer.Exit(1)
