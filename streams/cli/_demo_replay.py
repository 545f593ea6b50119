"""Playing an episode on a running lot: the clock is moved to each day, and what the workers make of it is shown."""

from __future__ import annotations

import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
from kafka import KafkaConsumer, TopicPartition

from streams.cli._demo_episode import BEGINS, Moment
from streams.cli._demo_report import cents
from streams.connection import kafka_python_options
from streams.metrics import RERATED
from streams.policy.book import BookNumber
from streams.settings import Settings
from streams.topics import FLAGS, PARTS, VEHICLES

if TYPE_CHECKING:
    from rich.console import Console, Group

CLOCK = "{day}T17:00Z@0s/s"
"""Noon in the US East, standing still: the episode goes on when the lot has been rated."""
PATIENCE_SECONDS = 180.0
QUIET_SECONDS = 1.5
"""A moment is over when no flag has come for so long after everything was rated, and all totals have become groups."""
POLL_MS = 100
SHOWN_MEASURES = 4
WHOLE_LOT: Final = "book:all"
"""The group of everything; what it says is a digest for the policy desk."""
_CHANGES: Final = ("raised", "changed", "cleared")


@dataclass(slots=True)
class Episode:
    """What came of one moment; seconds count from when the clock was moved."""

    moment: Moment
    published: Counter[str] = field(default_factory=Counter)
    """Records published again, by input topic."""
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Flag events, by type and what happened."""
    open: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Afterwards open flags and cents at stake, by type."""
    digests: dict[str, str] = field(default_factory=dict)
    """What the flags of the whole lot said last, by type; a cleared one's is empty."""
    last_flag: float | None = None
    rated: float | None = None


class OpenFlags:
    """`risk.flags` read from its beginning: what is open now."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = KafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=POLL_MS,
            max_poll_records=5000,
            **kafka_python_options(settings),
        )
        topic = FLAGS.full_name(settings.topic_prefix)
        self._partitions = [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic)]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning()
        self._open: dict[bytes, tuple[str, int]] = {}
        self.digests: dict[str, str] = {}
        """What flags of the whole lot said since this was last emptied, by type."""

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()

    def read(self) -> Counter[tuple[str, str]]:
        """The events that came meanwhile, by type and what happened."""
        events: Counter[tuple[str, str]] = Counter()
        for batch in self._consumer.poll(timeout_ms=POLL_MS).values():
            for record in batch:
                event = orjson.loads(record.value)
                events[event["type"], event["change"]] += 1
                if event.get("group") == WHOLE_LOT:
                    self.digests[event["type"]] = "" if event["change"] == "cleared" else event["why"]
                if event["change"] == "cleared":
                    self._open.pop(record.key, None)
                else:
                    self._open[record.key] = (event["type"], cents(event.get("dollars_at_stake") or "0"))
        return events

    def is_at_end(self) -> bool:
        """Whether all that the topic holds now has been read."""
        ends = self._consumer.end_offsets(self._partitions)
        return all(self._consumer.position(partition) >= end for partition, end in ends.items())

    def by_type(self) -> dict[str, tuple[int, int]]:
        """Open flags and cents at stake, by type."""
        found: dict[str, tuple[int, int]] = {}
        for type, amount in self._open.values():
            count, total = found.get(type, (0, 0))
            found[type] = (count + 1, total + amount)
        return found


def set_clock(path: Path, day: date) -> None:
    """Move the clock of all workers to noon of a day, at once."""
    fresh = path.with_suffix(".new")
    fresh.write_text(CLOCK.format(day=day) + "\n", "utf-8")
    fresh.replace(path)


def play(
    console: Console,
    settings: Settings,
    moments: Sequence[Moment],
    clock: Path,
    workers: Sequence[str],
    records: int,
    check: Callable[[], None],
) -> list[Episode]:
    """Play moments one after the other on a lot of `records` that has been rated, and show them as they go.

    `workers`: host and port of each one's metrics. `check` is called again and again, and raises where one has ended.

    Raises:
        TimeoutError: what came of a moment was not over in time.
    """
    from rich.live import Live

    played = [Episode(Moment(BEGINS, "The lot, as it was loaded", {}))]
    with closing(OpenFlags(settings)) as flags:
        played[0].events = _until_quiet(flags, workers)
        played[0].open = flags.by_type()
        played[0].digests = dict(flags.digests)
        console.print(block(played[0], records))
        for moment in moments:
            episode = Episode(moment)
            played.append(episode)
            with Live(console=console, auto_refresh=False, transient=True) as live:
                for _ in _follow(episode, flags, clock, settings, workers):
                    check()
                    if console.is_terminal:
                        live.update(block(episode, records), refresh=True)
            console.print(block(episode, records))
    return played


def _follow(
    episode: Episode, flags: OpenFlags, clock: Path, settings: Settings, workers: Sequence[str]
) -> Iterator[None]:
    before = _published_again(workers, settings)
    flags.digests.clear()
    set_clock(clock, episode.moment.day)
    began = quiet = time.monotonic()
    # Workers that rate may take their time to say how far they are; flags are read meanwhile.
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(_standing, workers)
        while True:
            events = flags.read()
            now = time.monotonic()
            if events:
                episode.events += events
                episode.digests = dict(flags.digests)
                episode.open = flags.by_type()
                episode.last_flag = now - began
                quiet = now
            if answer.done():
                stands = answer.result()
                if episode.rated is None and stands.rated_up_to == episode.moment.day:
                    episode.rated = now - began
                    episode.published = _published_again(workers, settings) - before
                    quiet = time.monotonic()
                if stands.lag != 0:
                    quiet = max(quiet, now)
                answer = asking.submit(_standing, workers)
            if episode.rated is not None and now - quiet > QUIET_SECONDS:
                return
            if now - began > PATIENCE_SECONDS:
                raise TimeoutError(f"{episode.moment.day}: the lot was not rated again in {PATIENCE_SECONDS:.0f} s")
            yield


def _until_quiet(flags: OpenFlags, workers: Sequence[str]) -> Counter[tuple[str, str]]:
    """The flags of the lot as it was loaded, its groups' too."""
    events: Counter[tuple[str, str]] = Counter()
    began = quiet = time.monotonic()
    while time.monotonic() - quiet < QUIET_SECONDS and time.monotonic() - began < PATIENCE_SECONDS:
        found = flags.read()
        events += found
        if found or not flags.is_at_end() or _standing(workers).lag != 0:
            quiet = time.monotonic()
    return events


class Standing(NamedTuple):
    """How far all workers are."""

    rated_up_to: date | None
    """Day of the lowest book under which all that they hold is right; None where one doesn't know yet."""
    lag: int | None
    """Records, of vehicles, parts and totals, that are not worked on yet; None where one doesn't know."""


def _standing(workers: Iterable[str]) -> Standing:
    """What all workers say of themselves; one that doesn't answer may have ended, which `check` looks for."""
    books, lags = [], []
    for address in workers:
        try:
            with urllib.request.urlopen(f"http://{address}/status", timeout=30) as answer:
                status = orjson.loads(answer.read())
        except OSError:
            return Standing(None, None)
        books.append(status["rerate"]["book"])
        lags += [partition["lag"] for partition in status["partitions"]]
    return Standing(
        None if None in books else min(BookNumber.parse(book) for book in books).regime,
        None if None in lags else sum(lags),
    )


def _published_again(workers: Iterable[str], settings: Settings) -> Counter[str]:
    """Vehicles and parts that re-rating has published since the workers started, by input topic."""
    from prometheus_client.parser import text_string_to_metric_families

    names = {topic.full_name(settings.topic_prefix): topic.name for topic in (VEHICLES, PARTS)}
    found: Counter[str] = Counter()
    for address in workers:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
            for family in text_string_to_metric_families(answer.read().decode()):
                for sample in family.samples:
                    if sample.name == RERATED.name and sample.labels["result"] == "changed":
                        topic = names.get(sample.labels["topic"])
                        if topic is not None:
                            found[topic] += int(sample.value)
    return found


def block(episode: Episode, records: int) -> Group:
    """One moment as it is shown: what happened, to which measures, what was published again, and the flags."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    moment = episode.moment
    lines: list[Text | Padding] = [Text.assemble((moment.day.isoformat(), "bold"), "  ", (moment.headline, "bold"))]
    if moment.measures:
        lines.append(Padding(Text(_ids(moment.measures), "dim"), (0, 0, 0, 12)))
        lines.append(Padding(Text(_published(episode, records)), (0, 0, 0, 12)))
    for type in sorted({type for type, _ in episode.events}):
        moved = [f"{episode.events[type, what]:,} {what}" for what in _CHANGES if episode.events[type, what]]
        count, amount = episode.open.get(type, (0, 0))
        stake = f", {amount / 100:,.0f} USD" if amount else ""
        said = Text.assemble((type, "bold"), f": {', '.join(moved)}; {count:,} open{stake}")
        lines.append(Padding(said, (0, 0, 0, 12)))
    lines += [
        Padding(Text(f"{type}: {why or 'cleared'}", "italic"), (0, 0, 0, 12))
        for type, why in sorted(episode.digests.items())
    ]
    return Group(*lines)


def _published(episode: Episode, records: int) -> str:
    again = " and ".join(
        f"{count:,} {topic.removeprefix('dms.')}" for topic, count in episode.published.items() if count
    )
    rated = "being rated" if episode.rated is None else f"{records:,} records rated in {episode.rated:.1f} s"
    flag = "no flag moved" if episode.last_flag is None else f"last flag after {episode.last_flag:.1f} s"
    return f"{rated}, {again or 'none'} published again; {flag}"


def _ids(measures: Mapping[str, Sequence[str]]) -> str:
    """The measures behind a headline."""
    said = []
    for what, ids in measures.items():
        more = f" and {len(ids) - SHOWN_MEASURES} more" if len(ids) > SHOWN_MEASURES else ""
        said.append(f"{what}: {', '.join(ids[:SHOWN_MEASURES])}{more}")
    return "; ".join(said)
