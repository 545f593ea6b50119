"""The groups wait until every partition is right under a new book, and not for ever."""

from __future__ import annotations

import orjson
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.enrich.group_totals import Rated, join_total, rated_key, read_rated, read_total_key
from streams.policy.book import BookNumber
from streams.transport.batch import RecordBatch
from streams.transport.joining import Joined
from streams.transport.settling import PATIENCE_SECONDS, Settling

SOURCES = ["dms.vehicles/0", "dms.vehicles/1", "dms.parts/0"]
OLD, BOOK, NEXT = (BookNumber.parse(f"1.0.{offset}.2026-09-29") for offset in (1, 2, 3))


def says(source: str, book: BookNumber, offset: int = 0) -> Joined:
    """A record that says that a partition is right under a book."""
    topic, _, partition = source.partition("/")
    value = orjson.dumps({"topic_id": "id", "position": 7, "book": str(book)})
    return Joined(rated_key(topic, int(partition)), value, (), offset, 0)


class Scene:
    def __init__(self) -> None:
        self.now = 100.0
        self.settling = Settling(SOURCES, lambda: self.now)
        self.batch = RecordBatch(TP("lotrisk.totals", 0), 1)

    def hear(self, *told: tuple[str, BookNumber]) -> None:
        first = len(self.batch)
        self.batch.join([says(source, book, first + number) for number, (source, book) in enumerate(told)])
        self.settling.look(self.batch)


def test_all_have_to_say_so_and_then_nothing_is_waited_for() -> None:
    scene = Scene()
    assert scene.settling.seconds_left(BOOK) == PATIENCE_SECONDS
    scene.hear((SOURCES[0], BOOK), (SOURCES[1], OLD))
    scene.hear((SOURCES[2], NEXT))
    assert scene.settling.behind(BOOK) == {SOURCES[1]}
    scene.hear((SOURCES[1], BOOK))
    assert scene.settling.seconds_left(BOOK) == 0
    assert scene.settling.behind(NEXT) == {SOURCES[0], SOURCES[1]}


def test_a_batch_is_looked_at_again_for_what_has_joined_it_and_the_next_from_its_start() -> None:
    scene = Scene()
    scene.settling.look(None)
    scene.hear((SOURCES[0], BOOK), (SOURCES[1], BOOK))
    scene.batch = RecordBatch(TP("lotrisk.totals", 0), 1)
    scene.hear((SOURCES[2], BOOK))
    assert not scene.settling.behind(BOOK)


def test_who_never_says_so_is_not_waited_for_beyond_the_limit_and_a_later_book_does_not_prolong_it() -> None:
    scene = Scene()
    scene.hear((SOURCES[0], BOOK), (SOURCES[1], BOOK))
    assert scene.settling.seconds_left(BOOK) == PATIENCE_SECONDS
    scene.now += PATIENCE_SECONDS - 1
    assert scene.settling.seconds_left(NEXT) == 1
    scene.now += 1
    assert scene.settling.seconds_left(NEXT) == 0
    assert scene.settling.behind(NEXT) == set(SOURCES)
    scene.hear(*((source, NEXT) for source in SOURCES))
    assert scene.settling.seconds_left(NEXT) == 0
    scene.now += 5
    assert scene.settling.seconds_left(NEXT._replace(offset=4)) == PATIENCE_SECONDS, "the next book has its own time"


@given(
    st.lists(st.tuples(st.sampled_from([*SOURCES, "dms.other/0"]), st.sampled_from([OLD, BOOK, NEXT])), max_size=20),
    st.data(),
)
def test_it_is_settled_when_the_last_of_each_says_so_however_batches_are_cut(
    told: list[tuple[str, BookNumber]], data: st.DataObject
) -> None:
    scene = Scene()
    wanted = {source for source in SOURCES if dict(told).get(source, OLD) < BOOK}
    while told:
        size = data.draw(st.integers(1, len(told)))
        scene.hear(*told[:size])
        if data.draw(st.booleans()):
            scene.batch = RecordBatch(TP("lotrisk.totals", 0), 1)
        told = told[size:]
    assert scene.settling.behind(BOOK) == wanted


def test_what_says_how_far_a_partition_is_belongs_to_no_group() -> None:
    record = says("t.dms.vehicles/12", BOOK)
    assert read_rated(record.key, record.value) == Rated("t.dms.vehicles/12", BOOK)
    assert read_total_key(record.key) is None
    assert join_total(record.key, record.value, lambda _: None) is None


def test_what_cannot_be_read_says_nothing() -> None:
    key = rated_key("dms.vehicles", 0)
    for value in (None, b"{", b"[]", b"{}", b'{"book": 3}', b'{"book": "1.0"}'):
        assert read_rated(key, value) is None, value
    good = says(SOURCES[0], BOOK).value
    for other in (None, b"lotrisk.rated", b"lotrisk.rated|a|b", b"lotrisk.ratedx|dms.vehicles|0", b"model:A|t|0"):
        assert read_rated(other, good) is None, other
