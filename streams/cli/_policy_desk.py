"""`lotrisk policy publish|withdraw|export|import`: what a policy desk does with `trade.policy`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from streams.reference.trade_records import MeasureRecord
    from streams.settings import Settings
    from streams.transport.desk import Entry, ReadLog

T = TypeVar("T")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Preview = Annotated[bool, typer.Option("--preview/--no-preview", help="Show what changes on the current lot first.")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait until every live worker has the new book.")]

SHOWN = 20
"""Refused records of a log that are named."""


def add_commands(group: typer.Typer) -> None:
    """Add the commands to `lotrisk policy`."""
    group.command("publish")(_publish)
    group.command("withdraw")(_withdraw)
    group.command("export")(_export)
    group.command("import")(_import)


def _publish(
    file: Annotated[Path, typer.Argument(help="Measures, TOML ([[measure]]) or JSON; see docs/policy-desk.md.")],
    yes: Yes = False,
    preview: Preview = True,
    timeout: Timeout = 60.0,
) -> None:
    """Publish the measures of a file as one event: one book, and the lot is rated again under it.

    Everything is validated first; nothing is published if anything is wrong. Exits with 1 when a worker is not there
    in time or refuses a record.
    """
    from streams.cli._policy_file import PolicyFileError, read_event

    settings = _settings()
    try:
        records = read_event(file)
    except PolicyFileError as error:
        raise _failed(str(error)) from error
    _run(_put(settings, records, file.name, yes=yes, preview=preview, timeout=timeout))


def _withdraw(
    measure: Annotated[str, typer.Argument(help="Measure id.")],
    on: Annotated[str | None, typer.Option(help="First day without it, YYYY-MM-DD; today if left out.")] = None,
    yes: Yes = False,
    preview: Preview = True,
    timeout: Timeout = 60.0,
) -> None:
    """Withdraw a measure: its record again, with the day from which it no longer stands."""
    settings = _settings()
    _run(_withdrawal(settings, measure, on, yes=yes, preview=preview, timeout=timeout))


async def _withdrawal(
    settings: Settings, measure: str, on: str | None, *, yes: bool, preview: bool, timeout: float
) -> None:
    import difflib

    from pydantic import ValidationError

    from streams.cli._days import typed_day
    from streams.cli._lot_reading import today
    from streams.reference.trade import load_trade
    from streams.reference.trade_records import MeasureRecord
    from streams.transport.desk import read_log
    from streams.transport.policy_log import in_words

    trade = load_trade()
    day = typed_day("--on", on) if on else today(settings)
    read = await read_log(settings, trade)
    held = read.log.current(measure)
    if held is None:
        ids = {record.id for record in (*trade.measures, *read.log.overrides)}
        near = difflib.get_close_matches(measure, sorted(ids), n=3, cutoff=0.4)
        raise _failed(f"no measure {measure!r}" + (f"; near: {', '.join(near)}" if near else ""))
    if held.withdrawn_at is not None and held.withdrawn_at <= day:
        raise _failed(f"{measure} is withdrawn since {held.withdrawn_at} already")
    fields = held.model_dump(by_alias=True) | {"withdrawn_at": day, "recorded_at": today(settings)}
    try:
        record = MeasureRecord.model_validate(fields)
    except ValidationError as error:
        raise _failed(f"{measure}: {in_words(error)}") from error
    await _put(settings, [record], measure, yes=yes, preview=preview, timeout=timeout)


def _export(
    file: Annotated[Path | None, typer.Argument(help="JSON file to write; the terminal if left out.")] = None,
) -> None:
    """Write every version that stands on trade.policy, in order, so that `import` restores it."""
    import orjson

    from streams.reference.trade import load_trade
    from streams.transport.desk import read_log
    from streams.transport.policy_log import encode

    read = _run(read_log(_settings(), load_trade()))
    log = read.log
    document = {"epoch": log.epoch, "measure": [orjson.loads(encode(record)[1]) for record in log.overrides]}
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if file is None:
        typer.echo(text.decode(), nl=False)
    else:
        try:
            file.write_bytes(text)
        except OSError as error:
            raise _failed(f"{file}: {error.strerror}") from error
        typer.echo(f"wrote {len(log.overrides)} versions to {file}", err=True)
    if log.refused:
        names = ", ".join(f"{one.measure} at offset {one.offset}" for one in log.refused[:SHOWN])
        typer.echo(f"left out, since no worker takes them: {names}", err=True)


def _import(
    file: Annotated[Path, typer.Argument(help="What `export` wrote, or any file of measures; may be empty of them.")],
    yes: Yes = False,
    preview: Preview = True,
    timeout: Timeout = 60.0,
) -> None:
    """Begin a new epoch of trade.policy that holds the versions of a file and nothing else.

    Heals a topic that was made anew or lost records, and rolls back to an earlier export.
    """
    from streams.cli._policy_file import PolicyFileError, read_measures

    settings = _settings()
    try:
        records = read_measures(file)
    except PolicyFileError as error:
        raise _failed(str(error)) from error
    _run(_restore(settings, records, file.name, yes=yes, preview=preview, timeout=timeout))


async def _restore(
    settings: Settings, records: list[MeasureRecord], name: str, *, yes: bool, preview: bool, timeout: float
) -> None:
    from streams.reference.trade import load_trade
    from streams.transport.desk import highest_epoch, read_log
    from streams.transport.heartbeat import read_standings
    from streams.transport.policy_log import PolicyLog, encode, encode_epoch

    trade = load_trade()
    read = await read_log(settings, trade)
    epoch = highest_epoch(read.log, await read_standings(settings)) + 1
    after = PolicyLog(trade)
    entries = [encode_epoch(epoch), *(encode(record) for record in records)]
    problems = [found for number, entry in enumerate(entries) if (found := after.apply(number, *entry)) is not None]
    if problems:
        raise _failed("\n".join(f"{name}: [[measure]] {one.measure}: {one.error}" for one in problems))
    typer.echo(
        f"epoch {epoch} replaces epoch {read.log.epoch}: {len(after.overrides)} versions instead of "
        f"{len(read.log.overrides)}"
    )
    if preview:
        await _show_change(settings, read.log.overrides, after.overrides)
    await _send(settings, read, entries, epoch, yes=yes, timeout=timeout)


async def _put(
    settings: Settings, records: list[MeasureRecord], name: str, *, yes: bool, preview: bool, timeout: float
) -> None:
    from streams.reference.trade import load_trade
    from streams.transport.desk import in_order, read_log
    from streams.transport.policy_log import encode

    read = await read_log(settings, load_trade())
    epoch, before = read.log.epoch, read.log.overrides
    changed, same, refused = in_order(read.log, records)
    if refused:
        raise _failed("\n".join(f"{name}: [[measure]] {one.measure}: {one.error}" for one in refused))
    if same:
        typer.echo(f"as it stands already: {', '.join(record.id for record in same)}")
    if not changed:
        typer.echo("nothing to publish")
        return
    for record in changed:
        typer.echo(f"{record.id}: {record.title}")
    if preview:
        await _show_change(settings, before, read.log.overrides)
    await _send(settings, read, [encode(record) for record in changed], epoch, yes=yes, timeout=timeout)


async def _show_change(settings: Settings, before: Sequence[MeasureRecord], after: Sequence[MeasureRecord]) -> None:
    """Show what the change does to the lot on the day it first does something, today or later."""
    from rich.console import Console

    from streams.cli._lot_reading import book_of, difference, today
    from streams.cli._lot_report import show
    from streams.reference.trade import load_trade

    trade, console, now = load_trade(), Console(), today(settings)
    kept = {id(record) for record in before}
    starts = [record.effective_from for record in after if id(record) not in kept and record.effective_from]
    later = sorted(day for day in starts if now < day <= trade.last_day)
    for day in [now, *later[:1]]:
        console.print(f"\non the current lot, {'today' if day == now else f'from {day}'}:")
        old, new = (book_of(settings, trade, day, overrides) for overrides in (before, after))
        show(await difference(settings, old, new, Console(stderr=True)), console)


async def _send(
    settings: Settings, read: ReadLog, entries: Sequence[Entry], epoch: int, *, yes: bool, timeout: float
) -> None:
    from streams.transport.desk import DeskError, publish, wait_for_workers

    what = f"{len(entries)} record{'s' if len(entries) != 1 else ''}"
    if not yes and not await asyncio.to_thread(typer.confirm, f"publish {what} as one event?"):
        typer.echo("nothing was published", err=True)
        raise typer.Exit(1)
    try:
        last = await publish(settings, entries, read.end)
    except DeskError as error:
        raise _failed(str(error)) from error
    typer.echo(f"published {what}, the last at offset {last}")
    found = await wait_for_workers(settings, epoch, last - len(entries) + 1, last, timeout)
    for worker, book in found.arrived.items():
        typer.echo(f"{worker}: book {book}")
    for one in found.refused:
        typer.echo(f"not taken by the workers: {one.measure} at offset {one.offset}: {one.error}", err=True)
    for text in found.behind.values():
        typer.echo(f"not there after {timeout:g} s: {text}", err=True)
    if found.behind or found.refused:
        raise typer.Exit(1)
    if not found.arrived:
        typer.echo("no worker is alive; it is read when one starts")


def _settings() -> Settings:
    from streams.settings import load_settings

    return load_settings()


def _failed(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)


def _run(work: Coroutine[Any, Any, T]) -> T:
    from streams.transport.reading import TopicMissingError

    try:
        return asyncio.run(work)
    except TopicMissingError as error:
        raise _failed(str(error)) from error
