"""`lotrisk estimate`: the duty on one shipment, or on each row of a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.policy.book import Book
    from streams.policy.duty import DutyEstimate
    from streams.policy.shipment import Shipment


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def estimate(
        hts: Annotated[str | None, typer.Option(help="HTS number of 4 to 10 digits, dotted or not.")] = None,
        origin: Annotated[str | None, typer.Option(help="Country by name or code, or EU.")] = None,
        entry_date: Annotated[str | None, typer.Option(help="Day of entry, YYYY-MM-DD.")] = None,
        value: Annotated[str | None, typer.Option(help="Customs value in dollars.")] = None,
        usmca: Annotated[bool | None, typer.Option("--usmca/--no-usmca", help="USMCA is claimed, or not.")] = None,
        us_content: Annotated[str | None, typer.Option(help="Approved US content as a share, 0.4 or 40%.")] = None,
        claim: Annotated[list[str] | None, typer.Option(help="A claim; may be repeated. See docs/estimates.")] = None,
        known_at: Annotated[str | None, typer.Option(help="Read the book as it was known on that day.")] = None,
        in_transit_date: Annotated[str | None, typer.Option(help="Day of loading on the vessel.")] = None,
        metal_share: Annotated[str | None, typer.Option(help="Steel, aluminum and copper as a share.")] = None,
        us_metal_share: Annotated[str | None, typer.Option(help="US metal as a share of the metal.")] = None,
        hts98: Annotated[str | None, typer.Option("--hts98", help="Chapter 98 number, 9801.00.10.")] = None,
        csv: Annotated[
            Path | None, typer.Option(help="Rows to estimate (- for stdin); one JSON object a line comes out.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="Machine readable.")] = False,
    ) -> None:
        """Estimate what the importer of record owes at entry; not a dealer's cost, not advice, not for customers."""
        if csv is not None:
            _many(csv)
            return
        fields = {
            "hts": hts, "origin": origin, "entry_date": entry_date, "value": value,
            "usmca": None if usmca is None else str(usmca), "us_content": us_content, "claim": " ".join(claim or ()),
            "known_at": known_at, "in_transit_date": in_transit_date, "metal_share": metal_share,
            "us_metal_share": us_metal_share, "hts98": hts98,
        }  # fmt: skip
        _one(fields, json)


def _today_book() -> Book:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from streams.policy.book import build_book
    from streams.reference.trade import load_trade

    return build_book(load_trade(), datetime.now(ZoneInfo("America/New_York")).date())


def _one(fields: dict[str, str | None], json: bool) -> None:
    import orjson

    from streams.policy.report import estimate_document
    from streams.policy.shipment import estimate_shipment, read_shipment

    book = _today_book()
    try:
        shipment = read_shipment(fields, book.trade)
        found = estimate_shipment(book, shipment)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if json:
        typer.echo(orjson.dumps(estimate_document(book, shipment, found), option=orjson.OPT_INDENT_2).decode())
    else:
        _show(book, shipment, found)


def _many(path: Path) -> None:
    import csv
    import io
    import sys

    import orjson

    from streams.policy.report import estimate_document
    from streams.policy.shipment import OPTIONAL, REQUIRED, estimate_shipment, read_shipment

    book = _today_book()
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        rows = [(reader.line_num, cells) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = error.strerror if isinstance(error, OSError) else f"{error}; save it as CSV UTF-8"
        typer.echo(f"{path}: can't be read: {said}", err=True)
        raise typer.Exit(1) from error
    header = [name.strip().lower() for name in rows[0][1]] if rows else []
    absent = [name for name in REQUIRED if name not in header]
    if absent:
        typer.echo(f"{path}: no column {', '.join(absent)}; the first line must name the columns", err=True)
        raise typer.Exit(1)
    unknown = [name for name in header if name not in (*REQUIRED, *OPTIONAL)]
    if unknown:
        typer.echo(f"{path}: columns not read: {', '.join(unknown)}", err=True)
    for number, cells in rows[1:]:
        if not cells or not any(cell.strip() for cell in cells):
            continue
        document: dict[str, Any]
        fields = dict(zip(header, cells, strict=False))
        try:
            if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
                raise ValueError(f"row has {len(cells)} cells for {len(header)} columns")
            shipment = read_shipment(fields, book.trade)
            document = {"row": number, **estimate_document(book, shipment, estimate_shipment(book, shipment))}
        except ValueError as error:
            given = {name: fields.get(name) for name in REQUIRED}
            document = {"row": number, **given, "error": str(error), "total_rate_percent": None}
        sys.stdout.write(orjson.dumps(document).decode() + "\n")


def _show(book: Book, shipment: Shipment, found: DutyEstimate) -> None:
    from decimal import Decimal

    from rich.console import Console
    from rich.table import Table

    from streams.policy.report import dollars, missing_statement, percent, reckoning, status, warnings
    from streams.policy.shipment import typed_line

    console = Console(highlight=False)
    name = book.view(shipment.known_at).line_name(shipment.line)
    console.print(
        f"[bold]{typed_line(shipment)}[/]{f' ({name})' if name else ''} from {shipment.origin}, "
        f"entered {shipment.entry_date}, value ${dollars(shipment.value_cents)}"
        + (f", as known {shipment.known_at}" if shipment.known_at else "")
    )
    low, high = found.low, found.high
    shown = found.central or low
    if shown is not None:
        records = {record.id: record for record in book.measures}
        table = Table("measure", "heading", "rate %", "amount $", box=None)
        for column in table.columns:
            column.no_wrap = True
        for part in shown.components:
            amount = dollars(part.amount_cents)
            table.add_row(part.measure, part.heading or typed_line(shipment), percent(part.rate_percent), amount)
        table.add_section()
        total = dollars(shown.total_cents)
        table.add_row("total", "", percent(shown.total_rate_percent), total, style="bold")
        console.print(table)
        if found.central is None:
            console.print("[bold]indeterminate[/]: above is the low end")
        column_1 = sum((part.rate_percent for part in shown.components if part.measure == "MFN"), Decimal(0))
        for part in shown.components:
            record = records[part.measure]
            source = f"{record.source}, confidence {record.confidence}"
            how = reckoning(record, shipment.entry_date, part, column_1)
            console.print(
                f"{part.measure}: {record.title}; {record.instrument} ({source})" + (f"; {how}" if how else "")
            )
    else:
        console.print(f"[bold]{status(found)}[/]")
    if low is not None and high is not None and low.total_rate_percent != high.total_rate_percent:
        console.print(
            f"range: {percent(low.total_rate_percent)}% to {percent(high.total_rate_percent)}%, "
            f"${dollars(low.total_cents)} to ${dollars(high.total_cents)}"
        )
    for fact in found.missing_facts:
        console.print(f"missing fact: [bold]{fact}[/]: {missing_statement(book, fact)}")
    for item in found.not_applied:
        console.print(f"not applied: {item.measure} ({item.rule}): {item.reason}", style="dim")
    for part in found.rates.at_zero:
        console.print(f"reported at 0%: {part.heading} ({part.measure})", style="dim")
    if found.changes_on is not None:
        console.print(f"changes on {found.changes_on}")
    for note in warnings(book, shipment, found):
        console.print(f"note: {note}")
