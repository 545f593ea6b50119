"""`lotrisk consume flags`: the reference consumer of `risk.flags`, at work."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from streams.consumers.flag_store import FlagStore, Outcome

SHOWN = 10
"""Refused records that are named."""


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Read what lotrisk publishes, as a pricing service would.", no_args_is_help=True)

    @group.callback()
    def _root() -> None:
        pass

    @group.command()
    def flags(
        store: Annotated[Path, typer.Option(help="File that holds the open flags, the effects and the position.")] = (
            Path("flags.sqlite")
        ),
        to_end: Annotated[bool, typer.Option("--to-end", help="End where the topic ends now; else go on.")] = False,
    ) -> None:
        """Follow the flags and show those that are open; may be killed and started again at any moment.

        Each event takes effect exactly once: effects and position change in one transaction of --store.
        """
        import signal

        from kafka.errors import KafkaError
        from rich.console import Console
        from rich.live import Live

        from streams.consumers.flag_store import FlagStore, StoreError
        from streams.consumers.flags import NoFlagsError, follow
        from streams.settings import load_settings

        settings = load_settings()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        console = Console(highlight=False)
        seen: Counter[Outcome] = Counter()
        try:
            with FlagStore(store) as held, Live(console=console, auto_refresh=False, transient=True) as live:
                try:
                    for done in follow(settings, held, to_end=to_end):
                        seen += done
                        if done and console.is_terminal:
                            live.update(_table(held, seen), refresh=True)
                except KeyboardInterrupt:
                    pass
                live.stop()
                console.print(_table(held, seen))
                refused = held.refused()
                for partition, offset, reason in refused[:SHOWN]:
                    console.print(f"not acted on: partition {partition}, offset {offset}: {reason}", markup=False)
                if len(refused) > SHOWN:
                    console.print(f"and {len(refused) - SHOWN:,} more in the table `refused` of {store}", markup=False)
        except (StoreError, NoFlagsError, KafkaError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error

    app.add_typer(group, name="consume")


def _table(store: FlagStore, seen: Counter[Outcome]) -> Table:
    from rich.table import Table

    said = ", ".join(f"{count:,} {outcome.value}" for outcome, count in sorted(seen.items())) or "nothing new"
    # Narrow enough for 80 columns: no amount is cut.
    table = Table(title="open flags", caption=f"this run: {said}", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("flag", "owner", "severity", "action"):
        table.add_column(column, no_wrap=True)
    for column in ("open", "at stake, $", "can't say"):
        table.add_column(column, justify="right", no_wrap=True)
    for type, owner, severity, action, count, cents, unsaid in store.open_flags():
        table.add_row(type, owner, severity, action, f"{count:,}", f"{cents / 100:,.2f}", f"{unsaid:,}")
    return table
