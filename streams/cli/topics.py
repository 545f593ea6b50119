"""`lotrisk topics`: the catalogue, and bringing a cluster to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from streams.settings import Settings
    from streams.topics import Step

STYLES = {"create": "green", "alter": "yellow", "unchanged": "dim", "refused": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Topics: the catalogue, and bringing a cluster to it.", no_args_is_help=True)
    app.add_typer(group, name="topics")

    @group.command("list")
    def list_() -> None:
        """Show every topic lotrisk reads or writes, as the settings make it; asks no broker."""
        from rich.console import Console
        from rich.table import Table

        from streams.topics import CATALOGUE

        with _clear_errors() as settings:
            table = Table("Topic", "Partitions", "Key and policy", "Holds")
            table.columns[0].no_wrap = True
            for topic in CATALOGUE:
                policy = _policy(topic.configs["cleanup.policy"], topic.configs.get("retention.ms"))
                table.add_row(
                    topic.full_name(settings.topic_prefix), str(topic.partitions or settings.partitions),
                    f"{topic.key}\n[dim]{policy}[/dim]",
                    f"{topic.holds}\n[dim]written by {', '.join(topic.writers)}[/dim]",
                )  # fmt: skip
            Console().print(table)

    @group.command()
    def apply(yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False) -> None:
        """Create what is missing and alter what differs, after showing it. Never removes or repartitions anything."""
        from rich.console import Console

        from streams.provisioning import carry_out, make_plan
        from streams.topics import Action

        with _clear_errors() as settings:
            steps = make_plan(settings)
            Console().print(_table(settings, steps))
            if any(step.action is Action.REFUSED for step in steps):
                typer.echo("Nothing was changed: a topic is refused, and the others must fit it.", err=True)
                raise typer.Exit(1)
            to_do = [step for step in steps if step.action is not Action.UNCHANGED]
            if not to_do:
                typer.echo("Nothing to do.")
                return
            if not yes:
                typer.confirm(f"Apply {len(to_do)} changes to {settings.bootstrap_servers}?", abort=True)
            carry_out(settings, steps)
            typer.echo(f"Done: {len(to_do)} topics.")

    @group.command()
    def check() -> None:
        """Compare the cluster with the catalogue; exits 1 where they differ."""
        from rich.console import Console

        from streams.provisioning import make_plan
        from streams.topics import Action

        with _clear_errors() as settings:
            steps = make_plan(settings)
            Console().print(_table(settings, steps))
            differing = sum(step.action is not Action.UNCHANGED for step in steps)
            if differing:
                typer.echo(f"{differing} of {len(steps)} topics differ from the catalogue.", err=True)
                raise typer.Exit(1)
            typer.echo(f"All {len(steps)} topics are as the catalogue says.")


@contextmanager
def _clear_errors() -> Iterator[Settings]:
    """The settings; what can't be used or reached ends the command with one clear line."""
    import logging

    from kafka.errors import KafkaError

    from streams.provisioning import ProvisioningError
    from streams.settings import SettingsError, load_settings

    log = logging.getLogger("kafka")
    before = log.level
    log.setLevel(logging.CRITICAL)  # It logs each failed attempt; the error says it once.
    servers = ""
    try:
        settings = load_settings()
        servers = settings.bootstrap_servers
        yield settings
    except (SettingsError, ProvisioningError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except KafkaError as error:
        typer.echo(
            f"Kafka at {servers} (LOTRISK_BOOTSTRAP_SERVERS) can't be used: {error}. Is it running, and do the "
            "LOTRISK_SECURITY_PROTOCOL and LOTRISK_SASL_* settings fit it?",
            err=True,
        )
        raise typer.Exit(1) from error
    finally:
        log.setLevel(before)


def _policy(cleanup: str, retention_ms: str | None) -> str:
    if retention_ms is None:
        return cleanup
    return f"{cleanup}, kept for ever" if retention_ms == "-1" else f"{cleanup}, {int(retention_ms) // 86_400_000} days"


def _table(settings: Settings, steps: Sequence[Step]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("Topic", "Partitions", "Plan", "What differs", title=f"Topics on {settings.bootstrap_servers}")
    table.columns[0].no_wrap = True
    for step in steps:
        style = STYLES[step.action]
        table.add_row(
            step.name, str(step.partitions), f"[{style}]{step.action}[/{style}]", escape("\n".join(step.differences))
        )
    return table
