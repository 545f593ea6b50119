"""`lotrisk policy`: what the book holds, on which day, what changed between two, and a line's rate over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli import _policy_desk
from streams.cli._policy_book import Published, policy_book

if TYPE_CHECKING:
    from streams.policy.book import Book
    from streams.policy.duty import DutyRates, Scenario
    from streams.policy.history import Stretch
    from streams.policy.shipment import Shipment


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="The trade policy book: measures, what changed, a line's rate over time.")
    group.command("list")(_list)
    group.command("show")(_show)
    group.command("diff")(_diff)
    group.command("timeline")(_timeline)
    _policy_desk.add_commands(group)
    app.add_typer(group, name="policy")


Day = Annotated[str | None, typer.Option(help="YYYY-MM-DD.")]
Claims = Annotated[list[str] | None, typer.Option(help="A claim; may be repeated. See docs/estimates.")]
Machine = Annotated[bool, typer.Option("--json", help="Machine readable.")]


def _list(
    on: Annotated[str | None, typer.Option(help="Day, YYYY-MM-DD; today if left out.")] = None,
    known_at: Annotated[str | None, typer.Option(help="As it was known on that day.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is not in force on the day.")] = False,
    published: Published = None,
    json: Machine = False,
) -> None:
    """List the measures in force on a day."""
    from streams.policy.listing import listed

    book = policy_book(on, known_at, published)
    rows = [
        row
        for row in listed(book)
        if everything or row.standing not in ("past", "not yet", "not in force", "withdrawn")
    ]
    if json:
        _print_json([row.document() for row in rows])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("measure", "standing", "rate", "since", "what it is", box=None, pad_edge=False)
    table.columns[0].no_wrap = table.columns[1].no_wrap = table.columns[3].no_wrap = True
    for row in rows:
        record = row.record
        since = str(record.effective_from or record.announced_at or "")
        table.add_row(record.id, row.standing, row.rate or "", since, f"{record.title} ({_origins(record.origins)})")
    console = Console()
    console.print(f"book {book.number}, day {book.day}" + (f", as known {known_at}" if known_at else ""))
    console.print(table)


def _show(
    measure: Annotated[str, typer.Argument(help="Measure id.")], published: Published = None, json: Machine = False
) -> None:
    """Show one measure: every field, its sources in full, and the stacking rules that name it."""
    from streams.reference.trade_checks import selects

    book = policy_book(None, None, published)
    record = next((one for one in book.measures if one.id.upper() == measure.upper()), None)
    if record is None:
        import difflib

        near = difflib.get_close_matches(measure, [one.id for one in book.measures], n=3, cutoff=0.4)
        typer.echo(f"no measure {measure!r}" + (f"; near: {', '.join(near)}" if near else ""), err=True)
        raise typer.Exit(1)
    rules = [rule for rule in book.trade.stacking if any(selects(one, record) for one in (*rule.when, *rule.off))]
    sources = {key: book.trade.sources.get(key, "not in sources.csv") for key in record.source.split()}
    if json:
        document = record.model_dump(mode="json", by_alias=True, exclude_none=True)
        _print_json({**document, "sources": sources, "stacking": [rule.model_dump(mode="json") for rule in rules]})
        return
    from rich.console import Console

    console = Console()
    console.print(f"[bold]{record.id}[/] {record.title}")
    for name, value in record.model_dump(mode="json", by_alias=True, exclude_defaults=True).items():
        if name not in ("id", "title", "source") and value not in (None, [], ""):
            console.print(f"  {name}: {_text(value)}", highlight=False)
    for key, title in sources.items():
        console.print(f"  source {key}: {title}", highlight=False)
    for rule in rules:
        console.print(f"  {rule.id}: {rule.statement}", highlight=False)


def _diff(
    hts: Annotated[str, typer.Argument(help="HTS number of 4 to 10 digits.")],
    origin: Annotated[str, typer.Argument(help="Country by name or code.")],
    first: Annotated[str, typer.Argument(help="One day, YYYY-MM-DD.")],
    second: Annotated[str, typer.Argument(help="Another day.")],
    usmca: Annotated[bool | None, typer.Option("--usmca/--no-usmca", help="USMCA is claimed, or not.")] = None,
    claim: Claims = None,
    known_at: Day = None,
    published: Published = None,
    json: Machine = False,
) -> None:
    """Show what changed in a line's duty between two days of entry."""
    from streams.policy.listing import changes

    book = policy_book(None, known_at, published)
    one = _shipment(book, hts, origin, first, usmca, claim)
    other = _shipment(book, hts, origin, second, usmca, claim)
    before, after = _rates(book, one), _rates(book, other)
    rows = changes(before, after)
    if json:
        _print_json(
            {
                "hts": hts,
                "origin": one.origin,
                "from": first,
                "to": second,
                "total_rate_percent": [_percent(before.central), _percent(after.central)],
                "changes": [row._asdict() for row in rows],
            }
        )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("measure", "authority", first, second)
    for row in rows:
        table.add_row(row.measure, row.authority, _plain(row.before), _plain(row.after))
    table.add_section()
    table.add_row("total", "", _plain(_percent(before.central)), _plain(_percent(after.central)))
    Console().print(table)


def _timeline(
    hts: Annotated[str, typer.Argument(help="HTS number of 4 to 10 digits.")],
    origin: Annotated[str, typer.Argument(help="Country by name or code.")],
    first: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.")] = "2018-01-01",
    last: Annotated[str | None, typer.Option("--to", help="Last day; today if left out.")] = None,
    usmca: Annotated[bool | None, typer.Option("--usmca/--no-usmca", help="USMCA is claimed, or not.")] = None,
    claim: Claims = None,
    known_at: Day = None,
    svg: Annotated[Path | None, typer.Option(help="Also write a picture.")] = None,
    png: Annotated[Path | None, typer.Option(help="Also write a picture; needs lotrisk[pictures].")] = None,
    published: Published = None,
    json: Machine = False,
) -> None:
    """Show a line's total rate over time, in the terminal and as a picture."""
    from streams.policy.history import history
    from streams.policy.picture import timeline_svg

    book = policy_book(None, known_at, published)
    start = _shipment(book, hts, origin, first, usmca, claim)
    end = _shipment(book, hts, origin, last or str(book.day), usmca, claim)
    if end.entry_date < start.entry_date:
        typer.echo(f"--to {end.entry_date} is before --from {start.entry_date}", err=True)
        raise typer.Exit(2)
    _rates(book, start)
    _rates(book, end)
    stretches = history(book, start.line, start.origin, start.entry_date, end.entry_date, start.facts)
    if svg is not None:
        try:
            svg.write_text(timeline_svg(f"{hts} from {start.origin}", stretches), "utf-8")
        except OSError as error:
            raise _unwritable(svg, error) from error
        typer.echo(f"wrote {svg}", err=True)
    if png is not None:
        _write_png(png, f"{hts} from {start.origin}", stretches)
    if json:
        _print_json([_stretch(one) for one in stretches])
        return
    _draw(hts, start, stretches)


def _write_png(path: Path, title: str, stretches: tuple[Stretch, ...]) -> None:
    from streams.cli._timeline_png import NotInstalled, write_png

    try:
        write_png(path, title, stretches)
    except NotInstalled as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        raise _unwritable(path, error) from error
    typer.echo(f"wrote {path}", err=True)


def _unwritable(path: Path, error: OSError) -> typer.Exit:
    typer.echo(f"{path}: can't be written: {error.strerror}", err=True)
    return typer.Exit(1)


def _draw(hts: str, start: Shipment, stretches: tuple[Stretch, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    top = max((float(one.rates.high.total_rate_percent) for one in stretches if one.rates.high), default=1.0) or 1.0
    table = Table("from", "to", "total %", "", "made of", title=f"{hts} from {start.origin}")
    for column, width in zip(table.columns, (10, 10, None, 20, None), strict=True):
        column.width = width
    for one in stretches:
        shown = one.rates.central
        length = round(20 * float(shown.total_rate_percent) / top) if shown else 0
        table.add_row(
            str(one.first),
            str(one.last),
            _total(one.rates),
            "█" * length,
            " + ".join(f"{part.rate_percent.normalize():f} {part.measure}" for part in shown.components)
            if shown
            else ", ".join(one.rates.prohibited or one.rates.missing_facts),
        )
    Console().print(table)


def _total(rates: DutyRates) -> str:
    """The default answer, and under it what missing facts leave open."""
    low, high = _percent(rates.low), _percent(rates.high)
    open_ = "" if low == high else f"{_plain(low)} to {_plain(high)}"
    return "\n".join(text for text in (_plain(_percent(rates.central)), open_) if text)


def _stretch(one: Stretch) -> dict[str, Any]:
    rates = one.rates
    return {
        "from": one.first.isoformat(),
        "to": one.last.isoformat(),
        "total_rate_percent": _percent(rates.central),
        "total_rate_percent_low": _percent(rates.low),
        "total_rate_percent_high": _percent(rates.high),
        "components": {
            part.measure: float(part.rate_percent) for part in (rates.central.components if rates.central else ())
        },
        "missing_facts": list(rates.missing_facts),
    }


def _shipment(book: Book, hts: str, origin: str, day: str, usmca: bool | None, claim: list[str] | None) -> Shipment:
    from streams.policy.shipment import read_shipment

    try:
        return read_shipment(
            {
                "hts": hts,
                "origin": origin,
                "entry_date": day,
                "value": "0",
                "usmca": None if usmca is None else str(usmca),
                "claim": " ".join(claim or ()),
            },
            book.trade,
        )
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def _rates(book: Book, shipment: Shipment) -> DutyRates:
    from streams.policy.duty import rates

    try:
        return rates(book, shipment.line, shipment.origin, shipment.entry_date, shipment.facts)
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def _percent(scenario: Scenario | None) -> float | None:
    return None if scenario is None else float(scenario.total_rate_percent)


def _plain(number: float | None) -> str:
    return "-" if number is None else f"{number:g}"


def _origins(origins: tuple[str, ...]) -> str:
    return "all" if "*" in origins else " ".join(origins)


def _text(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _print_json(document: object) -> None:
    import orjson

    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
