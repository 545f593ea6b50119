"""`lotrisk groups`: what the lot adds up to, by model, part family, origin and drive."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from streams.settings import Settings

KINDS = ("book", "origin", "powertrain", "model", "family")
Groups = dict[str, dict[str, Any]]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def groups(
        which: Annotated[
            str | None,
            typer.Argument(
                metavar="[KIND|GROUP]", help="model, family, origin, powertrain or book; or one group's key."
            ),
        ] = None,
        top: Annotated[int, typer.Option(min=1, help="Most groups of a kind in a table, those of most value.")] = 15,
        json: Annotated[bool, typer.Option("--json", help="The groups as they stand, one a line.")] = False,
    ) -> None:
        """Show the lot's totals: value, duty, rare earths and open flags of each group, and the flags of the groups.

        A key such as `model:TOYOTA/RAV4` prints that group alone, as it stands on its topic.
        """
        import orjson
        from kafka.errors import KafkaError

        from streams.settings import Settings
        from streams.transport.reading import TopicMissingError

        settings = Settings()
        kind, _, name = (which or "").partition(":")
        if kind and kind not in KINDS:
            typer.echo(f"{which}: expected one of {', '.join(KINDS)}, or a key such as model:TOYOTA/RAV4", err=True)
            raise typer.Exit(2)
        try:
            found = asyncio.run(read_groups(settings))
        except (KafkaError, TopicMissingError) as error:
            typer.echo(f"{settings.bootstrap_servers}: {error}", err=True)
            raise typer.Exit(1) from error
        wanted = {
            key: group for key, group in found.items() if not kind or (key == which if name else group["kind"] == kind)
        }
        if not wanted:
            typer.echo(f"{which or 'groups'}: nothing stands there. Was a lot loaded, and has a worker run?", err=True)
            raise typer.Exit(1)
        if json:
            for group in wanted.values():
                typer.echo(orjson.dumps(group).decode())
        elif name:
            typer.echo(orjson.dumps(wanted[str(which)], option=orjson.OPT_INDENT_2).decode())
        else:
            _show(wanted, top)


async def read_groups(settings: Settings) -> Groups:
    """The groups that stand on `groups.enriched`, by key.

    Raises:
        TopicMissingError: the topic is not there, or this user has no right to read it.
    """
    import orjson

    from streams.topics import GROUPS_ENRICHED
    from streams.transport.preflight import check_readable
    from streams.transport.reading import read_to_end

    topic = GROUPS_ENRICHED.full_name(settings.topic_prefix)
    await check_readable(settings, topic)
    found: Groups = {}
    async for record in read_to_end(settings, topic):
        key = record.key.decode()
        if record.value is None:
            found.pop(key, None)
        else:
            found[key] = orjson.loads(record.value)
    return dict(sorted(found.items()))


def _show(groups: Groups, top: int) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for kind in KINDS:
        ours = sorted(
            ((key, group["totals"]) for key, group in groups.items() if group["kind"] == kind),
            key=lambda one: (-float(one[1]["value_usd"]), one[0]),
        )
        if not ours:
            continue
        more = f", {top} of {len(ours)}" if len(ours) > top else ""
        table = Table(title=f"{kind}{more}", title_justify="left")
        for column in (
            "group",
            "records",
            "value",
            "duty landed",
            "duty today",
            "next invoice",
            "rare earths",
            "flags",
        ):
            table.add_column(column, justify="left" if column == "group" else "right")
        for key, totals in ours[:top]:
            duty, change = totals["importer_duty"], totals["expected_invoice_change"]
            table.add_row(
                key, f"{totals['records']:,}", _dollars(totals["value_usd"], totals["value_unknown"]),
                _central(duty["landed"]), _central(duty["replacement"]), _central(change),
                f"{sum(grams[1] for grams in totals['elements_g'].values()):,.0f} g",
                f"{sum(flag['records'] for flag in totals['open_flags']):,}",
            )  # fmt: skip
        console.print(table)
    flags = [(key, flag) for key, group in groups.items() for flag in group["flags"]]
    if flags:
        table = Table(title="flags of groups", title_justify="left")
        for column in ("group", "flag", "severity", "why"):
            table.add_column(column)
        for key, flag in flags:
            table.add_row(key, flag["type"], flag["severity"], flag["why"])
        console.print(table)
    console.print("Central amounts; * where some records are left out because it can't be said.")


def _central(amount: dict[str, Any]) -> str:
    return _dollars(amount["usd"][1], amount["unknown"])


def _dollars(usd: str, unknown: int) -> str:
    return f"{float(usd):,.0f}{'*' if unknown else ''}"
