"""`lotrisk dlq`: look at dead letters, and put them back after a mend."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.settings import Settings

KINDS = ("vehicles", "parts")

Kind = Annotated[str, typer.Argument(metavar="vehicles|parts", help="Whose dead letters.")]
Reason = Annotated[str | None, typer.Option(help="Only those with this error.reason.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Dead letters: list, show, replay.", no_args_is_help=True)
    app.add_typer(group, name="dlq")

    @group.command("list")
    def list_(kind: Kind, reason: Reason = None, limit: Annotated[int, typer.Option(min=1)] = 50) -> None:
        """List dead letters, the newest last, and how many there are by reason."""
        from collections import Counter

        from rich.console import Console
        from rich.table import Table

        letters = _letters(kind, reason)
        table = Table(
            title=f"{len(letters):,} dead letters of {kind}" + (f", the last {limit}" if len(letters) > limit else "")
        )
        for column in ("partition", "offset", "key", "reason", "detail", "input", "replays"):
            table.add_column(column, overflow="fold" if column == "detail" else "ellipsis")
        for letter in letters[-limit:]:
            table.add_row(
                str(letter.partition), str(letter.offset), _text(letter.key), letter.error.reason, letter.error.detail,
                f"{letter.error.topic}[{letter.error.partition}] @{letter.error.offset}", str(letter.attempts),
            )  # fmt: skip
        console = Console()
        console.print(table)
        for name, count in Counter(letter.error.reason for letter in letters).most_common():
            console.print(f"{count:>8,} {name}")

    @group.command()
    def show(
        kind: Kind,
        partition: Annotated[int, typer.Argument(help="Partition of the dead-letter topic.")],
        offset: Annotated[int, typer.Argument(help="Offset in it.")],
    ) -> None:
        """Show one dead letter: what was wrong, its headers, and its original bytes."""
        for letter in _letters(kind, None):
            if (letter.partition, letter.offset) == (partition, offset):
                typer.echo(f"reason     {letter.error.reason}")
                typer.echo(f"detail     {letter.error.detail}")
                typer.echo(f"input      {letter.error.topic}[{letter.error.partition}] @{letter.error.offset}")
                typer.echo(f"version    {letter.error.version}")
                typer.echo(f"replays    {letter.attempts}")
                typer.echo(f"key        {_text(letter.key)}")
                for name, value in letter.headers:
                    typer.echo(f"header     {name}: {_text(value)}")
                typer.echo(_text(letter.value))
                return
        typer.echo(f"no dead letter of {kind} at partition {partition}, offset {offset}", err=True)
        raise typer.Exit(1)

    @group.command()
    def replay(
        kind: Kind,
        reason: Reason = None,
        partition: Annotated[int | None, typer.Option(help="Only of this partition.")] = None,
        offset: Annotated[int | None, typer.Option(help="Only this one, with --partition.")] = None,
        again: Annotated[bool, typer.Option("--again", help="Also those replayed the most times already.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    ) -> None:
        """Put dead letters back on their input topic, byte for byte, marked so that they can't loop.

        Of several letters with one key only the newest is put back, and none whose key has a newer record on the input
        topic: an old record must not replace a newer one.
        """
        from schemas.dead_letter import MAX_REPLAYS
        from streams.settings import Settings

        if offset is not None and partition is None:
            typer.echo("--offset needs --partition", err=True)
            raise typer.Exit(2)
        settings = Settings()
        letters = [
            letter
            for letter in _letters(kind, reason)
            if (partition is None or letter.partition == partition) and (offset is None or letter.offset == offset)
        ]
        chosen, left = asyncio.run(_choose(settings, letters, None if again else MAX_REPLAYS))
        for why, count in left.items():
            typer.echo(f"{count:,} left: {why}")
        if not chosen:
            typer.echo("nothing to replay")
            return
        if not yes:
            typer.confirm(f"Put {len(chosen):,} records back on {chosen[0].error.topic}?", abort=True)
        refused = _replay(settings, chosen)
        typer.echo(f"replayed {len(chosen) - len(refused):,}")
        for said in refused:
            typer.echo(said, err=True)
        if refused:
            raise typer.Exit(1)


def _letters(kind: str, reason: str | None) -> list[Any]:
    from streams.settings import Settings
    from streams.topics import PARTS_DLQ, VEHICLES_DLQ
    from streams.transport.dead_letters import read_dead_letters
    from streams.transport.preflight import check_readable
    from streams.transport.reading import TopicMissingError

    if kind not in KINDS:
        typer.echo(f"{kind!r}: give one of {', '.join(KINDS)}", err=True)
        raise typer.Exit(2)
    settings = Settings()
    topic = (VEHICLES_DLQ if kind == "vehicles" else PARTS_DLQ).full_name(settings.topic_prefix)
    try:
        asyncio.run(check_readable(settings, topic))
        letters = asyncio.run(read_dead_letters(settings, topic, lambda said: typer.echo(said, err=True)))
    except TopicMissingError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    return [letter for letter in letters if reason is None or letter.error.reason == reason]


async def _choose(settings: Settings, letters: list[Any], max_replays: int | None) -> tuple[list[Any], dict[str, int]]:
    from streams.transport.dead_letters import choose_for_replay

    return await choose_for_replay(settings, letters, max_replays)


def _replay(settings: Settings, letters: list[Any]) -> list[str]:
    """Send them; returns what the brokers refused, one sentence a letter."""
    from kafka import KafkaProducer
    from kafka.errors import KafkaError

    from schemas.dead_letter import replay_headers
    from streams.connection import kafka_python_options
    from streams.topics import INPUT_MAX_BYTES

    producer = KafkaProducer(acks="all", max_request_size=INPUT_MAX_BYTES, **kafka_python_options(settings))
    try:
        sent = [
            producer.send(
                letter.error.topic,
                key=letter.key,
                value=letter.value,
                partition=int(letter.error.partition),
                headers=replay_headers(letter.headers),
            )
            for letter in letters
        ]
        producer.flush()
        refused = []
        for letter, future in zip(letters, sent, strict=True):
            try:
                future.get(timeout=30)
            except KafkaError as error:
                place = f"partition {letter.partition}, offset {letter.offset}"
                refused.append(f"{place}: {letter.error.topic} did not take it, it stays a dead letter: {error}")
        return refused
    finally:
        producer.close()


def _text(data: bytes | None) -> str:
    return "null" if data is None else data.decode("utf-8", "backslashreplace")
