"""The totals of the fact sheet come out exactly: each row of 2.7, and the day before and the day of each change."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from streams.policy.book import Book, build_book
from streams.policy.duty import estimate, rates
from streams.reference.trade import load_trade

from .golden import TABLES, WORKED
from .golden_rows import Row, check, parse

ROWS = [pytest.param(row, id=f"{name}-{row.text}") for name, table in TABLES.items() for row in parse(table)]


@pytest.fixture(scope="module")
def book() -> Book:
    return build_book(load_trade(), date(2026, 11, 24))


@pytest.mark.parametrize("row", ROWS)
def test_total_and_parts_are_those_of_the_fact_sheet(row: Row, book: Book) -> None:
    assert check(row, book) is None


@pytest.mark.parametrize("row", [pytest.param(row, id=row.text) for row in parse(WORKED)])
def test_each_part_is_rounded_half_up_and_the_parts_sum_to_the_total(row: Row, book: Book) -> None:
    found = estimate(book, row.line, row.origin, row.day, 1_234_567, row.facts, row.known_at).central
    assert found is not None
    amounts = [component.amount_cents for component in found.components]
    exact = [Decimal(1_234_567) * component.rate_percent / 100 for component in found.components]
    assert amounts == [int((value + Decimal("0.5")).to_integral_value("ROUND_FLOOR")) for value in exact]
    assert found.total_cents == sum(amount for amount in amounts if amount is not None)


def test_half_a_cent_goes_up(book: Book) -> None:
    # 2.5% of 0.20 USD is half a cent, 25% of it five cents.
    found = estimate(book, "8703.23", "TH", date(2026, 10, 1), 20).central
    assert found is not None
    assert [component.amount_cents for component in found.components] == [1, 5]
    assert found.total_cents == 6


def test_a_void_duty_stays_in_the_total_and_is_marked_refundable(book: Book) -> None:
    found = rates(book, "8708.30.50", "CN", date(2025, 10, 15)).central
    assert found is not None
    assert {component.measure for component in found.components if component.refundable} == {"IEEPA-FENT-CN"}
