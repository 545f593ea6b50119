"""The auditor of a lot under a moving policy: everything published is computed again from inputs and policy log.

What stands on the enriched topic tells which book each record was rated under, and in which order. From that, from the
inputs and from `trade.policy` the auditor computes every enriched value, every flag event and every dead letter, byte
for byte, and compares them with what stands on the topics: nothing may be missing, nothing twice, nothing else. At the
end the lot as it stands is compared with one that is rated at once under the final book.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from schemas.cloudevents import ID, ORDER, OrderKey, header, rfc3339
from schemas.dead_letter import split_headers
from streams.agents import vehicles
from streams.enrich.context import Context
from streams.enrich.episodes import NO_FLAGS, Cause, event_members, flags_json, merge, read_flags
from streams.enrich.group_totals import read_total_key
from streams.enrich.outcome import Enriched, Outcome, Rejected, assemble
from streams.enrich.totals import LOT
from streams.policy.book import BookNumber
from streams.reference.trade_records import MeasureRecord
from streams.settings import Settings
from streams.state.order import book_number
from streams.topics import FLAGS, POLICY, TOTALS, VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED
from streams.transport.books import US_EASTERN, Books
from streams.transport.policy_log import PolicyLog
from tests.rehearsal.accounts import read as read_all
from tests.rehearsal.releases import Release, release

_SHOWN = 5
_NOON = 12


class _Noon:
    """A clock that stands at noon of one day, US Eastern."""

    def __init__(self, day: date) -> None:
        self._day = day

    def now(self) -> datetime:
        return datetime(self._day.year, self._day.month, self._day.day, _NOON, tzinfo=US_EASTERN).astimezone(UTC)


class _Version(NamedTuple):
    """The policy log up to a record, as `Books.prepare` takes it."""

    overrides: tuple[MeasureRecord, ...]
    epoch: int
    offset: int
    changed_ms: int | None


class Shelf:
    """The books there have been, made again from the policy log, and what the releases made of a record under them."""

    def __init__(self, releases: Sequence[Release] = ()) -> None:
        """`releases`: those that run, the last one at the end; without any it is this one."""
        self._releases = {one.reference.trade.revision: one for one in releases or [release("this")]}
        self._last = list(self._releases)[-1]
        self._books: dict[str, Books] = {}
        self._logs = {revision: PolicyLog(one.reference.trade) for revision, one in self._releases.items()}
        self._versions: dict[int, list[_Version]] = {revision: [] for revision in self._releases}
        self._read = 0

    def read(self, policy: Sequence[Any]) -> None:
        """Take in `trade.policy`, all of it; what was read before is left out."""
        for record in policy[self._read :]:
            for revision, log in self._logs.items():
                log.apply(record.offset, record.key, record.value, record.timestamp)
                if log.offset == record.offset:
                    version = _Version(log.overrides, log.epoch, log.offset, log.changed_ms)
                    self._versions[revision].append(version)
        self._read = len(policy)

    def of(self, number: str) -> tuple[Context, datetime]:
        """The context of a book by its number, and when it came about.

        Raises:
            LookupError: log and dates make no such book.
        """
        books = self._books.get(number)
        if books is None:
            wanted = book_number(number)
            books = self._books[number] = self._make(wanted.regime, wanted)
            if str(books.number) != number:
                raise LookupError(f"book {number}: the log makes {books.number} of it")
        return books.context(), books.since

    def rate(self, key: bytes | None, value: bytes | None, context: Context) -> Outcome:
        """A record as it was rated by the release whose book it is."""
        return self._releases[context.book.number.revision].enrich(key, value, context)

    def on(self, day: date) -> Context:
        """The context of the book in force on a day, by the whole log."""
        return self._make(day, None).context()

    def _make(self, day: date, number: BookNumber | None) -> Books:
        revision = self._last if number is None else number.revision
        books = Books(self._releases[revision].reference, _Noon(day))
        read = [one for one in self._versions[revision] if number is None or one.offset <= number.offset]
        if read:
            books.publish(books.prepare(*read[-1]))
        return books


class _Standing(NamedTuple):
    """What the last output of a key says."""

    offset: int
    book: BookNumber
    flags: bytes


@dataclass
class LotAccounts:
    """What came of a lot. Everything but the counts is empty in good books; lists hold sentences."""

    inputs: int = 0
    enriched: int = 0
    rerated: int = 0
    """Of the enriched: records that a new book changed."""
    tombstones: int = 0
    dead_letters: int = 0
    unchanged: int = 0
    superseded: int = 0
    books: int = 0
    flag_events: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def balance(self) -> None:
        """Nothing missing, nothing twice, nothing else.

        Raises:
            AssertionError: it doesn't balance; the first few of each kind are named.
        """
        assert not self.missing, self
        assert not self.duplicates, self
        assert not self.out_of_order, self
        assert not self.wrong, self
        first = self.enriched - self.rerated
        assert self.inputs == first + self.tombstones + self.dead_letters + self.unchanged + self.superseded, self
        assert self.inputs > 0, "nothing was put in"

    def __str__(self) -> str:
        problems = "".join(
            f", {name} {len(found):,}" + "".join(f"\n  {one}" for one in found[:_SHOWN])
            for name, found in (
                ("missing", self.missing),
                ("duplicates", self.duplicates),
                ("out of order", self.out_of_order),
                ("wrong", self.wrong),
            )
        )
        return (
            f"in {self.inputs:,}, enriched {self.enriched:,} (of these re-rated {self.rerated:,}, {self.books} books), "
            f"tombstones {self.tombstones:,}, dead letters {self.dead_letters:,}, unchanged {self.unchanged:,}, "
            f"superseded {self.superseded:,}, flag events {dict(self.flag_events)}{problems}"
        )

    __repr__ = __str__


@dataclass(frozen=True, slots=True)
class _Read:
    """All committed records of a rehearsal's topics."""

    inputs: list[Any]
    outputs: list[Any]
    flags: list[Any]
    letters: list[Any]
    policy: list[Any]


def audit(settings: Settings, shelf: Shelf, today: date) -> LotAccounts:
    """The books of everything that stands on the topics now, all work done; `today` decides the final book."""
    return _Auditor(asyncio.run(_read(settings)), shelf).audit(today)


def behind(settings: Settings, shelf: Shelf, today: date) -> int:
    """How many vehicles of the enriched topic don't say yet what the final book says of them."""
    stands = final_lot(settings, shelf)
    context = shelf.on(today)
    return sum(
        why_behind(value, shelf.rate(key, _canonical(value), context)) is not None for key, value in stands.items()
    )


def totals_problem(settings: Settings) -> str | None:
    """What the partitions' totals of the whole lot say other than its vehicles do: how many, and their open flags."""
    found = asyncio.run(_read(settings, enriched_only=True))
    told = {record.key: record.value for record in asyncio.run(read_all(settings, TOTALS))}
    said: Counter[tuple[int, str]] = Counter()
    as_of: dict[int, int] = {}
    for key, value in told.items():
        members = orjson.loads(value) if value is not None else {}
        source = read_total_key(key)
        if source is None or members.get("group") != LOT:
            continue
        as_of[source.partition] = members["position"]
        said[source.partition, "vehicles"] += members["records"]
        for flag, (count, cents) in members.get("open_flags", {}).items():
            said[source.partition, flag] += count
            said[source.partition, f"{flag} cents"] += cents
    stands: Counter[tuple[int, str]] = Counter()
    for (partition, _), value in {(record.partition, record.key): record.value for record in found.outputs}.items():
        for flag in orjson.loads(value)["flags"] if value is not None else ():
            name = f"{flag['type']}/{flag['severity']}"
            stands[partition, name] += 1
            stands[partition, f"{name} cents"] += int(Decimal(flag.get("dollars_at_stake", "0")) * 100)
        stands[partition, "vehicles"] += value is not None
    ends = {record.partition: record.offset for record in found.outputs}
    different = {
        f"partition {place[0]}, {place[1]}, as of {as_of.get(place[0])} of {ends.get(place[0])}": (
            said[place],
            stands[place],
        )
        for place in sorted(said | stands)
        if said[place] != stands[place]
    }
    return f"told and true: {different}" if different else None


def final_lot(settings: Settings, shelf: Shelf) -> dict[bytes, bytes]:
    """What compaction leaves of the enriched topic, sold vehicles left out; the shelf reads the policy."""
    found = asyncio.run(_read(settings, enriched_only=True))
    shelf.read(found.policy)
    latest = {record.key: record.value for record in found.outputs}
    return {key: value for key, value in latest.items() if value is not None}


def why_behind(value: bytes, outcome: Outcome) -> str | None:
    """What an enriched value doesn't say that its record gives now; book, ids and the flags' history aside."""
    if not isinstance(outcome, Enriched):
        return f"its record gives {outcome}"
    if not value.startswith(outcome.body + b',"flags":['):
        return "its body is another one"
    flags = {flag["type"]: flag["severity"] for flag in orjson.loads(value)["flags"]}
    may = {flag.type: flag.severity for flag in outcome.flags}
    must = {flag.type for flag in outcome.flags if flag.raises}
    if not must <= flags.keys() or not flags.items() <= may.items():
        return f"its flags are {flags}; called for are {may}, to be raised {must}"
    return None


def _canonical(value: bytes) -> bytes:
    """The record inside an enriched one, its members in their order."""
    members = orjson.loads(value)
    owned = vehicles.PIPELINE.owned | {"rehearsed_release"}
    return orjson.dumps({name: one for name, one in members.items() if name not in owned})


async def _read(settings: Settings, *, enriched_only: bool = False) -> _Read:
    topics = (VEHICLES, VEHICLES_ENRICHED, FLAGS, VEHICLES_DLQ, POLICY)
    wanted = [not enriched_only or topic in (VEHICLES_ENRICHED, POLICY) for topic in topics]
    return _Read(*[await read_all(settings, topic) if want else [] for topic, want in zip(topics, wanted, strict=True)])


class _Auditor:
    def __init__(self, found: _Read, shelf: Shelf) -> None:
        self._found = found
        self._shelf = shelf
        shelf.read(found.policy)
        self._inputs = {(record.partition, record.offset): record for record in found.inputs}
        self._accounts = LotAccounts(inputs=len(found.inputs), dead_letters=len(found.letters))
        self._outputs: defaultdict[tuple[int, int], list[Any]] = defaultdict(list)
        """By source: the first is of the input itself, the others are re-ratings."""
        self._expected: defaultdict[tuple[int, bytes], list[bytes]] = defaultdict(list)
        """Flag events by partition and flag key, in order."""

    def audit(self, today: date) -> LotAccounts:
        books: set[str] = set()
        standing: dict[tuple[int, bytes], _Standing] = {}
        seen: set[tuple[int, bytes, OrderKey]] = set()
        for record in self._found.outputs:
            order = OrderKey.decode(header(record.headers, ORDER) or b"")
            where = f"{record.key.decode()} at {record.partition}:{record.offset}, {order.offset}/{order.book}"
            if (record.partition, record.key, order) in seen:
                self._accounts.duplicates.append(where)
                continue
            seen.add((record.partition, record.key, order))
            books.add(order.book)
            self._outputs[record.partition, order.offset].append(record)
            self._take(record, order, where, standing)
        self._accounts.books = len(books)
        self._compare_flags()
        final = self._shelf.on(today)
        self._pass_inputs(final)
        self._final(final, standing)
        return self._accounts

    def _take(self, record: Any, order: OrderKey, where: str, standing: dict[tuple[int, bytes], _Standing]) -> None:
        """One output: what it must say, and the flag events that must come with it."""
        accounts, place = self._accounts, (record.partition, record.key)
        source = self._inputs.get((record.partition, order.offset))
        before = standing.get(place)
        number = book_number(order.book)
        if source is None or source.key != record.key:
            accounts.wrong.append(f"{where}: no such input")
            return
        if before is not None and (order.offset, number) <= (before.offset, before.book):
            accounts.out_of_order.append(f"{where}: after {before.offset}/{before.book}")
            return
        is_rerating = before is not None and before.offset == order.offset
        if before is not None and number < before.book:
            accounts.out_of_order.append(f"{where}: under a lower book than {before.book}")
        context, since = self._shelf.of(order.book)
        outcome = self._shelf.rate(source.key, source.value, context)
        moment = since if is_rerating else outcome.updated_at if isinstance(outcome, Enriched) else None
        time = rfc3339(source.timestamp) if moment is None else moment.isoformat().replace("+00:00", "Z")
        cause = Cause(time, order.topic_id, record.partition, order.offset, order.book)
        held = read_flags(NO_FLAGS if before is None else before.flags)
        candidates = outcome.flags if isinstance(outcome, Enriched) else ()
        still, events = merge(record.key, held, candidates, cause)
        flags = flags_json(still)
        for event in events:
            dealer, _, vin = record.key.decode().partition(":")
            said = orjson.dumps({"dealer_id": dealer, "vin": vin, **event_members(event)})
            self._expected[record.partition, record.key + b":" + event.flag.type.encode()].append(said)
        if record.value is None:
            accounts.tombstones += 1
            standing.pop(place, None)
            if source.value is not None:
                accounts.wrong.append(f"{where}: a tombstone for a vehicle")
            return
        accounts.enriched += 1
        accounts.rerated += is_rerating
        standing[place] = _Standing(order.offset, number, flags)
        if not isinstance(outcome, Enriched):
            accounts.wrong.append(f"{where}: published, and its input gives {outcome}")
        elif record.value != assemble(outcome.body, flags, order.book):
            accounts.wrong.append(f"{where}: another value than its input gives under its book")

    def _compare_flags(self) -> None:
        """The flag events that must have come, and those that have; each episode's alternate."""
        accounts = self._accounts
        came: defaultdict[tuple[int, bytes], list[bytes]] = defaultdict(list)
        ids: Counter[bytes] = Counter()
        for event in self._found.flags:
            came[event.partition, event.key].append(event.value)
            ids[header(event.headers, ID) or b""] += 1
            accounts.flag_events[orjson.loads(event.value)["change"]] += 1
        accounts.duplicates += [
            f"flag event {identity.decode()} {count} times" for identity, count in ids.items() if count > 1
        ]
        for place in self._expected.keys() | came.keys():
            expected, found = self._expected[place], came[place]
            if expected == found:
                continue
            missing, more = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
            accounts.missing += [f"flag event {place}: {one.decode()}" for one in missing]
            accounts.wrong += [f"flag event {place}: {one.decode()}" for one in more]
            if not missing and not more:
                accounts.out_of_order.append(f"flag events of {place}")
        for place, values in came.items():
            accounts.wrong += [f"{place}: {problem}" for problem in episode_problems(values)]

    def _pass_inputs(self, context: Context) -> None:
        """What became of each input: an output, a tombstone, a dead letter, or a reason to publish nothing."""
        accounts = self._accounts
        dead: defaultdict[tuple[int, int], list[Any]] = defaultdict(list)
        for letter in self._found.letters:
            _, error = split_headers(letter.headers)
            dead[int(error.partition), int(error.offset)].append(letter)
        held: dict[tuple[int, bytes], tuple[bytes, datetime | None]] = {}
        for (partition, offset), record in self._inputs.items():
            where = f"{record.key.decode()} from {partition}:{offset}"
            outputs, letters = self._outputs[partition, offset], dead[partition, offset]
            outcome = self._shelf.rate(record.key, record.value, context)
            place = (partition, record.key)
            before = held.get(place)
            if isinstance(outcome, Rejected):
                self._exactly_one(letters, f"{where}: dead letter")
                accounts.wrong += [f"{where}: published and rejected"] * bool(outputs)
            elif letters:
                accounts.wrong.append(f"{where}: a dead letter although it can be enriched")
            elif not isinstance(outcome, Enriched):
                held.pop(place, None)
                self._exactly_one(outputs, f"{where}: tombstone")
            elif before is not None and _earlier(outcome.updated_at, before[1]):
                accounts.superseded += 1
                accounts.wrong += [f"{where}: published although a later one was held"] * bool(outputs)
            elif outputs:
                held[place] = (record.value, outcome.updated_at)
            elif before is not None and before[0] == record.value:
                accounts.unchanged += 1
            else:
                accounts.missing.append(where)

    def _exactly_one(self, found: list[Any], what: str) -> None:
        self._accounts.missing += [what] * (not found)
        self._accounts.duplicates += [what] * (len(found) - 1)

    def _final(self, context: Context, standing: dict[tuple[int, bytes], _Standing]) -> None:
        """The lot as it stands against a lot rated at once under the final book: book, ids and order key aside."""
        accounts = self._accounts
        for (partition, key), last in standing.items():
            outcome = self._shelf.rate(key, self._inputs[partition, last.offset].value, context)
            value = self._outputs[partition, last.offset][-1].value
            if (problem := why_behind(value, outcome)) is not None:
                accounts.wrong.append(
                    f"{key.decode()} at the end, under {last.book} of {context.book.number}: {problem}"
                )


def _earlier(moment: datetime | None, held: datetime | None) -> bool:
    return moment is not None and held is not None and moment < held


def episode_problems(values: list[bytes]) -> list[str]:
    """What is wrong with one flag's events: each episode is raised, changed any number of times, and cleared."""
    problems: list[str] = []
    open_episode: str | None = None
    ended: set[str] = set()
    for value in values:
        event = orjson.loads(value)
        episode, change = event["episode"], event["change"]
        if change == "raised":
            if open_episode is not None or episode in ended:
                problems.append(f"{episode} raised while {open_episode} is open, or again")
            open_episode = episode
        elif episode != open_episode:
            problems.append(f"{episode} {change} while {open_episode} is open")
        if change == "cleared":
            ended.add(episode)
            open_episode = None
    return problems
