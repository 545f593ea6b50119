"""`lotrisk load`: a dealer's file onto the input topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.feeds.kind import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from streams.feeds.load import Tally
    from streams.feeds.records import FeedRecord
    from streams.feeds.snapshot import Snapshot
    from streams.settings import Settings


_NOTES_SHOWN = 20
"""Notes on one field that are printed; the rest are counted. Bad lines are all printed."""

_EXTRAS_SHOWN = 100
"""Columns kept as extra fields that are named; the rest are counted."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("load")(load)


def load(
    file: Annotated[
        str, typer.Argument(help="CSV, tab or pipe file, or JSON Lines; may be gzip; - is standard input.")
    ],
    kind: Annotated[Kind | None, typer.Option(help="vehicles or parts, where the file doesn't tell.")] = None,
    dealer: Annotated[str | None, typer.Option(help="Dealer id of rows without one.")] = None,
    snapshot: Annotated[
        bool, typer.Option("--snapshot", help="The file is the full list: what is absent from it left the lot.")
    ] = False,
    max_removal: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of a dealer's records a snapshot may remove.")
    ] = 50.0,
    force: Annotated[
        bool, typer.Option("--force", help="Let a snapshot remove more than that, or be cut off.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Publish nothing if any line is bad.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be published as JSON Lines; publish nothing.")
    ] = False,
    updated_at: Annotated[
        str | None, typer.Option(help="RFC 3339 time of rows that don't say when they changed.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Zone of times in the file that name none.")] = "UTC",
) -> None:
    """Publish a dealer's inventory file to dms.vehicles or dms.parts.

    Reads Homenet/IOL-style vehicle files, parts masters, and canonical JSON Lines. Good lines are published, bad ones
    are listed by line and field, and the exit code is 1 if there were any, or no line at all.
    """
    import time
    from collections import Counter

    from rich.console import Console

    from streams.feeds.load import Tally, held, passing
    from streams.feeds.publish import PublishError, check_topics
    from streams.feeds.records import Problem
    from streams.feeds.snapshot import SnapshotRefusedError
    from streams.feeds.source import Reading, open_feed
    from streams.feeds.table import FeedError
    from streams.settings import SettingsError, load_settings

    reading = Reading(kind, dealer, _moment(updated_at), _zone(time_zone))
    tally = Tally()
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    name = "standard input" if file == "-" else file

    notes: Counter[str] = Counter()

    def report(problem: Problem) -> None:
        if not problem.fatal:
            notes[problem.field] += 1
        if problem.fatal or notes[problem.field] <= _NOTES_SHOWN:
            errors.print(f"{name}: {'' if problem.fatal else 'note: '}{problem}")

    began = time.monotonic()
    try:
        settings = load_settings()
        with open_feed(file, kind) as feed:
            if feed.encoding != "utf-8":
                errors.print(
                    f"{name}: not UTF-8; read as {'UTF-16' if feed.encoding == 'utf-16' else 'Windows cp1252'}"
                )
            kinds = (feed.header.kind,) if feed.header else (kind,) if kind else tuple(Kind)
            if feed.header is None and (dealer or updated_at):
                errors.print(f"{name}: JSON Lines are published as they are; --dealer and --updated-at are for CSV")
                raise typer.Exit(2)
            if not dry_run:
                check_topics(settings, kinds)
            records: Iterable[FeedRecord]
            if feed.header is None and not snapshot and not strict:
                records, total = passing(feed.items(reading), tally, report), None
            else:
                whole = held(feed.items(reading), tally, report, kinds)
                if strict and tally.bad:
                    errors.print(f"{name}: {tally.bad:,} bad lines and --strict: nothing published")
                    raise typer.Exit(1)
                if snapshot and whole.cut_off and not force:
                    raise SnapshotRefusedError(
                        "the file is cut off: a snapshot of it would remove what is missing; nothing was published"
                    )
                gone = _removals(settings, whole.snapshots, max_removal, force) if snapshot else []
                records, total = [*whole.records, *gone], len(whole.records) + len(gone)
            _hand_over(settings, records, tally, total, dry_run)
            if feed.header is not None and feed.header.extras and tally.published:
                extras = feed.header.extras
                more = f" and {len(extras) - _EXTRAS_SHOWN:,} more" if len(extras) > _EXTRAS_SHOWN else ""
                errors.print(f"{name}: kept as extra fields: {', '.join(extras[:_EXTRAS_SHOWN])}{more}")
    except SettingsError as error:
        errors.print(f"settings: {error}")
        raise typer.Exit(1) from error
    except (FeedError, PublishError, SnapshotRefusedError) as error:
        errors.print(f"{name}: {error}")
        raise typer.Exit(1) from error
    for field, count in sorted(notes.items()):
        if count > _NOTES_SHOWN:
            errors.print(f"{name}: {count - _NOTES_SHOWN:,} more notes on {field}")
    _summary(tally, time.monotonic() - began, dry_run)
    if tally.read == 0:
        errors.print(f"{name}: no records in the file")
    if tally.bad or tally.read == 0:
        raise typer.Exit(1)


def _removals(settings: Settings, snapshots: dict[Kind, Snapshot], max_removal: float, force: bool) -> list[FeedRecord]:
    from streams.feeds.snapshot import Snapshot, removals, standing_records

    named = {kind: snapshot for kind, snapshot in snapshots.items() if snapshot.dealers}
    if not named:
        named = dict.fromkeys(list(snapshots)[:1], Snapshot(frozenset(), frozenset()))
    gone: list[FeedRecord] = []
    for kind, snapshot in named.items():
        on_topic = standing_records(settings, kind, snapshot.dealers) if snapshot.dealers else ()
        gone += removals(kind, snapshot, on_topic, max_removal, force)
    return gone


def _hand_over(
    settings: Settings, records: Iterable[FeedRecord], tally: Tally, total: int | None, dry_run: bool
) -> None:
    """Publish the records, or print them; a bar shows how far it is."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from streams.feeds.jsonl import deletion
    from streams.feeds.publish import Publisher

    if dry_run:
        for record in records:
            sys.stdout.buffer.write((record.value if record.value is not None else deletion(record)) + b"\n")
            tally.count(record)
        sys.stdout.buffer.flush()
        return
    columns = (
        SpinnerColumn(), TextColumn("publishing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with (
        Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=5) as progress,
        Publisher(settings) as publisher,
    ):
        task = progress.add_task("publishing", total=total)
        for number, record in enumerate(records, start=1):
            publisher.send(record)
            tally.count(record)
            if number % 500 == 0:
                progress.update(task, completed=number)


def _summary(tally: Tally, seconds: float, dry_run: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Nothing was published: dry run" if dry_run else None, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    published = sum(tally.published.values())
    table.add_row("records read", f"{tally.read:,}")
    for kind, count in sorted(tally.published.items()):
        table.add_row(f"published to {kind.topic.name}", f"{count:,}")
    if not tally.published:
        table.add_row("published", "0")
    table.add_row("bad lines, not published", f"{tally.bad:,}")
    for label, count in (
        ("earlier lines of a key that came again", tally.duplicates),
        ("deletions in the file", tally.deletions),
        ("removed: absent from the snapshot", tally.removed),
    ):
        if count:
            table.add_row(label, f"{count:,}")
    table.add_row("seconds", f"{seconds:.1f}")
    if not dry_run and seconds > 0:
        table.add_row("records a second", f"{published / seconds:,.0f}")
    Console(stderr=dry_run).print(table)


def _moment(text: str | None) -> str | None:
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a time; write it like 2026-10-01T09:30:00Z") from error
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no zone; end it with Z for UTC or an offset like -04:00")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise typer.BadParameter(f"{name!r} is no time zone; write it like America/New_York") from error
