"""What the reference consumer's store promises, without Kafka: once each, in the key's order, all or nothing."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cloudevents import EventType, HeaderTemplate
from schemas.flag_event import FlagEvent
from streams.consumers.flag_store import FlagStore, Outcome, Place, Record, StoreError
from streams.state.order import OrderKey, is_stale

TOPIC_ID = "2d1fa7c0-0000-4000-8000-000000000001"
KEY = b"D1:1FTFW1E59PFA00007:replacement_cost_up"
_TYPES = {
    "raised": EventType.FLAG_RAISED,
    "changed": EventType.FLAG_CHANGED,
    "cleared": EventType.FLAG_CLEARED,
}


def event(change: str, offset: int, *, book: str = "1.0.-1.2025-10-05", key: bytes = KEY, **more: Any) -> Record:
    """A flag event as a lane publishes it."""
    members = {
        "type": "replacement_cost_up", "severity": "warning", "owner": "new", "action": "hold", "why": "Higher",
        "dollars_at_stake": "900.00", "confidence": "L", "dealer_id": "D1", "vin": "1FTFW1E59PFA00007",
        "episode": f"{1:032x}", "change": change, "book": book, **more,
    }  # fmt: skip
    FlagEvent.model_validate({name: member for name, member in members.items() if name != "unheard_of"})
    headers = HeaderTemplate(_TYPES[change], "dms.vehicles", TOPIC_ID, 0).headers(offset, book, -1)
    return Record(0, offset, key, json.dumps(members).encode(), tuple(headers))


@pytest.fixture
def store(tmp_path: Path) -> FlagStore:
    return FlagStore(tmp_path / "flags.sqlite")


def test_an_episode_begins_is_adjusted_and_taken_back(store: FlagStore) -> None:
    done = store.take([event("raised", 1), event("changed", 2, dollars_at_stake="1500.00")], {0: 3})
    assert done == {Outcome.RAISED: 1, Outcome.CHANGED: 1}
    assert store.open_flags() == [("replacement_cost_up", "new", "warning", "hold", 1, 150_000, 0)]
    assert store.take([event("cleared", 3)], {0: 4}) == {Outcome.CLEARED: 1}
    assert store.open_flags() == []
    assert [did for *_, did in store.effects()] == ["begun", "adjusted", "taken back"]


def test_a_repeated_event_and_one_that_comes_too_late_do_nothing(store: FlagStore) -> None:
    store.take([event("raised", 5)], {0: 1})
    assert store.take([event("raised", 5), event("cleared", 4)], {0: 3}) == {Outcome.REPEATED: 2}
    store.take([event("cleared", 6)], {0: 4})
    assert store.take([event("changed", 5), event("raised", 5)], {0: 6}) == {Outcome.REPEATED: 2}
    assert store.open_flags() == []
    assert len(store.effects()) == 2


def test_a_higher_book_is_later_at_the_same_offset_compared_as_numbers(store: FlagStore) -> None:
    store.take([event("raised", 5, book="1.0.9.2025-10-05")], {0: 1})
    assert store.take([event("cleared", 5, book="1.0.10.2025-10-05")], {0: 2}) == {Outcome.CLEARED: 1}
    assert store.take([event("raised", 5, book="1.0.9.2025-12-01")], {0: 3}) == {Outcome.REPEATED: 1}


def test_an_event_of_an_input_topic_that_was_made_anew_is_later(store: FlagStore) -> None:
    store.take([event("raised", 500)], {0: 1})
    headers = HeaderTemplate(EventType.FLAG_CLEARED, "dms.vehicles", "another", 0).headers(0, "1.0.-1.2025-10-05", -1)
    assert store.take([event("cleared", 0)._replace(headers=tuple(headers))], {0: 2}) == {Outcome.CLEARED: 1}


def test_members_it_does_not_know_change_nothing(store: FlagStore) -> None:
    assert store.take([event("raised", 1, unheard_of={"deep": [1]})], {0: 2}) == {Outcome.RAISED: 1}


def test_an_amount_that_cannot_be_said_is_not_zero(store: FlagStore) -> None:
    store.take([event("raised", 1, dollars_at_stake=None)], {0: 2})
    assert store.open_flags() == [("replacement_cost_up", "new", "warning", "hold", 1, 0, 1)]


def test_a_clear_of_what_was_never_open_here_has_no_effect_but_bars_what_is_older(store: FlagStore) -> None:
    assert store.take([event("cleared", 7), event("raised", 6)], {0: 8}) == {Outcome.NOT_OPEN: 1, Outcome.REPEATED: 1}
    assert store.effects() == []


GOOD = event("raised", 1)
assert GOOD.value is not None
_BAD_ORDER = [("ce_id", b"a"), ("lotrisk.order", b"nonsense")]
_BAD_BOOK = [("ce_id", b"a"), ("lotrisk.order", b"a/1/1.0.x.2025")]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (GOOD._replace(key=None), "no key"),
        (GOOD._replace(value=None), "no value"),
        (GOOD._replace(headers=()), "no ce_id"),
        (GOOD._replace(value=b"{"), "property name"),
        (GOOD._replace(value=b"[]"), "not a flag event"),
        (GOOD._replace(value=b'{"type": "x"}'), "not a flag event"),
        (GOOD._replace(key=b"\xff"), "utf-8"),
        (GOOD._replace(headers=_BAD_ORDER), "topic-id/offset/book"),
        (GOOD._replace(headers=_BAD_BOOK), "invalid literal"),
        (GOOD._replace(value=GOOD.value.replace(b'"raised"', b'"paused"')), "change is 'paused'"),
        (GOOD._replace(value=GOOD.value.replace(b'"900.00"', b"900.5")), "dollars_at_stake"),
    ],
)
def test_what_is_no_flag_event_is_kept_for_a_person_and_the_rest_goes_on(
    store: FlagStore, record: Record, said: str
) -> None:
    assert store.take([record, event("raised", 2)], {0: 3}) == {Outcome.REFUSED: 1, Outcome.RAISED: 1}
    [(partition, offset, reason)] = store.refused()
    assert (partition, offset) == (0, 1)
    assert said in reason
    store.take([record], {0: 3})
    assert len(store.refused()) == 1, "read again, it is not kept twice"


def test_a_batch_that_fails_half_way_leaves_nothing(store: FlagStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.take([event("raised", 1)], {0: 2})

    def fails(*_: object) -> None:
        raise RuntimeError("the pricing service is away")

    monkeypatch.setattr(store, "_react", fails)
    with pytest.raises(RuntimeError, match="away"):
        store.take([event("cleared", 2)], {0: 3})
    monkeypatch.undo()
    assert store.positions("risk.flags", "id") == {0: 2}
    assert len(store.open_flags()) == 1
    assert store.take([event("cleared", 2)], {0: 3}) == {Outcome.CLEARED: 1}


def test_the_file_remembers_and_belongs_to_one_topic(tmp_path: Path) -> None:
    path = tmp_path / "flags.sqlite"
    with FlagStore(path) as store:
        assert store.positions("risk.flags", "id-1") == {}
        store.take([event("raised", 1)], {0: 2, 1: 0})
    with FlagStore(path) as store:
        assert store.positions("risk.flags", "id-1") == {0: 2, 1: 0}
        assert len(store.open_flags()) == 1
        with pytest.raises(StoreError, match="was made anew; move the file away"):
            store.positions("risk.flags", "id-2")
        with pytest.raises(StoreError, match=r"is not risk\.flags"):
            store.positions("other.risk.flags", "id-1")


def test_a_second_reader_of_the_same_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flags.sqlite"
    opens = (
        "import sys; from pathlib import Path; from streams.consumers.flag_store import *; FlagStore(Path(sys.argv[1]))"
    )
    with FlagStore(path) as store:
        store.positions("risk.flags", "id")
        other = subprocess.run([sys.executable, "-c", opens, str(path)], capture_output=True, text=True, timeout=30)
    assert "another reader has it" in other.stderr


def test_a_file_that_is_none_of_its_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, by any means at all, whoever looks at it")
    with pytest.raises(StoreError, match="not a database; name another file"):
        FlagStore(tmp_path / "text")
    with sqlite3.connect(tmp_path / "foreign.sqlite") as foreign:
        foreign.execute("CREATE TABLE invoices (number)")
    foreign.close()
    with pytest.raises(StoreError, match="no such table: source"):
        FlagStore(tmp_path / "foreign.sqlite")
    with pytest.raises(StoreError, match="can be written"):
        FlagStore(tmp_path / "nowhere" / "flags.sqlite")


places = st.tuples(
    st.integers(0, 3), st.integers(-1, 11), st.sampled_from(["2025-10-05", "2025-11-07", "2025-12-01"])
).map(lambda of: (of[0], f"1.0.{of[1]}.{of[2]}"))


@given(places, places)
def test_the_order_is_that_of_the_workers(one: tuple[int, str], other: tuple[int, str]) -> None:
    first, second = (OrderKey(TOPIC_ID, *place) for place in (one, other))
    after = Place.read(first.encode().decode()).is_after(Place.read(second.encode().decode()))
    assert after == (first != second and not is_stale(first, second))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 11), max_size=30), st.integers(1, 5))
def test_whatever_comes_again_and_in_whatever_batches_each_event_takes_effect_once(again: list[int], size: int) -> None:
    history = [event(("raised", "changed", "cleared")[number % 3], number) for number in range(12)]
    sent: list[Record] = []
    repeats = sorted(again)
    for number, record in enumerate(history):
        sent.append(record)
        # What comes again has come before: a resend, or a worker that wakes up late.
        sent += [history[earlier] for earlier in repeats if earlier <= number and (earlier + number) % 2]
    with FlagStore(Path(":memory:")) as store:
        for begin in range(0, len(sent), size):
            store.take(sent[begin : begin + size], {0: begin + size})
        assert [did for *_, did in store.effects()] == ["begun", "adjusted", "taken back"] * 4
        assert len({identity for identity, *_ in store.effects()}) == 12
