"""`lotrisk demo`: a lot through real Kafka and real Faust agents, in one command."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from streams.broker.process import SupervisedProcess
    from streams.cli._demo_report import LotSums
    from streams.settings import Settings

TODAY = date(2026, 10, 1)
"""The day without the replay. The demo's clock stands still, so that every run shows the same numbers."""
EXAMPLES = {("JP", "HEV"): "1 a hybrid from Japan", ("CN", "BEV"): "2 an electric car from China", ("CN", "ICE"): "2"}
"""Origin and powertrain of the vehicles that are explained at the end, in this order, then a part."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def demo(
        vehicles: Annotated[int, typer.Option(min=1, help="How many vehicles.")] = 20_000,
        parts: Annotated[int, typer.Option(min=1, help="How many parts.")] = 10_000,
        workers: Annotated[int, typer.Option(min=1, max=8, help="How many workers.")] = 2,
        replay: Annotated[
            bool, typer.Option("--replay/--no-replay", help="Play the autumn of 2025, or only show 2026-10-01.")
        ] = True,
        keep: Annotated[bool, typer.Option("--keep", help="Leave Kafka and the workers up until Ctrl-C.")] = False,
    ) -> None:
        """Start Kafka, load a realistic lot, rate it with real workers, play October 2025 and show what is hit.

        Needs nothing but this program, ends by itself and leaves nothing running.
        """
        from rich.console import Console

        console = Console(highlight=False, emoji=False)
        # A closed terminal or a `kill` unwinds the stack like Ctrl-C, so that nothing is left behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with ExitStack() as stack:
            _run(console, stack, vehicles, parts, workers, replay=replay, keep=keep)


def _run(
    console: Console, stack: ExitStack, vehicles: int, parts: int, workers: int, *, replay: bool, keep: bool
) -> None:
    from streams.broker.embedded import EmbeddedKafka
    from streams.cli._demo_episode import BEGINS
    from streams.cli._demo_replay import set_clock
    from streams.cli._demo_report import show
    from streams.feeds.lot.write import LotRequest, write_lot
    from streams.provisioning import apply_topics
    from streams.settings import Settings

    began = time.monotonic()
    work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lotrisk-demo-")))
    with console.status("starting Apache Kafka"):
        broker = stack.enter_context(EmbeddedKafka())
    day, clock = BEGINS if replay else TODAY, work / "clock"
    set_clock(clock, day)
    settings = Settings(
        bootstrap_servers=broker.bootstrap_servers, as_of=f"file:{clock}", state_dir=work / "state", web_port=0,
        session_timeout_seconds=10, rebalance_timeout_seconds=15, drain_seconds=5, log_level="WARNING",
    )  # fmt: skip
    _say(console, began, f"Apache Kafka answers on {broker.bootstrap_servers}")
    steps = apply_topics(settings)
    _say(console, began, f"{len(steps)} topics, {settings.partitions} partitions where keyed")

    lot = work / "lot.jsonl"
    with console.status("drawing a lot"):
        summary = write_lot(lot, LotRequest(vehicles, parts, 5, 1, day, 0.0))
    _say(
        console,
        began,
        f"a lot of {summary.vehicles:,} vehicles and {summary.parts:,} parts at {len(summary.by_dealer)} dealers "
        f"on {day}",
    )
    environment = _environment(settings)
    running = stack.enter_context(_workers(workers, environment, work))
    load_file(lot, environment)
    check = partial(_check, console, running, work)
    follow_inputs(console, settings, check)
    _say(console, began, "the lot is rated")
    if replay:
        play_episode(console, settings, clock, summary.vehicles + summary.parts, check)
        _say(console, began, "the episode is over; this is what it left")
    sums, examples = asyncio.run(_read(settings))
    show(console, sums)
    _explain(console, settings, examples)
    _say(console, began, f"{summary.vehicles + summary.parts:,} records in, {sums.records:,} out")
    if keep:
        _stay(console, broker.bootstrap_servers)


def _say(console: Console, began: float, text: str) -> None:
    console.print(f"[dim]{time.monotonic() - began:5.1f} s[/dim]  {text}")


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as a child process reads them."""
    ours = {f"LOTRISK_{name.upper()}": str(getattr(settings, name)) for name in settings.model_fields_set}
    return {**{name: value for name, value in os.environ.items() if not name.startswith("LOTRISK_")}, **ours}


@contextmanager
def _workers(count: int, environment: dict[str, str], work: Path) -> Iterator[list[SupervisedProcess]]:
    """`count` workers, which end with this process however it ends."""
    from streams.broker.process import SupervisedProcess

    workers = [SupervisedProcess(grace_seconds=10) for _ in range(count)]
    try:
        for number, worker in enumerate(workers, 1):
            worker.run([sys.executable, "-m", "streams.cli", "worker"], work / f"worker-{number}.log", environment)
        yield workers
    finally:
        for worker in workers:
            worker.signal(signal.SIGTERM)
        for worker in workers:
            if not worker.wait(20):
                worker.signal(signal.SIGKILL)
            worker.close()


def _check(console: Console, workers: list[SupervisedProcess], work: Path) -> None:
    """End the demo where a worker has ended, with the end of its log."""
    for number, worker in enumerate(workers, 1):
        if not worker.running:
            log = (work / f"worker-{number}.log").read_text("utf-8", "replace")
            console.print(f"worker {number} ended with status {worker.exit_code}:\n{log[-3000:]}", markup=False)
            raise typer.Exit(1)


def load_file(lot: Path, environment: dict[str, str]) -> None:
    """Publish a lot with `lotrisk load`, which shows how far it is."""
    published = subprocess.run([sys.executable, "-m", "streams.cli", "load", str(lot)], env=environment, check=False)
    if published.returncode:
        raise typer.Exit(published.returncode)


def follow_inputs(console: Console, settings: Settings, check: Callable[[], None]) -> None:
    """Show how far the workers are until nothing waits any more."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from streams.topics import PARTS, VEHICLES
    from streams.transport.lag import group_lag

    topics = [topic.full_name(settings.topic_prefix) for topic in (VEHICLES, PARTS)]
    bar = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bar, console=console, transient=True) as progress:
        tasks = {topic: progress.add_task(f"enriching {topic}") for topic in topics}
        while True:
            lags = group_lag(settings, topics)
            for topic, task in tasks.items():
                ours = [lag for lag in lags if lag.topic == topic]
                end = sum(lag.end for lag in ours)
                progress.update(task, total=end, completed=end - sum(lag.lag for lag in ours))
            if not any(lag.lag for lag in lags):
                return
            check()
            time.sleep(0.2)


def play_episode(console: Console, settings: Settings, clock: Path, records: int, check: Callable[[], None]) -> None:
    """Play the episode on a lot of `records` that has been rated."""
    from streams.cli._demo_episode import moments
    from streams.cli._demo_replay import play
    from streams.reference.trade import load_trade
    from streams.transport.heartbeat import read_workers

    workers = [worker["web"] for worker in asyncio.run(read_workers(settings))]
    try:
        play(console, settings, moments(load_trade()), clock, workers, records, check)
    except TimeoutError as error:
        console.print(str(error), markup=False)
        raise typer.Exit(1) from error


async def _read(settings: Settings) -> tuple[LotSums, list[bytes]]:
    """Both enriched topics, added up, and the vehicles and part to explain."""
    import orjson

    from streams.cli._demo_report import LotSums, add_part, add_vehicle
    from streams.topics import PARTS_ENRICHED, VEHICLES_ENRICHED
    from streams.transport.reading import read_to_end

    sums = LotSums()
    current: dict[tuple[str, bytes], bytes] = {}
    for topic in (VEHICLES_ENRICHED, PARTS_ENRICHED):
        async for record in read_to_end(settings, topic.full_name(settings.topic_prefix)):
            current[topic.name, record.key] = record.value
    examples: dict[str, bytes] = {}
    for (topic_name, _), value in sorted(current.items()):
        document = orjson.loads(value)
        if topic_name == VEHICLES_ENRICHED.name:
            add_vehicle(sums, document)
            wanted = EXAMPLES.get((document["origin"]["country"], document["decoded"]["powertrain"]))
            if wanted and document.get("stock_class") == "new":
                examples.setdefault(wanted, value)
        else:
            add_part(sums, document)
            duty = document["tariff"]["importer_duty"]["replacement"]
            if document["origin"]["country"] == "CN" and duty and document["exposure"]:
                examples.setdefault("a part", value)
    return sums, [examples[name] for name in sorted(examples)]


def _explain(console: Console, settings: Settings, examples: list[bytes]) -> None:
    """Open each example down to its duty components, from the record and the book it was rated under."""
    import orjson

    from schemas.part import Part
    from schemas.vehicle import Vehicle
    from streams import reference
    from streams.cli._explain_part import explain_part, show_part
    from streams.cli._explain_vehicle import explain_vin, show_vehicle
    from streams.clock import clock_for
    from streams.transport.books import Books

    context = Books(reference.load(), clock_for(settings.as_of), as_known_then=settings.as_of is not None).context()
    for example in examples:
        document = orjson.loads(example)
        contract = Vehicle if "vin" in document else Part
        stated = {name: document[name] for name in contract.model_fields if name in document}
        stated.pop("dealer_id")
        if contract is Vehicle:
            show_vehicle(explain_vin(stated.pop("vin"), context, **stated), console)
        else:
            show_part(explain_part(stated.pop("part_number"), context, **stated), console)


def _stay(console: Console, bootstrap_servers: str) -> None:
    console.print(
        f"\nStill up. In another shell:\n  export LOTRISK_BOOTSTRAP_SERVERS={bootstrap_servers}\n"
        "  lotrisk status\n  lotrisk get VIN\nCtrl-C ends it."
    )
    with suppress(KeyboardInterrupt):
        signal.pause()
