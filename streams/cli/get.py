"""`lotrisk get`: the current enriched record of a VIN or part number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def get(
        number: Annotated[str, typer.Argument(metavar="VIN|PART", help="A VIN or a part number.")],
        dealer: Annotated[str | None, typer.Option(help="Only this dealer's; else every dealer's.")] = None,
        part: Annotated[
            bool, typer.Option("--part", help="NUMBER is a part number, even if it looks like a VIN.")
        ] = False,
        compact: Annotated[
            bool, typer.Option("--compact", help="One record a line, as it stands on the topic.")
        ] = False,
    ) -> None:
        """Print the current enriched record of a VIN or part number, as it stands on its topic."""
        import orjson
        from rich.console import Console

        from streams.settings import Settings

        found = asyncio.run(_find(Settings(), number, dealer, part=part))
        if not found:
            where = f" at dealer {dealer}" if dealer else ""
            typer.echo(f"{number}: no enriched record{where}. Was it loaded, and has a worker run?", err=True)
            raise typer.Exit(1)
        console = Console()
        for value in found:
            if compact or not console.is_terminal:
                typer.echo(
                    value.decode()
                    if compact
                    else orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).decode()
                )
            else:
                console.print_json(value.decode())


async def _find(settings: Settings, number: str, dealer: str | None, *, part: bool) -> list[bytes]:
    import re

    from schemas.fields import VIN_PATTERN
    from streams.topics import PARTS_ENRICHED, VEHICLES_ENRICHED
    from streams.transport.preflight import check_readable
    from streams.transport.reading import read_to_end

    vin = not part and re.fullmatch(VIN_PATTERN, number.strip().upper()) is not None
    wanted = number.strip().upper() if vin else number
    topic = (VEHICLES_ENRICHED if vin else PARTS_ENRICHED).full_name(settings.topic_prefix)
    await check_readable(settings, topic)
    current: dict[bytes, bytes] = {}
    async for record in read_to_end(settings, topic):
        key_dealer, _, key_number = record.key.decode().partition(":")
        if key_number != wanted or (dealer is not None and key_dealer != dealer):
            continue
        if record.value is None:
            current.pop(record.key, None)
        else:
            current[record.key] = record.value
    return [current[key] for key in sorted(current)]
