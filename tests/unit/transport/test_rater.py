"""What a lane makes of records that are held under another book, have grown too large, or belong to groups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP

from schemas.cloudevents import ID, header
from streams import reference
from streams.agents.groups import PIPELINE as GROUPS
from streams.agents.vehicles import PIPELINE as VEHICLES
from streams.enrich.context import Context
from streams.enrich.group_totals import rated_key, total_key
from streams.enrich.outcome import Enriched, Outcome, Reason, Rejected, Removed
from streams.policy.book import Book, BookNumber, build_book
from streams.state.view import EveryRecordNew, Gone, Held, Slice
from streams.topics import OUTPUT_MAX_BYTES
from streams.transport.batch import RecordBatch
from streams.transport.dlq_limit import DlqLimit
from streams.transport.joining import Joined
from streams.transport.outbox import EnrichedRecord
from streams.transport.pipeline import Pipeline
from streams.transport.rater import AT_ONCE, BookBehindError, Findings, LanePlace, Rater
from streams.transport.wire import OutgoingBatch
from tests.unit.enrich.test_group import DAY, partial

REFERENCE = reference.load()
TODAY = build_book(REFERENCE.trade, DAY)
KEY = b"D1:5YJ3E1EA7KF317000"


def book(offset: int = -1, *, revision: int = 0) -> Book:
    """Today's book as another event, or another release, would number it."""
    number = TODAY.number
    return build_book(
        replace(REFERENCE.trade, revision=number.revision + revision), DAY, (), epoch=number.epoch, offset=offset
    )


class Remembered(EveryRecordNew):
    """A state in memory."""

    def __init__(self) -> None:
        self.records: dict[bytes, Held] = {}

    def held(self, key: bytes) -> Held | None:
        return self.records.get(key)

    def canonical(self, key: bytes) -> bytes | None:
        found = self.records.get(key)
        return found.canonical if found is not None else None

    def apply(self, published: Any, position: int | None, *, first: int | None = None) -> int:
        for key, outcome in published.items():
            if isinstance(outcome, Gone):
                self.records.pop(key, None)
            elif outcome.canonical is None:
                self.records[key] = outcome._replace(canonical=self.records[key].canonical)
            else:
                self.records[key] = outcome
        return 0


class Drafted:
    """What was put into a draft: topic, key, value, headers."""

    def __init__(self) -> None:
        self.out: list[tuple[str, bytes, bytes | None, Any]] = []

    def add(self, topic: str, key: bytes, value: bytes | None, headers: Any, _: int) -> None:
        self.out.append((topic, key, value, headers))

    def add_enriched(self, topic: str, made: EnrichedRecord) -> None:
        batch = OutgoingBatch(transactional=False)
        batch.add_enriched(*made)
        batch.close()
        (record,) = MemoryRecords(bytes(batch._build())).next_batch()
        self.out.append((topic, record.key, record.value, record.headers))


class Scene:
    """A rater with a state; `enrich` is what the pipeline makes of a record."""

    def __init__(self, pipeline: Pipeline, enrich: Callable[..., Outcome] | None = None) -> None:
        self.state = Remembered()
        self.draft = Drafted()
        place = LanePlace("t.", "id", 1, 4, pipeline if enrich is None else replace(pipeline, enrich=enrich))
        self.rater = Rater(place, self.state, DlqLimit(100, 50.0))
        self._offset = 0

    def rate(self, context: Context, *records: tuple[bytes, bytes | None]) -> Findings:
        self.draft = Drafted()
        batch = RecordBatch(TP("t.in", 1), 1)
        batch.join([Joined(key, value, (), self._offset + number, 1) for number, (key, value) in enumerate(records)])
        self._offset += len(records)
        found = asyncio.run(self.rater.rate(batch, self.draft, context))  # type: ignore[arg-type]  # what it uses
        assert isinstance(found, Findings)
        self.state.apply(found.published, None)
        return found

    def rerate(self, context: Context) -> Findings:
        self.draft = Drafted()
        found = Findings(self.draft, context.book.number)  # type: ignore[arg-type]  # what it uses
        self.rater.rerate(found, sorted(self.state.records.items()), context, None)
        return found


def of_size(size: list[int]) -> Callable[..., Outcome]:
    """Enriched records as large as the list's last number says; none is refused."""

    def enrich(key: bytes, value: bytes, context: Context) -> Outcome:
        if not size[-1]:
            return Rejected(Reason.SCHEMA_INVALID, "not any more")
        return Enriched(
            key, value[:-1] + b',"blob":"%b"' % (b"x" * size[-1]), context.book_text, (), (), len(value) - 1
        )

    return enrich


@pytest.mark.parametrize(("grows_to", "note"), [(OUTPUT_MAX_BYTES, "rerate_too_large"), (0, "rerate_refused")])
def test_what_can_not_be_published_under_a_new_book_stays_as_it_stands(grows_to: int, note: str) -> None:
    size = [10]
    scene = Scene(VEHICLES, of_size(size))
    scene.rate(Context(REFERENCE, book()), (KEY, b'{"vin":"1"}'))
    before = dict(scene.state.records)
    size.append(grows_to)
    found = scene.rerate(Context(REFERENCE, book(7)))
    assert found.notes == {note: 1}
    assert (scene.draft.out, found.published, found.flag_events) == ([], {}, {})
    assert scene.state.records == before


@pytest.mark.parametrize(("held", "ours", "is_older"), [((9, 0), (3, 0), False), ((-1, 1), (9, 0), True)])
def test_a_record_of_a_higher_book_is_never_rated_down(
    held: tuple[int, int], ours: tuple[int, int], is_older: bool
) -> None:
    scene = Scene(VEHICLES, of_size([10]))
    scene.rate(Context(REFERENCE, book(held[0], revision=held[1])), (KEY, b'{"vin":"1"}'))
    before = dict(scene.state.records)
    with pytest.raises(BookBehindError, match="it would rate them down") as caught:
        scene.rate(Context(REFERENCE, book(ours[0], revision=ours[1])), (KEY, b'{"vin":"2"}'))
    assert caught.value.is_older_release == is_older
    assert (scene.draft.out, scene.state.records) == ([], before)


def test_a_new_key_waits_too_where_all_that_is_held_has_reached_a_higher_book(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(VEHICLES, of_size([10]))
    monkeypatch.setattr(Remembered, "reached", book(9).number)
    with pytest.raises(BookBehindError):
        scene.rate(Context(REFERENCE, book(3)), (KEY, b'{"vin":"1"}'))
    assert scene.draft.out == []
    assert scene.rate(Context(REFERENCE, book(9)), (KEY, b'{"vin":"1"}')).out == 1


def told(group: str, source: str, **more: Any) -> tuple[bytes, bytes]:
    topic, _, partition = source.partition("/")
    return total_key(group, topic, int(partition)), partial(group, **more)


def flags_of(scene: Scene, group: str) -> dict[str, Any]:
    values = [value for topic, key, value, _ in scene.draft.out if "groups" in topic and key == group.encode()]
    document = orjson.loads(values[-1] or b"")
    return {"behind": document.get("behind"), **{flag["type"]: flag for flag in document["flags"]}}


def test_a_batch_of_several_runs_comes_out_in_order_a_key_twice_as_it_stood_last() -> None:
    def enrich(key: bytes, value: bytes | None, context: Context) -> Outcome:
        if value is None:
            return Removed(key)
        if value == b"bad":
            return Rejected(Reason.SCHEMA_INVALID, "bad")
        return Enriched(key, b'{"a":%b' % value, context.book_text, canonical_end=2)

    scene = Scene(VEHICLES, enrich)
    count = 2 * AT_ONCE + 3
    keys = [b"D1:%017d" % (number % (count - 1)) for number in range(count)]
    values: list[bytes | None] = [b"%d" % number for number in range(count)]
    values[AT_ONCE], values[AT_ONCE + 1] = b"bad", None

    found = scene.rate(Context(REFERENCE, TODAY), *zip(keys, values, strict=True))

    kept = [key for key, value in zip(keys, values, strict=True) if value != b"bad"]
    assert [key for topic, key, _, _ in scene.draft.out if topic == "t.vehicles.enriched"] == kept
    assert (found.out, found.tombstones, found.dead_letters.total()) == (count - 2, 1, 1)
    assert found.buried == [(AT_ONCE, Reason.SCHEMA_INVALID)]
    last = scene.state.records[keys[0]]
    assert last.order.offset == count - 1


def test_groups_that_were_judged_too_early_say_so_and_are_judged_again_when_all_have_come() -> None:
    scene = Scene(GROUPS)
    context = Context(REFERENCE, book())
    late = context.waiting_for(frozenset({"dms.parts/3"}))
    costs = {"change_cents": [0, 600_000, 900_000]}
    scene.rate(
        late,
        told("origin:part/CN", "dms.parts/3", **costs),
        told("origin:part/JP", "dms.parts/3", **costs),
        told("origin:part/DE", "dms.parts/2", **costs),
    )
    for origin, behind, confidence, fact in (
        ("CN", ["dms.parts/3"], "L", "rerating_unfinished"),
        ("JP", ["dms.parts/3"], "L", "rerating_unfinished"),
        ("DE", None, "L", "maker_price_bulletin"),
    ):
        early = flags_of(scene, f"origin:part/{origin}")
        flag = early["source_cost_up"]
        assert (early["behind"], flag["confidence"], flag["top_missing_fact"]) == (behind, confidence, fact)

    place = rated_key("dms.parts", 3), orjson.dumps({"topic_id": "id", "position": 9, "book": str(book().number)})
    found = scene.rate(context, place)
    assert found.flag_events == {}, "the flag is open already"
    written = [(topic, key) for topic, key, _, _ in scene.draft.out]
    assert written == [("t.groups.enriched", b"origin:part/CN"), ("t.groups.enriched", b"origin:part/JP")]
    assert len({header(headers, ID) for *_, headers in scene.draft.out}) == 2, "one record, two outputs, two ids"
    for origin in ("CN", "JP"):
        settled = flags_of(scene, f"origin:part/{origin}")
        assert settled["behind"] is None
        assert settled["source_cost_up"]["top_missing_fact"] == "maker_price_bulletin"
        assert scene.state.records[f"origin:part/{origin}".encode()].order.offset == 3
    scene.rate(context, place)
    assert scene.draft.out == [], "once"


def test_the_next_lane_judges_again_what_an_earlier_one_judged_too_early() -> None:
    class Scanned(Remembered):
        def scan(self, *_: Any, **__: Any) -> Slice:
            return Slice(sorted(self.records.items()), None, len(self.records))

    early, late = Scene(GROUPS), Scene(GROUPS)
    late.state = late.rater._state = Scanned()
    context = Context(REFERENCE, book())
    early.rate(context, told("origin:part/JP", "dms.parts/2"))
    early.rate(context.waiting_for(frozenset({"dms.parts/3"})), told("origin:part/CN", "dms.parts/3"))
    late.state.records = early.state.records
    place = rated_key("dms.parts", 3), orjson.dumps({"topic_id": "id", "position": 9, "book": str(book().number)})
    late._offset = 7

    found = late.rate(context.waiting_for(frozenset({"dms.vehicles/0"})), place)
    assert (found.published, found.unchanged) == ({}, 0), "not before all have come"
    found = late.rate(context, place)
    assert [key for _, key, _, _ in late.draft.out] == [b"origin:part/CN"]
    assert flags_of(late, "origin:part/CN")["behind"] is None
    assert (found.out, found.unchanged, found.superseded) == (0, 0, 1), "the batch had one record"
    late.rate(context, place)
    assert late.draft.out == [], "once"


def test_what_says_how_far_a_partition_is_makes_no_output() -> None:
    scene = Scene(GROUPS)
    value = orjson.dumps({"topic_id": "id", "position": 9, "book": str(BookNumber.parse("1.0.-1.2026-09-29"))})
    found = scene.rate(Context(REFERENCE, book()), (rated_key("dms.vehicles", 0), value))
    assert (scene.draft.out, found.buried, found.dead_letters) == ([], [], {})
    assert scene.state.records == {}
