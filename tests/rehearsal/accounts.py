"""The accountant: reads inputs, outputs and dead letters; finds what is missing, double, out of order or changed."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schemas.cloudevents import ID, ORDER, OrderKey, header
from schemas.dead_letter import split_headers
from streams.enrich.outcome import Enriched, Outcome, Rejected
from streams.settings import Settings
from streams.topics import VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED, Topic
from streams.transport.reading import read_to_end
from tests.rehearsal.light import light

Source = tuple[int, int]
"""Partition and offset of an input record."""


@dataclass
class Accounts:
    """What came of the inputs. Everything but the counts is empty in good books."""

    inputs: int = 0
    enriched: int = 0
    tombstones: int = 0
    dead_letters: int = 0
    unchanged: int = 0
    """Records that say what their key's record before them said: nothing is published for them."""
    missing: list[Source] = field(default_factory=list)
    duplicates: list[Source] = field(default_factory=list)
    out_of_order: list[tuple[Source, int]] = field(default_factory=list)
    """Input, and the later offset of the same key that stands before it."""
    wrong: list[tuple[Source, str]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def balance(self) -> None:
        """In = out + tombstones + dead letters + unchanged, nothing twice, order by key.

        Raises:
            AssertionError: it doesn't balance; the first few of each kind are named.
        """
        assert not self.wrong, self
        assert not self.missing, self
        assert not self.duplicates, self
        assert not self.out_of_order, self
        assert self.inputs == self.enriched + self.tombstones + self.dead_letters + self.unchanged, self
        assert self.inputs > 0, "nothing was put in"

    def balance_with_repeats(self) -> None:
        """At least once: nothing missing, and what came twice is the same (checked with `wrong`)."""
        assert not self.wrong, self
        assert not self.missing, self
        out = self.enriched + self.tombstones + self.dead_letters + self.unchanged
        assert self.inputs == out - len(self.duplicates), self
        assert self.inputs > 0, "nothing was put in"

    def __str__(self) -> str:
        return (
            f"in {self.inputs:,}, enriched {self.enriched:,}, tombstones {self.tombstones:,}, "
            f"dead letters {self.dead_letters:,}, unchanged {self.unchanged:,}, "
            f"missing {len(self.missing):,} {self.missing[:5]}, "
            f"duplicates {len(self.duplicates):,} {self.duplicates[:5]}, "
            f"out of order {len(self.out_of_order):,} {self.out_of_order[:5]}, "
            f"wrong {len(self.wrong):,} {self.wrong[:5]}"
        )

    __repr__ = __str__


@dataclass(frozen=True, slots=True)
class _Seen:
    id: bytes
    value: bytes | None


async def read(settings: Settings, topic: Topic) -> list[Any]:
    """Every committed record of a topic, in order within a partition."""
    return [record async for record in read_to_end(settings, topic.full_name(settings.topic_prefix))]


def account(settings: Settings, enrich: Callable[[bytes | None, bytes | None], Outcome] = light) -> Accounts:
    """Books of everything that stands on the topics now. `enrich` says what must come of a record."""
    return asyncio.run(_account(settings, enrich))


async def _account(settings: Settings, enrich: Callable[[bytes | None, bytes | None], Outcome]) -> Accounts:
    inputs, outputs, letters = [await read(settings, topic) for topic in (VEHICLES, VEHICLES_ENRICHED, VEHICLES_DLQ)]
    books = Accounts(inputs=len(inputs), dead_letters=len(letters))
    seen: defaultdict[Source, list[_Seen]] = defaultdict(list)
    newest: dict[tuple[int, bytes], int] = {}
    for record in outputs:
        order = OrderKey.decode(header(record.headers, ORDER) or b"")
        source = (record.partition, order.offset)
        seen[source].append(_Seen(header(record.headers, ID) or b"", record.value))
        books.enriched += record.value is not None
        books.tombstones += record.value is None
        key = (record.partition, record.key)
        if order.offset < newest.get(key, -1):
            books.out_of_order.append((source, newest[key]))
        newest[key] = max(order.offset, newest.get(key, -1))
    dead: defaultdict[Source, list[Any]] = defaultdict(list)
    for letter in letters:
        original, error = split_headers(letter.headers)
        source = (int(error.partition), int(error.offset))
        dead[source].append((letter, original))
        books.reasons[error.reason] += 1
        if letter.partition != source[0]:
            books.wrong.append((source, f"dead letter on partition {letter.partition}"))
    said: dict[tuple[int, bytes], bytes | None] = {}
    for record in inputs:
        source = (record.partition, record.offset)
        outcome = enrich(record.key, record.value)
        found, letters_found = seen.pop(source, []), dead.pop(source, [])
        if isinstance(outcome, Rejected):
            if found:
                books.wrong.append((source, "published although it must be rejected"))
            books.missing += [source] * (not letters_found)
            books.duplicates += [source] * (len(letters_found) - 1)
            for letter, original in letters_found:
                if (letter.key, letter.value, original) != (record.key, record.value, list(record.headers)):
                    books.wrong.append((source, "the dead letter is not the original"))
            continue
        if letters_found:
            books.wrong.append((source, "a dead letter although it can be enriched"))
        body = outcome.body if isinstance(outcome, Enriched) else None
        key = (record.partition, record.key)
        if not found and body is not None and said.get(key) == body:
            books.unchanged += 1
            continue
        said[key] = body
        books.missing += [source] * (not found)
        books.duplicates += [source] * (len(found) - 1)
        if any(not _is_of(one.value, outcome) for one in found):
            books.wrong.append((source, "another value than the input gives"))
        if len({one.id for one in found}) > 1:
            books.wrong.append((source, "duplicates with different ce_id"))
    books.wrong += [(source, "output without an input") for source in (*seen, *dead)]
    return books


def _is_of(value: bytes | None, outcome: Outcome) -> bool:
    """Whether a published value is what the record gives, whatever flags were open and under whatever book."""
    if not isinstance(outcome, Enriched):
        return value is None
    return value is not None and value.startswith(outcome.body + b',"flags":[')
