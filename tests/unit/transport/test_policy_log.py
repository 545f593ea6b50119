"""The records of `trade.policy`: what is taken, what is refused, and that how they were read never shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.reference import load
from streams.reference.trade_records import MeasureRecord
from streams.transport.books import Books
from streams.transport.policy_log import EPOCH_KEY, MOST_REFUSED, PolicyLog, encode, encode_epoch

REFERENCE = load()
TRADE = REFERENCE.trade
Entry = tuple[bytes | None, bytes | None]


def measure(id: str = "DESK-1", **changes: Any) -> MeasureRecord:
    return MeasureRecord.model_validate(
        {
            "id": id,
            "authority": "section_338",
            "title": id,
            "instrument": "Test",
            "origins": ["JP"],
            "scope": ["8703"],
            "rate": "5",
            "announced_at": "2026-09-01",
            "effective_from": "2026-09-01",
            "status": "in_force",
            "confidence": "H",
            "source": "S01",
            **changes,
        }
    )


def read(*entries: Entry) -> PolicyLog:
    log = PolicyLog(TRADE)
    for offset, entry in enumerate(entries):
        log.apply(offset, *entry)
    return log


def summary(log: PolicyLog) -> tuple[object, ...]:
    return log.epoch, log.offset, log.overrides, log.refused


def test_versions_stand_in_the_order_they_were_published() -> None:
    first, second = measure(rate="5"), measure(rate="7")
    log = read(encode(first), encode(measure("DESK-2")), encode(second))
    assert [record.id for record in log.overrides] == ["DESK-1", "DESK-2", "DESK-1"]
    assert log.current("DESK-1") == second
    assert (log.epoch, log.offset, log.refused) == (0, 2, ())


def test_what_is_written_reads_back_equal() -> None:
    for record in TRADE.measures:
        key, value = encode(record)
        assert MeasureRecord.model_validate_json(value) == record
        assert key.decode() == record.id


def test_a_duplicate_changes_nothing_not_even_the_book() -> None:
    entry = encode(measure())
    assert summary(read(entry, entry, entry)) == summary(read(entry))


def test_a_version_equal_to_the_files_changes_nothing() -> None:
    assert summary(read(encode(TRADE.measures[0]))) == summary(read())


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ((b"DESK-1", b"{"), "Invalid JSON"),
        ((b"DESK-1", b"\xff\xfe"), "Invalid JSON"),
        ((b"DESK-1", None), "withdrawn_at"),
        ((None, encode(measure())[1]), "no key"),
        ((b"DESK-7", encode(measure())[1]), "'DESK-1' is not the record's key"),
        ((b"DESK-1", b'{"id":"DESK-1"}'), "authority: Field required"),
        (encode(measure(scope=("list:nowhere",))), "no list 'nowhere'"),
        (encode(measure(origins=("XX",))), "'XX' is not an ISO"),
        (encode(measure(requires=("no_such_fact",))), "no fact 'no_such_fact'"),
        (encode(measure(replaces=("NO-SUCH",))), "no measure 'NO-SUCH'"),
        ((EPOCH_KEY, b'{"epoch": 0}'), "from 1"),
        ((EPOCH_KEY, b'{"epoch": true}'), "from 1"),
        ((EPOCH_KEY, b"[]"), "from 1"),
        ((EPOCH_KEY, None), "from 1"),
    ],
)
def test_a_malformed_record_is_refused_and_the_good_ones_around_it_stand(entry: Entry, said: str) -> None:
    log = read(encode(measure("DESK-8")), entry, encode(measure("DESK-9")))
    [refused] = log.refused
    assert refused.offset == 1
    assert said in refused.error
    assert [record.id for record in log.overrides] == ["DESK-8", "DESK-9"]


def test_a_record_that_is_refused_or_changes_nothing_moves_no_book() -> None:
    log = PolicyLog(TRADE)
    log.apply(0, *encode(measure()), 1_000)
    log.apply(1, b"x", b"{", 2_000)
    log.apply(2, *encode(measure()), 3_000)
    assert (log.offset, log.changed_ms) == (0, 1_000)


def test_a_heading_charged_twice_is_refused_whichever_comes_second() -> None:
    one = measure("DESK-1", heading="9903.99.01")
    other = measure("DESK-2", heading="9903.99.01")
    for first, second in ((one, other), (other, one)):
        log = read(encode(first), encode(second))
        assert log.overrides == (first,)
        assert f"also charged by {first.id}" in log.refused[0].error or second.id in log.refused[0].error


def test_measures_that_switch_each_other_off_are_refused() -> None:
    log = read(
        encode(measure("DESK-1")),
        encode(measure("DESK-2", replaces=("DESK-1",))),
        encode(measure("DESK-1", replaces=("DESK-2",))),
    )
    assert "switch each other off" in log.refused[0].error
    assert log.current("DESK-1") == measure("DESK-1")


def test_a_good_version_takes_the_complaint_back() -> None:
    assert read((b"DESK-1", b"{"), encode(measure())).refused == ()


def test_a_withdrawal_before_it_was_in_force_and_one_of_the_past_are_taken() -> None:
    early = measure("DESK-1", effective_from="2030-01-01", withdrawn_at="2026-09-02", status="withdrawn")
    late = measure("DESK-2", effective_from="2019-01-01", announced_at="2018-12-01")
    log = read(encode(measure("DESK-1", effective_from="2030-01-01")), encode(early), encode(late))
    assert (log.refused, log.current("DESK-1"), log.current("DESK-2")) == ((), early, late)


def test_an_epoch_begins_anew_and_a_lower_one_is_refused() -> None:
    log = read(encode(measure("DESK-1")), (b"x", b"{"), encode_epoch(3), encode(measure("DESK-2")))
    assert (log.epoch, log.offset, log.refused) == (3, 3, ())
    assert log.overrides == (measure("DESK-2"),)
    assert log.current("DESK-1") is None
    refused = log.apply(4, *encode_epoch(3))
    assert refused is not None
    assert "not above 3" in refused.error
    assert (log.epoch, log.offset) == (3, 3)


def test_the_complaints_kept_are_bounded() -> None:
    log = read(*((b"x%d" % number, b"{") for number in range(MOST_REFUSED + 20)))
    assert len(log.refused) == MOST_REFUSED
    assert log.refused[-1].offset == MOST_REFUSED + 19


def test_an_override_of_a_measure_of_the_files_stands_instead_of_it() -> None:
    held = next(record for record in TRADE.measures if record.id == "CN-100")
    changed = held.model_copy(update={"title": "another"})
    assert read(encode(changed)).current("CN-100") == changed


ENTRIES = st.lists(
    st.sampled_from(
        [
            encode(measure("DESK-1")),
            encode(measure("DESK-1", rate="9")),
            encode(measure("DESK-1", status="withdrawn", withdrawn_at="2026-09-05")),
            encode(measure("DESK-2", replaces=("DESK-1",))),
            encode(measure("DESK-1", replaces=("DESK-2",))),
            encode(measure("DESK-2", heading="9903.99.01")),
            encode(measure("DESK-3", heading="9903.99.01")),
            encode(measure("DESK-3", effective_from="2019-01-01", announced_at="2019-01-01")),
            encode_epoch(1),
            encode_epoch(2),
            (b"DESK-1", b"{"),
            (b"DESK-2", None),
            (None, b"{}"),
        ]
    ),
    max_size=8,
)


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 10, 1, 12, tzinfo=UTC)


def follow(entries: list[Entry], stops: set[int]) -> tuple[Books, PolicyLog]:
    """Read as a follower does that stands at the last stable offset after each of `stops`, and at the end."""
    books, log = Books(REFERENCE, StillClock()), PolicyLog(TRADE)
    numbers = [books.number]
    books.on_change(lambda book: numbers.append(book.number))
    for offset, entry in enumerate(entries):
        log.apply(offset, *entry)
        if offset in stops or offset == len(entries) - 1:
            books.publish(books.prepare(log.overrides, log.epoch, log.offset))
    assert numbers == sorted(set(numbers)), "a book never comes twice and never falls"
    return books, log


@settings(max_examples=40, deadline=None)
@given(ENTRIES, st.sets(st.integers(0, 8)))
def test_how_the_log_was_read_never_changes_the_book(entries: list[Entry], stops: set[int]) -> None:
    """A worker that follows for days and one that starts late and reads all at once say the same."""
    (followed, log), (at_once, whole) = follow(entries, stops), follow(entries, set())
    assert summary(log) == summary(whole)
    one, other = followed.context().book, at_once.context().book
    assert (one.number, one.day, one.versions) == (other.number, other.day, other.versions)


@settings(max_examples=20, deadline=None)
@given(ENTRIES)
def test_what_was_taken_is_taken_again_when_it_is_restored(entries: list[Entry]) -> None:
    whole = read(*entries)
    again = read(encode_epoch(whole.epoch + 1), *(encode(record) for record in whole.overrides))
    assert (again.overrides, again.refused, again.epoch) == (whole.overrides, (), whole.epoch + 1)
