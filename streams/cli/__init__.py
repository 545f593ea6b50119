"""The `lotrisk` command. Each module here is one command group and has `register(app)`."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from typing import Annotated

import typer

from streams import __version__

app = typer.Typer(
    name="lotrisk",
    help="Rare-earth and tariff risk for every VIN and part on a dealer's lot, as Kafka streams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lotrisk {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    del version


def commands() -> typer.Typer:
    """The app with every command group registered. Call it once."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__name__}.{module.name}").register(app)
    return app


def main() -> None:
    """Entry point of the command: settings that can't be used, and brokers that don't answer, end any with a line."""
    for library in ("aiokafka", "kafka"):  # Python shows warnings of a logger that nobody listens to
        logging.getLogger(library).addHandler(logging.NullHandler())
    try:
        commands()()
    except ValueError as error:
        from pydantic import ValidationError

        from streams.clock import ClockError
        from streams.settings import Settings, SettingsError, explain

        if isinstance(error, ValidationError) and error.title == Settings.__name__:
            typer.echo(explain(error), err=True)
        elif isinstance(error, SettingsError | ClockError):
            typer.echo(str(error), err=True)
        else:
            raise
        raise SystemExit(1) from None
    except Exception as error:  # the client libraries' errors have no base in common
        from streams.cli._brokers import is_of_kafka, what_brokers_said
        from streams.settings import Settings
        from streams.transport.reading import TopicMissingError

        if isinstance(error, TopicMissingError):
            typer.echo(str(error), err=True)
        elif is_of_kafka(error):
            typer.echo(what_brokers_said(Settings().bootstrap_servers, error), err=True)
        else:
            raise
        raise SystemExit(1) from None
