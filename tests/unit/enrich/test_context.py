"""Memories are bounded, belong to one book, and keep what no book changes."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any

from streams.enrich.context import Context, Memo


def book(day: date) -> Any:
    return SimpleNamespace(day=day)


def test_a_full_memory_drops_its_oldest_half_and_goes_on() -> None:
    memo: Memo[int, str] = Memo(entries=4)
    for number in range(5):
        assert memo.keep(number, str(number)) == str(number)
    assert list(memo) == [2, 3, 4]
    assert memo.get(0) is None


def test_a_memory_never_grows_past_its_bound() -> None:
    memo: Memo[int, int] = Memo(entries=10)
    for number in range(1000):
        memo.keep(number, number)
        assert len(memo) <= 10


def test_each_function_has_its_own_memory() -> None:
    context = Context(SimpleNamespace(), book(date(2026, 10, 1)))  # type: ignore[arg-type]
    context.memo("one").keep("a", 1)
    assert context.memo("two").get("a") is None
    assert context.memo("one").get("a") == 1


def test_another_book_forgets_what_the_book_decided_and_keeps_the_rest() -> None:
    first = Context(SimpleNamespace(), book(date(2026, 9, 30)))  # type: ignore[arg-type]
    first.memo("duty").keep("a", 1)
    first.lasting("vin").keep("a", 2)
    second = first.under(book(date(2026, 10, 1)))
    assert second.book.day == date(2026, 10, 1)
    assert second.reference is first.reference
    assert second.memo("duty").get("a") is None
    assert second.lasting("vin").get("a") == 2
