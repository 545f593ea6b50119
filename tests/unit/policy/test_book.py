"""The book: its ordered number, overrides by id, what was known when, history and threats."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from streams.policy.book import Book, BookNumber, build_book
from streams.policy.duty import EstimateError, rates
from streams.policy.facts import Claim, Facts
from streams.policy.history import history, threatened
from streams.reference.loading import ReferenceError
from streams.reference.trade import load_trade
from streams.reference.trade_records import MeasureRecord

TRADE = load_trade()
DAY = date(2026, 10, 1)
EU_25 = next(row for row in TRADE.measures if row.id == "232-EU-25")
AUTO_PART = Facts(claims=frozenset({Claim.AUTO_PART}))


def total(book: Book, line: str, origin: str, day: date, known_at: date | None = None) -> Decimal:
    central = rates(book, line, origin, day, known_at=known_at).central
    assert central is not None
    return central.total_rate_percent


def proclaimed(**changes: object) -> MeasureRecord:
    """The EU threat made law from 2026-12-01, published on 2026-11-20."""
    law = {
        "status": "in_force",
        "effective_from": date(2026, 12, 1),
        "recorded_at": date(2026, 11, 20),
        "heading": "9903.94.57",
        **changes,
    }
    return MeasureRecord.model_validate({**EU_25.model_dump(by_alias=True), **law})


def test_a_number_is_ordered_and_reads_back() -> None:
    number = BookNumber(1, 0, -1, date(2026, 9, 29))
    assert str(number) == "1.0.-1.2026-09-29"
    assert BookNumber.parse(str(number)) == number
    old = date(2020, 1, 1)
    later = [
        BookNumber(1, 0, -1, date(2026, 9, 30)),
        BookNumber(1, 0, 0, old),
        BookNumber(1, 1, -1, old),
        BookNumber(2, 0, -1, old),
    ]
    assert sorted([*later, number]) == [number, *later]


@pytest.mark.parametrize("text", ["", "1.0.-1", "1.0.-1.2026-13-01", "a.0.-1.2026-09-29"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"book number|isoformat|month|int\(\)"):
        BookNumber.parse(text)


@pytest.mark.parametrize(
    ("day", "regime"),
    [
        ("2026-09-15", "2026-09-15"),
        ("2026-09-28", "2026-09-15"),
        ("2026-09-29", "2026-09-29"),
        ("2026-10-01", "2026-09-29"),
        ("2026-11-11", "2026-11-11"),
        ("2026-11-24", "2026-11-11"),
        ("2026-12-01", "2026-12-01"),
    ],
)
def test_the_regime_is_the_latest_boundary_passed_not_the_day(day: str, regime: str) -> None:
    assert build_book(TRADE, date.fromisoformat(day)).number.regime == date.fromisoformat(regime)


def test_an_override_replaces_the_measure_of_its_id_and_raises_the_number() -> None:
    book = build_book(TRADE, DAY, [proclaimed()], epoch=1, offset=7)
    assert book.number > build_book(TRADE, DAY).number
    assert total(book, "8703.23", "DE", date(2026, 11, 30)) == 15
    assert total(book, "8703.23", "DE", date(2026, 12, 1)) == Decimal("27.5")
    assert total(book, "8703.23", "JP", date(2026, 12, 1)) == 15


def test_an_override_is_not_known_before_it_was_published() -> None:
    book = build_book(TRADE, DAY, [proclaimed()])
    assert total(book, "8703.23", "DE", date(2026, 12, 1), known_at=date(2026, 11, 19)) == 15
    assert total(book, "8703.23", "DE", date(2026, 12, 1), known_at=date(2026, 11, 20)) == Decimal("27.5")


def test_a_withdrawal_ends_the_measure_from_its_day_and_was_not_known_before() -> None:
    book = build_book(TRADE, DAY, [proclaimed(), proclaimed(withdrawn_at=date(2027, 2, 1))])
    assert total(book, "8703.23", "DE", date(2027, 1, 31)) == Decimal("27.5")
    assert total(book, "8703.23", "DE", date(2027, 2, 1)) == 15
    assert total(book, "8703.23", "DE", date(2027, 2, 1), known_at=date(2027, 1, 31)) == Decimal("27.5")


def test_a_book_read_as_known_on_a_day_answers_as_on_that_day() -> None:
    replay = build_book(TRADE, date(2025, 9, 1), known_at=date(2025, 9, 1))
    assert total(replay, "8703.23", "DE", date(2025, 9, 1)) == Decimal("27.5")
    assert total(build_book(TRADE, date(2025, 9, 1)), "8703.23", "DE", date(2025, 9, 1)) == 15
    published = build_book(TRADE, date(2025, 9, 25), known_at=date(2025, 9, 25))
    assert published.number.regime == date(2025, 9, 25)
    assert total(published, "8703.23", "DE", date(2025, 9, 1)) == 15


def test_an_override_that_names_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ReferenceError, match=r"232-EU-25.*NOT-THERE"):
        build_book(TRADE, DAY, [proclaimed(replaces=("NOT-THERE",))])


@pytest.mark.parametrize("day", [date(2017, 12, 31), date(2031, 1, 1)])
def test_a_day_outside_the_book_is_refused_also_when_remembered(day: date) -> None:
    book = build_book(TRADE, DAY)
    rates(book, "8703.23", "JP", date(2018, 1, 1))
    rates(book, "8703.23", "JP", date(2030, 12, 31))
    with pytest.raises(EstimateError, match="entry_date"):
        rates(book, "8703.23", "JP", day)


def test_the_history_of_a_line_has_each_change() -> None:
    found = history(build_book(TRADE, DAY), "8703.23", "KR", date(2025, 3, 1), DAY, Facts())
    assert [(str(one.first), one.rates.central and one.rates.central.total_rate_percent) for one in found][:3] == [
        ("2025-03-01", Decimal("2.5")), ("2025-04-03", Decimal("27.5")), ("2025-11-01", Decimal("15")),
    ]  # fmt: skip
    assert found[-1].last == DAY


def test_the_same_total_from_another_authority_is_a_change() -> None:
    found = rates(
        build_book(TRADE, DAY), "8708.30.50", "MX", date(2025, 5, 2), Facts(usmca=False, claims=AUTO_PART.claims)
    )
    assert found.changes_on == date(2025, 5, 3)


@pytest.mark.parametrize(
    ("line", "origin", "day", "measure", "low", "high"),
    [
        ("8703.23", "DE", "2026-10-01", "232-EU-25", "27.5", "27.5"),
        ("8703.23", "KR", "2026-10-01", "232-KR-25", "25", "27.5"),
        ("8703.23", "CN", "2025-10-20", "CN-100", "72.5", "172.5"),
        ("8518.29.80", "JP", "2026-03-01", "S122-15", "15", "15"),
    ],
)
def test_a_threat_is_shown_apart_with_what_it_would_make(
    line: str, origin: str, day: str, measure: str, low: str, high: str
) -> None:
    book = build_book(TRADE, date.fromisoformat(day))
    found = {threat.measure.id: threat for threat in threatened(book, line, origin)}
    answer = found[measure].rates
    assert found[measure].legal_status == "announced"
    assert answer.low is not None
    assert answer.high is not None
    assert (answer.low.total_rate_percent, answer.high.total_rate_percent) == (Decimal(low), Decimal(high))


@pytest.mark.parametrize(
    ("day", "shown"), [("2025-10-09", False), ("2025-10-10", True), ("2025-10-31", True), ("2025-11-01", False)]
)
def test_a_threat_lasts_from_its_announcement_until_it_is_dropped(day: str, shown: bool) -> None:
    book = build_book(TRADE, date.fromisoformat(day))
    assert ("CN-100" in {threat.measure.id for threat in threatened(book, "8703.23", "CN")}) == shown


@pytest.mark.parametrize("day", ["2025-03-05", "2025-04-03", "2025-04-28", "2025-09-20", "2025-11-20", "2026-05-10"])
@pytest.mark.parametrize(("line", "origin"), [("8703.23", "MX"), ("8708.29.51", "CA"), ("8708.99.81", "CN")])
def test_a_supposed_measure_that_does_not_touch_the_goods_adds_nothing_that_was_published_later(
    line: str, origin: str, day: str
) -> None:
    # EO 14289 (published 2025-04-29, back to 2025-03-04) keeps Section 232 and IEEPA of Mexico apart.
    now = date.fromisoformat(day)
    book = build_book(TRADE, now, known_at=now)
    supposed = book.supposing("232-MHDV")
    assert rates(supposed, line, origin, now).signature == rates(book, line, origin, now).signature


def test_a_threat_is_in_no_total() -> None:
    threats = {row.id for row in TRADE.measures if row.status in ("announced", "open", "not_implemented", "suspended")}
    book = build_book(TRADE, DAY)
    for origin in ("CN", "DE", "KR", "JP", "MX"):
        for line in ("8703.23", "8708.29.51", "8542.31", "8518.29.80"):
            for day in (date(2025, 10, 20), date(2026, 7, 10), DAY):
                found = rates(book, line, origin, day)
                assert found.high is not None
                assert threats.isdisjoint(part.measure for part in found.high.components)
