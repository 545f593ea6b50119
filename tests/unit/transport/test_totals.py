"""When a lane tells of its totals, what it writes, and what stands on the topic afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from prometheus_client import CollectorRegistry

from schemas.cloudevents import ID, TYPE, header
from schemas.group import GroupPartial
from streams.agents.groups import PIPELINE as GROUPS
from streams.agents.vehicles import PIPELINE as VEHICLES
from streams.enrich.contribution import Contribution, amounts, encode, encode_cell, read
from streams.enrich.group_totals import read_rated, total_key
from streams.enrich.totals import Totals
from streams.instruments import Metrics
from streams.metrics import LOT_DOLLARS, LOT_GRAMS, LOT_RECORDS
from streams.policy.book import BookNumber
from streams.state.view import EveryRecordNew
from streams.transport.pipeline import Pipeline
from streams.transport.rater import LanePlace
from streams.transport.settling import PATIENCE_SECONDS
from streams.transport.totals import GROUPS_A_SECOND, QUIET_SECONDS, LaneTotals

BLOCK = {"elements_g": {"Nd": (1.0, 2.0, 3.0)}, "content_rule": {"verdict": "below"}}


BOOK, NEXT = BookNumber.parse("1.0.-1.2026-09-29"), BookNumber.parse("1.0.0.2026-09-29")


def adds(model: str = "A/B", value: int = 100) -> bytes:
    cell = encode_cell((f"model:{model}", "origin:vehicle/JP", "powertrain:HEV"), "vehicle", "JP", "HEV", BLOCK, ())
    return encode(Contribution(cell, amounts(1000, value, (1, 2, 3), (4, 5, 6), (7, 8, 9))), ())


class Held(EveryRecordNew):
    """A state of totals alone."""

    def __init__(self) -> None:
        self.totals = Totals()  # type: ignore[assignment]  # the state that remembers nothing has none
        self.position = ("topic-id", 7)

    def told(self, change: int) -> None:
        self.totals.tell(change)  # type: ignore[attr-defined]  # as above


class Drafted:
    """What was put into a draft for other partitions."""

    def __init__(self) -> None:
        self.records: list[tuple[int, str, bytes, bytes | None, Any]] = []

    def add_to(self, partition: int, topic: str, key: bytes, value: bytes | None, headers: Any, _: int) -> None:
        self.records.append((partition, topic, key, value, headers))


class Scene:
    """A lane's totals with a clock of its own."""

    def __init__(self, pipeline: Pipeline = VEHICLES) -> None:
        self.now = 100.0
        self.state = Held()
        self.lane = Metrics(CollectorRegistry()).lane("t.dms.vehicles", 1)
        place = LanePlace("t.", "id", 1, 4, pipeline)
        self.totals = LaneTotals(place, self.state, self.lane, lambda: self.now)
        self.totals.rated(BOOK)
        self.tell()

    def publish(self, *added: bytes, gone: bytes = b"") -> None:
        for one in added:
            self.state.totals.exchange(None, read(one))  # type: ignore[attr-defined]  # as above
        if gone:
            self.state.totals.exchange(read(gone), None)  # type: ignore[attr-defined]  # as above
        list(self.state.totals.rows())  # type: ignore[attr-defined]  # as above
        self.totals.worked()

    def tell(self) -> list[tuple[int, str, bytes, bytes | None, Any]]:
        draft = Drafted()
        told = asyncio.run(self.totals.add_due(draft, "1.0.-1.2026-09-29"))  # type: ignore[arg-type]  # what it uses
        if told is not None:
            self.totals.told(told)
        return draft.records


def test_a_lane_that_went_quiet_tells_all_that_changed_and_then_nothing() -> None:
    scene = Scene()
    assert scene.totals.seconds_left() is None
    scene.publish(adds())
    assert scene.tell() == []
    scene.now += QUIET_SECONDS
    records = scene.tell()
    groups = ("model:A/B", "origin:vehicle/JP", "powertrain:HEV", "book:all")
    assert {record[2] for record in records} == {total_key(group, "t.dms.vehicles", 1) for group in groups}
    for partition, topic, key, value, headers in records:
        found = GroupPartial.model_validate_json(value or b"")
        assert (topic, found.topic_id, found.position, found.records) == ("t.lotrisk.totals", "topic-id", 7, 1)
        assert key.startswith(found.group.encode())
        assert 0 <= partition < 4
        assert header(headers, TYPE) == b"lotrisk.group.partial"
    assert len({header(record[4], ID) for record in records}) == len(records)
    scene.now += 10 * QUIET_SECONDS
    assert scene.totals.seconds_left() is None
    assert scene.tell() == []


def test_what_one_group_adds_meets_in_one_partition_whoever_tells_it() -> None:
    found = set()
    for _ in range(2):
        scene = Scene()
        scene.publish(adds())
        scene.now += QUIET_SECONDS
        found |= {(record[2].partition(b"|")[0], record[0]) for record in scene.tell()}
    assert len(found) == 4


def test_under_load_a_lane_tells_at_a_pace() -> None:
    scene = Scene()
    scene.publish(*(adds(f"A/{number}") for number in range(10 * GROUPS_A_SECOND)))
    scene.now += QUIET_SECONDS
    told = len(scene.tell())
    assert told > 10 * GROUPS_A_SECOND
    seconds = 0
    while True:
        scene.publish(adds())
        scene.now += 0.5
        seconds += 1
        scene.publish(adds())
        if scene.tell():
            break
    assert seconds * 0.5 >= told / GROUPS_A_SECOND


def test_a_group_that_is_no_more_is_a_tombstone() -> None:
    scene = Scene()
    scene.publish(adds())
    scene.now += QUIET_SECONDS
    scene.tell()
    scene.publish(gone=adds())
    scene.now += QUIET_SECONDS
    records = scene.tell()
    assert [record[3] for record in records] == [None] * 4
    assert {header(record[4], TYPE) for record in records} == {b"lotrisk.group.partial_removed"}


def test_the_lane_of_the_groups_has_nothing_to_tell() -> None:
    scene = Scene(GROUPS)
    scene.publish(adds())
    scene.now += QUIET_SECONDS
    assert scene.totals.seconds_left() is None
    scene.totals.show()
    assert scene.lane.lot == {}


def test_what_is_told_is_shown() -> None:
    scene = Scene()
    scene.publish(adds(), adds())
    scene.totals.show()
    assert scene.lane.lot[LOT_RECORDS] == {("vehicle",): 2}
    assert scene.lane.lot[LOT_DOLLARS] == {("vehicle", "JP", "HEV"): 2.0}
    assert scene.lane.lot[LOT_GRAMS] == {("Nd",): 4.0}
    assert orjson.dumps(list(scene.lane.lot[LOT_RECORDS].values())) == b"[2]"


def test_while_it_is_rated_again_a_lane_keeps_its_mixed_sums_and_then_tells_all_at_once_and_that_it_is_there() -> None:
    scene = Scene()
    scene.totals.rerating()
    scene.publish(adds())
    scene.now += PATIENCE_SECONDS - 1
    assert scene.tell() == []
    scene.totals.rated(NEXT)
    assert scene.totals.seconds_left() == 0, "no pause: the groups wait for it"
    records = scene.tell()
    told = [(record[0], read_rated(record[2], record[3])) for record in records]
    assert [rated is None for _, rated in told] == [True] * 4 + [False] * 4, "first the totals, then that they are all"
    assert [partition for partition, rated in told if rated is not None] == [0, 1, 2, 3]
    assert {rated.book for _, rated in told if rated is not None} == {NEXT}
    assert len({header(record[4], ID) for record in records}) == len(records)
    assert scene.tell() == []


def test_a_lane_with_nothing_to_tell_says_that_it_is_there() -> None:
    scene = Scene()
    scene.totals.rerating()
    scene.totals.rated(NEXT)
    assert len(scene.tell()) == 4
    assert scene.totals.seconds_left() is None


def test_a_lane_that_is_long_about_it_tells_what_it_has_but_not_that_it_is_there() -> None:
    scene = Scene()
    scene.totals.rerating()
    scene.now += PATIENCE_SECONDS / 2
    scene.totals.rerating()
    scene.publish(adds())
    scene.now += PATIENCE_SECONDS / 2
    assert len(scene.tell()) == 4
    scene.totals.rated(NEXT)
    assert len(scene.tell()) == 4, "then that it is"


def test_a_book_that_comes_before_it_has_said_so_is_the_one_it_speaks_of() -> None:
    scene = Scene()
    scene.totals.rated(BOOK)
    scene.totals.rerating()
    assert scene.totals.seconds_left() is None
    scene.totals.rated(NEXT)
    assert {one.book for record in scene.tell() if (one := read_rated(record[2], record[3]))} == {NEXT}
