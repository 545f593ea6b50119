"""Which of two outputs of one key comes later."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import OrderKey
from streams.policy.book import BookNumber
from streams.state.order import NO_BOOK, NO_ORDER, book_number, is_stale

BOOKS = st.builds(BookNumber, st.integers(0, 12), st.integers(0, 12), st.integers(-1, 120), st.dates())
ORDERS = st.builds(OrderKey, st.just("a"), st.integers(0, 3), BOOKS.map(str))


@given(st.lists(ORDERS, min_size=2, max_size=6))
def test_within_a_topic_id_it_is_a_total_order_by_offset_and_then_by_book(orders: list[OrderKey]) -> None:
    ordered = sorted(orders, key=lambda order: (order.offset, BookNumber.parse(order.book)))
    for lower, higher in pairwise(ordered):
        assert not is_stale(higher, lower)
        assert is_stale(lower, higher) == (lower != higher)


def test_books_are_compared_by_number_and_not_by_their_text() -> None:
    ninth, tenth = (OrderKey("a", 1, f"1.0.{offset}.2026-09-29") for offset in (9, 10))
    assert is_stale(ninth, tenth)
    assert not is_stale(tenth, ninth)


@given(ORDERS, ORDERS)
def test_another_topic_id_is_higher_whatever_its_offset(order: OrderKey, held: OrderKey) -> None:
    assert not is_stale(order._replace(topic_id="b"), held)


@given(ORDERS)
def test_a_record_without_order_never_stands_in_the_way(order: OrderKey) -> None:
    assert not is_stale(order, NO_ORDER)


@given(BOOKS)
def test_a_book_that_says_no_number_is_below_all(book: BookNumber) -> None:
    assert book_number("next week") == NO_BOOK
    assert book_number(str(book)) == book
    assert book >= NO_BOOK
