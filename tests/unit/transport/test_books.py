"""The book in force: a new one when a date boundary passes in New York, and when a policy event is published."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from streams.clock import AsOf, PacedClock
from streams.policy.book import Book
from streams.reference import load
from streams.reference.loading import ReferenceError
from streams.transport.books import US_EASTERN, Books, book_on
from tests.unit.transport.test_policy_log import measure

REFERENCE = load()
TRADE = REFERENCE.trade


class Clock:
    """A clock that shows what the test sets."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


def midnight(day: date) -> datetime:
    """00:00 in New York, as UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=US_EASTERN).astimezone(UTC)


def boundary(after: date) -> date:
    return next(day for day in book_on(TRADE, after).boundaries if day > after)


def test_midnight_in_new_york_makes_a_new_book_and_not_a_second_sooner() -> None:
    day = boundary(date(2026, 1, 1))
    clock = Clock(midnight(day) - timedelta(seconds=1))
    seen: list[Book] = []
    books = Books(REFERENCE, clock, seen.append)
    before = books.number
    books.look()
    assert books.number == before
    clock.moment += timedelta(seconds=1)
    books.look()
    assert books.number.regime == day
    assert [book.number for book in seen] == [before, books.number]
    assert books.context().book.day == day


def test_a_midnight_that_is_no_boundary_makes_no_book() -> None:
    day = boundary(date(2026, 1, 1))
    clock = Clock(midnight(day) + timedelta(hours=23))
    books = Books(REFERENCE, clock)
    context = books.context()
    assert boundary(day) > day + timedelta(days=1), "the test needs a quiet day"
    clock.moment += timedelta(hours=2)
    books.look()
    assert books.context() is context


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_the_day_the_clocks_change_is_one_day(day: date) -> None:
    clock = Clock(midnight(day))
    books = Books(REFERENCE, clock)
    books.publish(books.prepare([measure(effective_from=day + timedelta(days=1), announced_at=day)], 0, 0))
    clock.moment = midnight(day + timedelta(days=1)) - timedelta(seconds=1)
    books.look()
    assert books.number.regime == day
    clock.moment += timedelta(seconds=1)
    books.look()
    assert books.number.regime == day + timedelta(days=1)


def test_two_workers_that_began_on_different_days_have_one_book() -> None:
    day = boundary(date(2026, 1, 1))
    later = day + timedelta(days=1)
    one, other = (Books(REFERENCE, Clock(midnight(when))).context().book for when in (day, later))
    assert (one.number, one.day) == (other.number, other.day)


def test_a_policy_event_is_a_book_at_once_and_books_only_rise() -> None:
    clock = Clock(midnight(date(2026, 10, 1)))
    books = Books(REFERENCE, clock)
    seen: list[Book] = []
    books.on_change(seen.append)
    books.on_change(seen.append)
    books.publish(books.prepare([measure()], 0, 4))
    assert (books.number.epoch, books.number.offset) == (0, 4)
    assert any(record.id == "DESK-1" for record in books.context().book.measures)
    assert len(seen) == 2
    books.publish(books.prepare([], 0, 3))
    books.publish(books.prepare([measure()], 0, 4))
    assert books.number.offset == 4
    assert len(seen) == 2
    books.publish(books.prepare([], 1, 0))
    assert (books.number.epoch, books.number.offset) == (1, 0)


def test_a_clock_that_is_set_back_leaves_the_book() -> None:
    day = boundary(date(2026, 1, 1))
    clock = Clock(midnight(day))
    books = Books(REFERENCE, clock)
    number = books.number
    clock.moment -= timedelta(days=1)
    books.look()
    assert books.number == number
    books.publish(books.prepare([measure()], 0, 0))
    assert books.number > number
    assert books.number.regime >= number.regime


def test_measures_that_cannot_make_a_book_leave_the_last_good_one() -> None:
    books = Books(REFERENCE, Clock(midnight(date(2026, 10, 1))))
    number = books.number
    with pytest.raises(ReferenceError, match="NO-SUCH"):
        books.publish(books.prepare([measure(replaces=("NO-SUCH",))], 0, 0))
    assert books.number == number
    books.publish(books.prepare([measure()], 0, 0))
    assert books.number.offset == 0


def test_a_measure_of_the_future_comes_into_force_on_its_day() -> None:
    clock = Clock(midnight(date(2026, 10, 1)))
    books = Books(REFERENCE, clock)
    books.publish(books.prepare([measure(effective_from="2026-10-20", announced_at="2026-09-30")], 0, 0))
    clock.moment = midnight(date(2026, 10, 20))
    books.look()
    assert books.number.regime == date(2026, 10, 20)


def test_under_as_of_a_measure_is_unknown_until_it_was_published() -> None:
    announced = measure(recorded_at="2025-10-09", announced_at="2025-10-09", effective_from="2025-12-01")
    clock = Clock(midnight(date(2025, 10, 8)))
    books = Books(REFERENCE, clock, as_known_then=True)
    books.publish(books.prepare([announced], 0, 0))

    def known() -> set[str]:
        view = books.context().book.view()
        return {one.record.id for one in view.measures}

    assert "DESK-1" not in known()
    assert books.context().book.known_at == books.context().book.day
    clock.moment = midnight(date(2025, 10, 9))
    books.look()
    assert books.number.regime == date(2025, 10, 9)
    assert "DESK-1" in known()


def test_a_paced_clock_walks_through_every_boundary_in_order() -> None:
    real = Clock(datetime(2026, 1, 1, tzinfo=UTC))
    paced = PacedClock(AsOf.parse("2025-10-01T12:00Z@1d/s"), real.moment, real)
    books = Books(REFERENCE, paced, as_known_then=True)
    seen = [books.number.regime]
    books.on_change(lambda book: seen.append(book.number.regime))
    for _ in range(60):
        real.moment += timedelta(seconds=1)
        books.look()
    first = book_on(TRADE, date(2025, 10, 1), as_known_then=True)
    last = date(2025, 11, 30)
    days = {day for day in {*first.boundaries, *first.recorded} if date(2025, 10, 1) < day <= last}
    assert seen == [first.number.regime, *sorted(days)]


def test_a_new_book_keeps_what_no_book_changes() -> None:
    books = Books(REFERENCE, Clock(midnight(date(2026, 10, 1))))
    before = books.context()
    before.lasting("test").keep("a", 1)
    before.memo("test").keep("a", 1)
    books.publish(books.prepare([measure()], 0, 0))
    after = books.context()
    assert after is not before
    assert (after.lasting("test").get("a"), after.memo("test").get("a")) == (1, None)


def test_the_clock_is_not_asked_for_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    class Counting(Clock):
        def now(self) -> datetime:
            nonlocal asked
            asked += 1
            return self.moment

    elapsed = 0.0
    monkeypatch.setattr("streams.transport.books.time.monotonic", lambda: elapsed)
    books = Books(REFERENCE, Counting(midnight(date(2026, 10, 1))))
    asked = 0
    for _ in range(1000):
        books.context()
    assert asked == 0
    elapsed = 1.0
    books.context()
    books.context()
    assert asked == 1


def test_a_book_prepared_before_midnight_and_published_after_it_is_that_of_the_new_day() -> None:
    day = boundary(date(2026, 1, 1))
    clock = Clock(midnight(day) - timedelta(seconds=1))
    books = Books(REFERENCE, clock)
    prepared = books.prepare([measure()], 0, 0)
    clock.moment += timedelta(seconds=1)
    books.look()
    books.publish(prepared)
    assert books.number == (TRADE.revision, 0, 0, day)
    clock.moment = midnight(boundary(day))
    books.look()
    assert books.number.regime == boundary(day)
    assert books.number.offset == 0


def test_a_book_came_about_when_its_last_record_was_published_or_at_a_midnight_after_it() -> None:
    day = boundary(date(2026, 1, 1))
    clock = Clock(midnight(day) + timedelta(hours=30))
    books = Books(REFERENCE, clock)
    assert books.since == midnight(day)
    event = midnight(day) + timedelta(hours=29)
    books.publish(books.prepare([measure()], 0, 0, int(event.timestamp() * 1000)))
    assert books.since == event
    clock.moment = midnight(boundary(day)) + timedelta(hours=3)
    books.look()
    assert books.since == midnight(boundary(day))

    late = Books(REFERENCE, clock)
    late.publish(late.prepare([measure()], 0, 0, int(event.timestamp() * 1000)))
    assert (late.number, late.since) == (books.number, books.since), "it follows from the number"
