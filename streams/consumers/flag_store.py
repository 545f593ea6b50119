"""What a reader of `risk.flags` keeps: the flags that are open, what was done about them, and how far it has read.

All three change in one transaction of one SQLite file. So a reader that is killed at any moment goes on from where its
effects are, and neither misses an event nor acts on one twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from schemas.cloudevents import ID, ORDER, OrderKey, header

_CHANGES: Final = ("raised", "changed", "cleared")
_NEEDED: Final = ("type", "change", "episode", "severity", "owner", "action", "why", "confidence")

_TABLES: Final = """
CREATE TABLE source (topic TEXT NOT NULL, topic_id TEXT NOT NULL);
CREATE TABLE position (partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL);
CREATE TABLE flag (
    key TEXT PRIMARY KEY, place TEXT NOT NULL, is_open INTEGER NOT NULL, episode TEXT NOT NULL,
    type TEXT NOT NULL, severity TEXT NOT NULL, owner TEXT NOT NULL, action TEXT NOT NULL,
    cents_at_stake INTEGER, document TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE effect (
    number INTEGER PRIMARY KEY, event TEXT NOT NULL UNIQUE, key TEXT NOT NULL, episode TEXT NOT NULL,
    did TEXT NOT NULL, action TEXT NOT NULL, why TEXT NOT NULL
);
CREATE TABLE refused (
    partition INTEGER, at_offset INTEGER, reason TEXT NOT NULL, value BLOB, PRIMARY KEY (partition, at_offset)
);
"""


class StoreError(Exception):
    """The file can't be used; the message says why and what to do."""


class Outcome(StrEnum):
    """What became of one record."""

    RAISED = "raised"
    CHANGED = "changed"
    CLEARED = "cleared"
    REPEATED = "repeated"
    """Its place in the key's history is not above the one held: it has been acted on, or something later has."""
    NOT_OPEN = "not_open"
    """Cleared without having been open here: reading began after the flag was raised."""
    REFUSED = "refused"
    """Not a flag event; kept in the table `refused` for a person."""


class Record(NamedTuple):
    """One record of `risk.flags`, as any client gives it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class NotAFlagEvent(ValueError):
    """A record that can't be acted on; the message says why."""


class Place(NamedTuple):
    """Where an event stands in its key's history, from the header `lotrisk.order`.

    Within one topic id the higher source offset is later, then the higher book: revision, epoch and offset of
    `trade.policy` as numbers, then its day. Another topic id is always later, since the input was made anew.
    """

    topic_id: str
    offset: int
    book: tuple[int, int, int, str]

    @classmethod
    def read(cls, value: str) -> Place:
        """Read `topic id/offset/revision.epoch.offset.day`.

        Raises:
            ValueError: of another form.
        """
        order = OrderKey.decode(value.encode())
        revision, epoch, offset, day = order.book.split(".")
        return cls(order.topic_id, order.offset, (int(revision), int(epoch), int(offset), day))

    def is_after(self, held: Place) -> bool:
        """Whether this is later than what is held; the same place again is not."""
        return self.topic_id != held.topic_id or (self.offset, self.book) > (held.offset, held.book)


class FlagStore:
    """The SQLite file of one reader. A second process that opens it is refused."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            StoreError: not such a file, in use, or not to be written.
        """
        self.path = path
        try:
            self._database = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}; name a file in a directory that can be written") from error
        try:
            # The lock is held from the first transaction until the file is closed: one store, one reader.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("BEGIN EXCLUSIVE")
            if not self._database.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
                for statement in _TABLES.split(";"):
                    self._database.execute(statement)
            self._database.execute("SELECT topic_id FROM source")
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._database.close()
            busy = "locked" in str(error)
            then = "another reader has it: give each its own" if busy else "name another file, or move this one away"
            raise StoreError(f"{path}: {error}; {then}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go. What was not committed is forgotten, and read again."""
        with suppress(sqlite3.Error):
            self._database.close()

    def positions(self, topic: str, topic_id: str) -> dict[int, int]:
        """Partition to the offset to go on from; empty for a new file, which from now on belongs to this topic.

        Raises:
            StoreError: the file holds the flags of another topic, or of one that has since been made anew.
        """
        held = self._database.execute("SELECT topic, topic_id FROM source").fetchone()
        if held is None:
            self._database.execute("INSERT INTO source VALUES (?, ?)", (topic, topic_id))
        elif held != (topic, topic_id):
            what = "was made anew" if held[0] == topic else f"is not {held[0]}, which it was filled from"
            raise StoreError(f"{self.path}: {topic} {what}; move the file away to read from the beginning")
        return dict(self._database.execute("SELECT partition, next_offset FROM position"))

    def take(self, records: Iterable[Record], positions: Mapping[int, int]) -> Counter[Outcome]:
        """Act on records and move to `positions`, all in one transaction.

        `positions`: where to go on in each partition, taken from the consumer; markers of transactions count.
        """
        done: Counter[Outcome] = Counter()
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        try:
            for record in records:
                done[self._act(record)] += 1
            database.executemany("INSERT OR REPLACE INTO position VALUES (?, ?)", positions.items())
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise
        return done

    def _act(self, record: Record) -> Outcome:
        try:
            key, event_id, place, event = _read(record)
        except NotAFlagEvent as error:
            self._database.execute(
                "INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?)",
                (record.partition, record.offset, str(error), record.value),
            )
            return Outcome.REFUSED
        held = self._database.execute("SELECT place, is_open FROM flag WHERE key = ?", (key,)).fetchone()
        if held is not None and not place.is_after(Place.read(held[0])):
            return Outcome.REPEATED
        change, was_open = event["change"], held is not None and bool(held[1])
        self._database.execute(
            "INSERT OR REPLACE INTO flag VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key, _text(place), change != "cleared", event["episode"], event["type"], event["severity"],
                event["owner"], event["action"], _cents(event.get("dollars_at_stake")), json.dumps(event),
            ),
        )  # fmt: skip
        if change == "cleared" and not was_open:
            return Outcome.NOT_OPEN
        self._react(key, event_id, event)
        return Outcome(change)

    def _react(self, key: str, event_id: str, event: Mapping[str, Any]) -> None:
        """What a pricing service does about one event; here a line in the table `effect`. Put yours in its place.

        Raised: do as `action` says. Changed: do it again with the new amount. Cleared: take it back.
        """
        did = {"raised": "begun", "changed": "adjusted", "cleared": "taken back"}[event["change"]]
        self._database.execute(
            "INSERT INTO effect (event, key, episode, did, action, why) VALUES (?, ?, ?, ?, ?, ?)",
            (event_id, key, event["episode"], did, event["action"], event["why"]),
        )

    def open_flags(self) -> list[tuple[str, str, str, str, int, int, int]]:
        """Type, owner, severity, action, number of open flags, cents at stake, and how many can't say an amount."""
        return self._database.execute(
            "SELECT type, owner, severity, action, count(*), coalesce(sum(cents_at_stake), 0), "
            "sum(cents_at_stake IS NULL) FROM flag WHERE is_open GROUP BY 1, 2, 3, 4 ORDER BY 6 DESC, 1, 2, 3, 4"
        ).fetchall()

    def effects(self) -> list[tuple[str, str, str, str]]:
        """Event id, key, episode and what was done, in the order in which it was done."""
        return self._database.execute("SELECT event, key, episode, did FROM effect ORDER BY number").fetchall()

    def refused(self) -> list[tuple[int, int, str]]:
        """Partition, offset and reason of what could not be acted on."""
        return self._database.execute("SELECT partition, at_offset, reason FROM refused ORDER BY 1, 2").fetchall()


def _read(record: Record) -> tuple[str, str, Place, dict[str, Any]]:
    """Key, event id, place and the event itself. Members that this reader doesn't know are kept and not looked at."""
    event_id, order = header(record.headers, ID), header(record.headers, ORDER)
    if record.key is None or record.value is None or event_id is None or order is None:
        raise NotAFlagEvent(f"no key, no value, no {ID} or no {ORDER}")
    try:
        event = json.loads(record.value)
        place = Place.read(order.decode())
        key = record.key.decode()
        identity = event_id.decode()
    except ValueError as error:
        raise NotAFlagEvent(str(error)) from error
    if not isinstance(event, dict) or any(not isinstance(event.get(name), str) for name in _NEEDED):
        raise NotAFlagEvent(f"not a flag event: one of {', '.join(_NEEDED)} is not there")
    if event["change"] not in _CHANGES:
        raise NotAFlagEvent(f"change is {event['change']!r}, expected {', '.join(_CHANGES)}")
    if event.get("dollars_at_stake") is not None:
        try:
            _cents(event["dollars_at_stake"])
        except (ValueError, TypeError, AttributeError):
            raise NotAFlagEvent(f"dollars_at_stake is {event['dollars_at_stake']!r}, expected like 12.34") from None
    return key, identity, place, event


def _text(place: Place) -> str:
    return f"{place.topic_id}/{place.offset}/{'.'.join(str(part) for part in place.book)}"


def _cents(dollars: str | None) -> int | None:
    """`"-12.34"` as -1234."""
    if dollars is None:
        return None
    whole, _, part = dollars.lstrip("-").partition(".")
    amount = int(whole) * 100 + int((part + "00")[:2])
    return -amount if dollars.startswith("-") else amount
