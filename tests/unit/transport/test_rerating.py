"""One slice of re-rating at a time in a process, and a lane's way through what it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from streams.agents.vehicles import PIPELINE as VEHICLES
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched
from streams.instruments import Metrics
from streams.policy.book import BookNumber
from streams.state.view import Held, Slice
from streams.transport.pipeline import Unmoved
from streams.transport.rater import BookBehindError, Findings
from streams.transport.rerating import AT_ONCE, RerateSlot, Rerating
from tests.unit.transport.test_rater import REFERENCE, Remembered, Scene, book

VALUE = b'{"vin":"1"}'


class Scanned(Remembered):
    """A state in memory that can be scanned."""

    def __init__(self) -> None:
        super().__init__()
        self.at: BookNumber = super().reached

    @property
    def reached(self) -> BookNumber:
        return self.at

    def reach(self, book: BookNumber) -> None:
        self.at = max(self.at, book)

    def held(self, key: bytes) -> Held | None:
        found = self.records.get(key)
        return None if found is None else found._replace(book=max(found.book, self.at))

    def slices(self, after: bytes | None = None, **asked: Any) -> Generator[Slice, None, None]:
        while True:
            part = self.scan(after, **asked)
            yield part
            after = part.after
            if after is None:
                return

    def scan(self, after: bytes | None = None, *, leave_out: Any = None, **asked: Any) -> Slice:
        keys = sorted(key for key in self.records if after is None or key > after)
        some = keys[: asked["limit"]]
        found = [(key, held) for key in some if (held := self.held(key)) is not None and held.book < asked["below"]]
        taken = [one for one in found if not (leave_out and one[1].book == self.at and leave_out(one[0], VALUE))]
        above = max((held.book for held in map(self.held, some) if held and held.book > asked["below"]), default=None)
        return Slice(taken, some[-1] if len(keys) > len(some) else None, len(some), above, len(found) - len(taken))


class Lane:
    """A lane's rater and re-rating over `count` records; what they say follows `says`."""

    def __init__(self, count: int, unmoved: Unmoved | None = None) -> None:
        self.asked = list[bytes]()
        self.says = b"a"
        self.scene = Scene(VEHICLES, self._enrich)
        self.scene.state = self.state = Scanned()
        self.scene.rater._state = self.state
        metrics = Metrics(CollectorRegistry()).lane("t.in", 1)
        self.rerating = Rerating(self.state, self.scene.rater, metrics, unmoved)
        self.keys = [b"D1:%017d" % number for number in range(count)]
        self.scene.rate(Context(REFERENCE, book()), *((key, VALUE) for key in self.keys))
        self.asked.clear()

    def _enrich(self, key: bytes, value: bytes, context: Context) -> Enriched:
        self.asked.append(key)
        return Enriched(key, value[:-1] + b',"says":"%b"' % self.says, context.book_text, (), (), len(value) - 1)

    def slice(self, offset: int, seconds: float = 60.0, **more: Any) -> Findings:
        self.scene.draft = draft = cast(Any, type(self.scene.draft)())
        draft.records = 0
        found = asyncio.run(self.rerating.rate(draft, Context(REFERENCE, book(offset)), None, seconds=seconds, **more))
        self.state.apply(found.published, None)
        self.rerating.applied(found)
        return found


def test_a_slice_ends_with_its_time_and_the_next_goes_on_behind_it_once_it_is_committed() -> None:
    lane = Lane(2 * AT_ONCE + 5)
    lane.says = b"b"
    published = [len(lane.slice(7, seconds=0.0).published) for _ in range(3)]
    assert published == [AT_ONCE, AT_ONCE, 5]
    assert lane.asked == lane.keys
    assert lane.rerating.is_at(book(7).number)
    assert lane.state.reached == book(7).number


def test_a_slice_that_has_enough_ends_after_a_turn() -> None:
    lane = Lane(2 * AT_ONCE)
    assert lane.slice(7, enough=lambda: True).unchanged == AT_ONCE
    assert not lane.rerating.is_at(book(7).number)


def test_what_stands_in_the_draft_already_is_left_alone() -> None:
    lane = Lane(3)
    lane.says = b"b"
    assert list(lane.slice(7, besides={lane.keys[1]}).published) == [lane.keys[0], lane.keys[2]]


def test_what_is_right_under_all_of_the_last_book_and_unmoved_is_neither_rated_nor_written() -> None:
    def unmoved(before: Context, after: Context) -> Callable[[bytes, bytes], bool]:
        assert before.book.number < after.book.number
        return lambda key, _: key.endswith(b"1")

    lane = Lane(3, unmoved)
    lane.slice(7)
    assert lane.asked == lane.keys, "under which book the first ones are right is not known before"
    lane.asked.clear()
    assert lane.slice(8).unchanged == 3
    assert lane.asked == [lane.keys[0], lane.keys[2]]
    assert all(held.book == book().number for held in lane.state.records.values()), "as they were published"


def test_a_state_that_has_reached_the_book_is_not_scanned() -> None:
    lane = Lane(3)
    lane.state.reach(book(7).number)
    assert lane.slice(7).unchanged == 0
    assert lane.asked == []
    assert lane.rerating.is_at(book(7).number)


def test_what_has_reached_a_higher_book_is_not_rated_down() -> None:
    lane = Lane(3)
    lane.state.reach(book(9).number)
    with pytest.raises(BookBehindError):
        lane.slice(7)
    assert lane.asked == []


def test_what_was_drafted_before_a_record_of_a_higher_book_is_not_lost_to_the_state() -> None:
    lane = Lane(AT_ONCE + 1)
    lane.says = b"b"
    last = lane.keys[-1]
    lane.state.records[last] = lane.state.records[last]._replace(book=book(9).number)
    # The draft may be a live batch's, which goes out whatever becomes of the slice.
    assert list(lane.slice(7).published) == lane.keys[:-1]
    with pytest.raises(BookBehindError):
        lane.slice(7)
    assert lane.scene.draft.out == []
    assert not lane.rerating.is_at(book(7).number)


def test_who_finds_the_slot_taken_is_woken_when_it_is_free_and_tries_again() -> None:
    slot, woken = RerateSlot(), list[str]()
    assert slot.take(lambda: woken.append("first"))
    assert not slot.take(lambda: woken.append("second"))
    assert not slot.take(lambda: woken.append("third"))
    assert woken == []
    slot.free()
    assert woken == ["second", "third"], "both: the second may have a live batch to do first"
    assert slot.take(lambda: woken.append("third"))
    slot.free()
    assert woken == ["second", "third"], "nobody waits any more"
