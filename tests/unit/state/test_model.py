"""The state against a dictionary: random records, tombstones, books, clocks, restarts and kills."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.cloudevents import OrderKey
from streams.enrich.contribution import HEADER as TOTALS_HEADER
from streams.enrich.contribution import Contribution, amounts, encode, encode_cell, read
from streams.enrich.totals import Totals
from streams.policy.book import BookNumber
from streams.state.codec.checkpoint import Checkpoint
from streams.state.layout import HEADER, digest_of, finish
from streams.state.order import NO_BOOK, is_stale
from streams.state.partition import RocksState
from streams.state.rocks import Memory
from streams.state.view import Gone, Held
from tests.unit.state.conftest import PLACE, NoRestoring, StandingClock

EVERY_KEY = [b"D1:A", b"D1:B", b"D1:B\0", b"D10:A", b"\xff\xff"]
KEYS = st.sampled_from(EVERY_KEY)
BOOKS = [BookNumber.parse(f"1.0.{number}.2026-09-29") for number in (-1, 9, 10)]
TOPIC_IDS = st.sampled_from(["first", "first", "first", "second"])
ORDERS = st.builds(OrderKey, TOPIC_IDS, st.integers(0, 20), st.sampled_from(BOOKS).map(str))
FLAGS = st.sampled_from([b"[]", b'[{"type":"replacement_cost_up"}]'])
SLICES = st.lists(st.tuples(KEYS, ORDERS, st.none() | st.integers(0, 9), FLAGS), max_size=4)
MARKER_MS = 1000


@dataclass
class Remembered:
    """What the model holds under a key: a record, or a tombstone until it may be forgotten."""

    outcome: Held | Gone
    expires_ms: int = 0


def held(order: OrderKey, price: int, flags: bytes) -> tuple[Held, bytes, bytes]:
    """A record as held, as its value, and its layout header."""
    canonical = b'{"price":%d}' % price
    body = canonical[:-1] + b',"origin":{}'
    value, layout = finish(body, flags, order.book, canonical_end=len(canonical) - 1, updated_at_ms=price)
    book = BookNumber.parse(order.book)
    return Held(digest_of(body, flags), order, price, book, flags, canonical, adds(price)), value, layout


def adds(price: int) -> bytes:
    """What a record of this price adds to the totals; one in ten is in none."""
    if not price:
        return b""
    cell = encode_cell((f"model:{price % 3}",), "vehicle", "JP", "HEV", None, ())
    return encode(Contribution(cell, amounts(1000, price, None, (1, 2, price), None)), ())


def copied_at_one_moment(directory: Path, copy: Path) -> bool:
    """Copy a directory; whether nothing in it changed while it was copied."""

    def seen() -> set[tuple[str, int, int]]:
        return {(file.name, (found := file.stat()).st_size, found.st_mtime_ns) for file in directory.iterdir()}

    try:
        before = seen()
        shutil.copytree(directory, copy)
        return seen() == before
    except (shutil.Error, FileNotFoundError):
        copy.mkdir(exist_ok=True)
        return False


class StateAgainstDictionary(RuleBasedStateMachine):
    """The dictionary is the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.clock = StandingClock()
        self.model: dict[bytes, Remembered] = {}
        self.position = 0
        self.reached = NO_BOOK
        self.told: dict[str, object] = {}
        """What stands on the topic of totals."""
        self.exactly_once = True
        self.state = self.opened()

    def opened(self) -> RocksState:
        state = RocksState(
            PLACE, self.directory / "s", Memory(), NoRestoring(), exactly_once=self.exactly_once, now_ms=self.clock
        )
        state.marker_ms = MARKER_MS
        state.open()
        return state

    @initialize(exactly_once=st.booleans(), filled=st.lists(SLICES, max_size=4))
    def begin(self, exactly_once: bool, filled: list[list[tuple[bytes, OrderKey, int | None, bytes]]]) -> None:
        self.exactly_once = exactly_once
        self.state.close()
        self.state = self.opened()
        self.state.begin_filling()
        for records in filled or [[]]:
            self.the_topic_is_read(records)
        self.state.end_filling()

    def adds_now(self, key: bytes) -> bytes:
        """What is held under a key adds to the totals."""
        seen = self.model.get(key)
        return seen.outcome.contribution if seen is not None and isinstance(seen.outcome, Held) else b""

    def remember(self, key: bytes, outcome: Held | Gone, *, guard: bool) -> bool:
        """What the model makes of an outcome; whether it took it."""
        before = self.model.get(key)
        if guard and before is not None and is_stale(outcome.order, before.outcome.order):
            return False
        if isinstance(outcome, Held) and outcome.canonical is None:
            assert before is not None
            assert isinstance(before.outcome, Held)
            outcome = outcome._replace(canonical=before.outcome.canonical)
        if isinstance(outcome, Gone) and self.exactly_once:
            self.model.pop(key, None)
        else:
            self.model[key] = Remembered(outcome, self.clock.now_ms + MARKER_MS)
        return True

    def written(self, taken: Iterable[bytes]) -> None:
        """A write under a lower book than all that is held was brought to takes that back; and it forgets."""
        written = [seen.outcome for key in taken if (seen := self.model.get(key)) is not None]
        if any(isinstance(outcome, Held) and outcome.book < self.reached for outcome in written):
            self.reached = NO_BOOK
        self.forget()

    def now(self, outcome: Held) -> Held:
        """How a record is held: under the book that all is right under, where that is higher than its own."""
        return outcome._replace(book=max(outcome.book, self.reached), replaces=b"")

    def forget(self) -> None:
        """A write forgets the markers whose time has come, save those it has just made."""
        for key, remembered in list(self.model.items()):
            if isinstance(remembered.outcome, Gone) and remembered.expires_ms <= self.clock.now_ms:
                del self.model[key]

    @rule(records=st.dictionaries(KEYS, st.tuples(ORDERS, st.none() | st.integers(0, 9), FLAGS), max_size=3))
    def a_batch_is_committed(self, records: dict[bytes, tuple[OrderKey, int | None, bytes]]) -> None:
        published = {
            key: Gone(order, self.adds_now(key))
            if price is None
            else held(order, price, flags)[0]._replace(replaces=self.adds_now(key))
            for key, (order, price, flags) in records.items()
        }
        first, self.position = self.position, self.position + len(published)
        ignored = self.state.apply(published, self.position, first=first)
        taken = [key for key, outcome in published.items() if self.remember(key, outcome, guard=not self.exactly_once)]
        assert ignored == len(published) - len(taken)
        self.written(taken)

    @rule(records=SLICES)
    def the_topic_is_read(self, records: list[tuple[bytes, OrderKey, int | None, bytes]]) -> None:
        log: list[SimpleNamespace] = []
        ignored = 0
        in_this_slice: dict[bytes, OrderKey] = {}
        for key, order, price, flags in records:
            made, value, layout = held(order, price or 0, flags)
            headers = [("lotrisk.order", order.encode()), (HEADER, layout), (TOTALS_HEADER, made.contribution)]
            log.append(SimpleNamespace(key=key, value=None if price is None else value, headers=headers))
            # Within a slice a tombstone guards its key in exactly once as well.
            if key in in_this_slice and is_stale(order, in_this_slice[key]):
                ignored += 1
                continue
            if not self.remember(key, Gone(order) if price is None else made, guard=True):
                ignored += 1
                continue
            in_this_slice[key] = order
        self.position += len(log)
        checkpoint = Checkpoint(PLACE.enriched, "id", self.position, self.clock.now_ms)
        assert self.state.take_in(log, checkpoint) == ignored
        self.written(in_this_slice)

    @rule(key=KEYS, order=ORDERS, flags=FLAGS)
    def a_record_is_rated_again(self, key: bytes, order: OrderKey, flags: bytes) -> None:
        before = self.state.held(key)
        if before is not None and not is_stale(order, before.order):
            book = BookNumber.parse(order.book)
            again = before._replace(order=order, flags=flags, book=book, replaces=before.contribution)
            first, self.position = self.position, self.position + 1
            self.state.apply({key: again}, self.position, first=first)
            self.remember(key, again, guard=False)
            self.written([key])

    @rule(book=st.sampled_from(BOOKS))
    def all_is_right_under_a_book(self, book: BookNumber) -> None:
        self.state.reach(book)
        self.reached = max(self.reached, book)

    @rule()
    def the_totals_are_told(self) -> None:
        totals = self.state.totals
        assert totals is not None
        if totals.told is None:
            totals.expect([group for group, members in self.told.items() if members])
        change = totals.settle()
        told = dict(totals.waiting())
        self.state.told(change)
        assert not totals.changed
        self.told.update(told)
        assert {group: members for group, members in self.told.items() if members} == self.groups()

    def groups(self) -> dict[str, object]:
        """The groups, summed anew over all that is held."""
        anew = Totals()
        for key in self.model:
            anew.exchange(None, read(self.adds_now(key)))
        anew.settle()
        return dict(anew.waiting())

    @rule(milliseconds=st.sampled_from([1, MARKER_MS - 1, MARKER_MS, 10 * MARKER_MS]))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.now_ms += milliseconds

    @rule()
    def the_worker_restarts(self) -> None:
        self.state.close()
        self.state = self.opened()

    @rule()
    def the_worker_is_killed(self) -> None:
        """What a killed process leaves is its files as they are: the open database's, copied."""
        copy = self.directory / "copy"
        deadline = time.monotonic() + 10
        while not copied_at_one_moment(self.directory / "s", copy):
            # A compaction went on meanwhile; a kill leaves one moment, not two.
            shutil.rmtree(copy)
            assert time.monotonic() < deadline, "the files did not hold still for 10 s"
        self.state.close()
        shutil.rmtree(self.directory / "s")
        copy.rename(self.directory / "s")
        self.state = self.opened()

    @invariant()
    def the_state_is_the_dictionary(self) -> None:
        if self.state.checkpoint is None:
            return
        live = {key: self.now(seen.outcome) for key, seen in self.model.items() if isinstance(seen.outcome, Held)}
        assert self.state.reached == self.reached
        for below in (None, *BOOKS):
            wanted = sorted((key, outcome) for key, outcome in live.items() if below is None or outcome.book < below)
            found: list[tuple[bytes, Held]] = []
            higher: set[BookNumber | None] = set()
            after: bytes | None = None
            while True:
                part = self.state.scan(after, limit=2, below=below)
                found += part.records
                higher.add(part.above)
                after = part.after
                if after is None:
                    break
            books = {outcome.book for outcome in live.values() if below is not None and outcome.book > below}
            assert max(books, default=None) == max((one for one in higher if one is not None), default=None)
            assert found == wanted
            part = self.state.scan(below=below, leave_out=lambda key, canonical: canonical == live[key].canonical)
            assert part.records == [(key, outcome) for key, outcome in wanted if outcome.book != self.reached]
            assert part.left_out == len(wanted) - len(part.records)
        for key, seen in self.model.items():
            if isinstance(seen.outcome, Held):
                assert self.state.held(key) == self.now(seen.outcome)._replace(canonical=None)
                assert self.state.canonical(key) == seen.outcome.canonical
                assert self.state.marker(key) is None
            else:
                assert self.state.held(key) is None
                assert self.state.canonical(key) is None
                marker = self.state.marker(key)
                assert marker == (seen.outcome.order, seen.expires_ms)
        for key in EVERY_KEY:
            if key not in self.model:
                assert (self.state.held(key), self.state.canonical(key), self.state.marker(key)) == (None, None, None)
        assert self.state.checkpoint.position == self.position

    def teardown(self) -> None:
        self.state.close()
        shutil.rmtree(self.directory)


StateAgainstDictionary.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestStateAgainstDictionary = StateAgainstDictionary.TestCase


def test_a_marker_made_while_its_forerunner_is_forgotten_is_forgotten_as_well() -> None:
    """Found by the machine: the write that forgot the first marker didn't see the one it was about to make."""
    machine = StateAgainstDictionary()
    try:
        machine.begin(exactly_once=False, filled=[])
        for milliseconds in (MARKER_MS, MARKER_MS):
            machine.a_batch_is_committed({b"D1:A": (OrderKey("first", 0, str(BOOKS[0])), None, b"[]")})
            machine.the_state_is_the_dictionary()
            machine.time_passes(milliseconds)
        machine.a_batch_is_committed({})
        machine.the_state_is_the_dictionary()
    finally:
        machine.teardown()
