"""`lotrisk lot`: a realistic lot as a file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lot")(lot)


def lot(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where to write; a name ending in .gz is compressed.")],
    vehicles: Annotated[int, typer.Option(min=0, help="How many vehicles.")] = 20_000,
    parts: Annotated[int, typer.Option(min=0, help="How many parts.")] = 10_000,
    dealers: Annotated[int, typer.Option(min=1, max=500, help="How many dealers share them.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    as_of: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The day on which the lot stands like this.")
    ] = datetime(2026, 10, 1),  # noqa: DTZ001 - a day, typer knows no date
    dirt: Annotated[
        float, typer.Option(min=0, max=100, help="Percent of records with a defect real files have.")
    ] = 0.0,
) -> None:
    """Write a made-up but realistic lot as canonical JSON Lines: vehicles, then parts.

    VINs are valid and decode to the model they stand for; shares of models, plants, powertrains, stock classes and part
    families come from streams/reference/lot_data. Load it with: lotrisk load FILE
    """
    import time

    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from streams.feeds.lot.write import LotRequest, write_lot

    request = LotRequest(vehicles, parts, dealers, seed, as_of.date(), dirt)
    began = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, refresh_per_second=5) as progress:
        task = progress.add_task("drawing", total=vehicles + parts)
        try:
            summary = write_lot(file, request, lambda: progress.advance(task))
        except OSError as error:
            Console(stderr=True).print(f"{file}: can't be written: {error.strerror}", highlight=False)
            raise typer.Exit(1) from error
    table = Table(title=str(file), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("vehicles", f"{summary.vehicles:,}")
    for name, count in summary.by_class.most_common():
        table.add_row(f"  {name}", f"{count:,}")
    table.add_row("parts", f"{summary.parts:,}")
    for name, count in sorted(summary.by_dealer.items()):
        table.add_row(f"records of {name}", f"{count:,}")
    table.add_row("megabytes", f"{summary.bytes / 1e6:.1f}")
    table.add_row("seconds", f"{time.monotonic() - began:.1f}")
    Console().print(table)
