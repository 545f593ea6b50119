"""The market's episodes, day by day: what a good owed from the first day of 2025 on, and nothing moved in between.

Each story is typed from the fact sheet: the days on which the answer changes, in total or in the authority behind it,
and the total from that day (`?`: no answer).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from streams.policy.book import Book, build_book
from streams.policy.duty import rates
from streams.reference.trade import load_trade

from .golden_rows import parse

STORIES = """
8703.23 DE - | 2.5, 2025-04-03 27.5, 2025-08-01 15
8703.23 JP - | 2.5, 2025-04-03 27.5, 2025-09-16 15
8703.40 KR korus | 0, 2025-04-03 25, 2025-11-01 15
8703.23 GB uk-quota | 2.5, 2025-04-03 27.5, 2025-06-30 10
8703.80 CN - | 102.5, 2025-02-04 112.5, 2025-03-04 122.5, 2025-04-03 147.5, 2025-11-10 137.5, 2026-02-24 127.5
8703.23 MX no-usmca | 2.5, 2025-03-04 27.5, 2025-04-03 27.5
8703.23 MX usmca | 0, 2025-03-04 25, 2025-03-07 0, 2025-04-03 25
8703.23 MX usmca,commerce-approved,us=0.4 | 0, 2025-03-04 25, 2025-03-07 0, 2025-04-03 15
8704.31 TH - | 25, 2025-04-03 50
8704.31 DE - | 25, 2025-04-03 50, 2025-08-01 25
8704.22.51 DE - | 25, 2025-04-05 35, 2025-04-09 45, 2025-04-10 35, 2025-08-07 25, 2025-11-01 50
8708.30.50 CN - | 27.5, 2025-02-04 37.5, 2025-03-04 47.5, 2025-05-03 72.5, 2025-11-10 62.5, 2026-02-24 52.5
8708.30.50 TW - | 2.5, 2025-05-03 27.5, 2026-05-01 15
8708.30.50 MX no-usmca | 2.5, 2025-03-04 27.5, 2025-05-03 27.5
8708.30.50 MX usmca | 0, 2025-03-04 25, 2025-03-07 0
8518.29.80 CN - | 7.5, 2025-02-04 17.5, 2025-03-04 27.5, 2025-04-05 37.5, 2025-04-09 111.5, 2025-04-10 152.5, \
2025-05-14 37.5, 2025-11-10 27.5, 2026-02-24 17.5, 2026-07-24 20
8518.29.80 BR - | 0, 2025-04-05 10, 2025-08-07 ?, 2026-02-24 10, 2026-07-22 35, 2026-07-24 37.5
8518.29.80 MX no-usmca | 0, 2025-03-04 25, 2026-02-24 10, 2026-07-24 10
8518.29.80 CA no-usmca | 0, 2025-03-04 25, 2025-08-01 35, 2026-02-24 10, 2026-07-24 10
8501.31.40 KR - | 4, 2025-04-05 14, 2025-04-09 29, 2025-04-10 14, 2025-08-07 19, 2025-11-14 15, 2026-02-24 14, \
2026-07-24 12.5
8501.31.40 IN - | 4, 2025-04-05 14, 2025-04-09 30, 2025-04-10 14, 2025-08-07 29, 2025-08-27 54, 2026-02-07 29, \
2026-02-24 14, 2026-07-24 14
8505.11.0070 CN - | 2.1, 2025-02-04 12.1, 2025-03-04 22.1, 2025-04-05 32.1, 2025-04-09 106.1, 2025-04-10 147.1, \
2025-05-14 32.1, 2025-09-08 22.1, 2025-11-10 12.1, 2026-01-01 37.1, 2026-02-24 27.1
8542.31 CN - | 50, 2025-02-04 60, 2025-03-04 70, 2025-11-10 60, 2026-02-24 50, 2027-06-23 ?
8708.99.81 TH metal=0.5 | 2.5, 2025-04-05 12.5, 2025-04-09 38.5, 2025-04-10 12.5, 2025-08-07 21.5, 2025-08-18 37, \
2026-02-24 32.5, 2026-04-06 27.5
8703.21.01 CA usmca,metal=0.6 | 0, 2025-03-04 25, 2025-03-07 0, 2025-08-18 30, 2026-04-06 25, 2026-06-08 15, \
2026-09-15 65, 2028-01-01 75
8526.91 CA usmca | 0, 2025-03-04 25, 2025-03-07 0, 2026-08-22 50
8711.50.00 CA no-usmca,metal=0.5 | 2.4, 2025-03-04 27.4, 2025-08-01 37.4, 2025-08-18 44.9, 2026-02-24 32.4, \
2026-04-06 12.4, 2026-07-24 12.4, 2026-08-22 62.4, 2026-09-29 ?
8507.60.0010 CN - | 28.4, 2025-02-04 38.4, 2025-03-04 48.4, 2025-05-03 73.4, 2025-11-10 63.4, 2026-01-01 63.4, \
2026-02-24 53.4
"""

ROWS = [tuple(row.split(" | ")) for row in STORIES.strip().splitlines()]


@pytest.fixture(scope="module")
def book() -> Book:
    return build_book(load_trade(), date(2026, 11, 24))


@pytest.mark.parametrize(("goods", "story"), [pytest.param(*row, id=row[0]) for row in ROWS])
def test_the_days_and_totals_of_an_episode_are_those_of_the_fact_sheet(goods: str, story: str, book: Book) -> None:
    line, origin, claims = goods.split()
    (row,) = parse(f"{line} {origin} 2025-01-01 {claims} ?")
    told = []
    day: date | None = date(2025, 1, 1)
    while day is not None:
        found = rates(book, line, origin, day, row.facts)
        total = "?" if found.central is None else f"{found.central.total_rate_percent.normalize():f}"
        told.append(total if day == date(2025, 1, 1) else f"{day} {total}")
        day = found.changes_on
    assert ", ".join(told) == story


@pytest.mark.parametrize("goods", [row[0] for row in ROWS])
def test_no_day_between_two_of_its_changes_differs(goods: str, book: Book) -> None:
    line, origin, claims = goods.split()
    (row,) = parse(f"{line} {origin} 2025-01-01 {claims} ?")
    day, end = date(2025, 1, 1), date(2026, 12, 1)
    expected: tuple[Decimal | None, date | None] | None = None
    while day < end:
        found = rates(book, line, origin, day, row.facts)
        total = None if found.central is None else found.central.total_rate_percent
        if expected is None or expected[1] == day:
            expected = (total, found.changes_on)
        assert (total, found.changes_on) == expected
        day += timedelta(days=1)
