"""`lotrisk replay`: the autumn of 2025 on workers that run already, as in compose."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from streams.settings import Settings

ASK_SECONDS = 5.0
"""How often it is looked whether a worker still lives."""
START_SECONDS = 60.0
"""How long a worker may take to come up: one that was started just before has not said so yet."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def replay(
        vehicles: Annotated[int, typer.Option(min=1, help="How many vehicles.")] = 20_000,
        parts: Annotated[int, typer.Option(min=1, help="How many parts.")] = 10_000,
    ) -> None:
        """Load a lot and play October 2025 day by day on workers that run already.

        They and this command need LOTRISK_AS_OF=file:PATH of one shared file, which this command writes: the clock.
        Start on topics without a lot of another time; `lotrisk demo` does all of it on a Kafka of its own.
        """
        from rich.console import Console

        from streams.cli._demo_episode import BEGINS
        from streams.cli._demo_replay import set_clock
        from streams.cli.demo import follow_inputs, load_file, play_episode
        from streams.feeds.lot.write import LotRequest, write_lot
        from streams.settings import load_settings

        console = Console(highlight=False, emoji=False)
        settings = load_settings()
        clock = _clock_file(settings)
        set_clock(clock, BEGINS)
        check = _Living(settings)
        check.wait()
        with tempfile.TemporaryDirectory(prefix="lotrisk-replay-") as work:
            lot = Path(work) / "lot.jsonl"
            summary = write_lot(lot, LotRequest(vehicles, parts, 5, 1, BEGINS, 0.0))
            load_file(lot, dict(os.environ))
        follow_inputs(console, settings, check)
        play_episode(console, settings, clock, summary.vehicles + summary.parts, check)


def _clock_file(settings: Settings) -> Path:
    from streams.clock import FILE

    if settings.as_of is None or not settings.as_of.startswith(FILE):
        typer.echo(
            f"LOTRISK_AS_OF is {settings.as_of or 'not set'}; a replay needs {FILE}PATH, a file that this command "
            "writes and the workers read under the same setting",
            err=True,
        )
        raise typer.Exit(2)
    return Path(settings.as_of.removeprefix(FILE))


class _Living:
    """Ends the command where no worker runs any more."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked = float("-inf")

    def wait(self) -> None:
        """Until a worker runs, for a time."""
        ends = time.monotonic() + START_SECONDS
        while not self._any():
            if time.monotonic() > ends:
                self._end()
            time.sleep(0.5)

    def __call__(self) -> None:
        if time.monotonic() < self._asked + ASK_SECONDS:
            return
        if not self._any():
            self._end()

    def _any(self) -> bool:
        from streams.transport.heartbeat import read_workers

        self._asked = time.monotonic()
        return bool(asyncio.run(read_workers(self._settings)))

    def _end(self) -> NoReturn:
        typer.echo("no worker runs; start one with the same settings: lotrisk worker", err=True)
        raise typer.Exit(1)
