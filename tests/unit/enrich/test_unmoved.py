"""What is told to be unmoved by a new book is what rating it again leaves as it is."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import reference
from streams.enrich.context import Context
from streams.enrich.outcome import Enriched
from streams.enrich.unmoved import UnmovedVehicles
from streams.enrich.vehicle import enrich_vehicle
from streams.feeds.lot.write import LotRequest, records
from streams.policy.book import Book, build_book
from streams.reference.loading import ReferenceError
from streams.reference.trade_records import MeasureRecord

REFERENCE = reference.load()
TRADE = REFERENCE.trade
TODAY = date(2026, 10, 1)
DAY = timedelta(days=1)
MEASURES = {record.id: record for record in TRADE.measures}
BOUNDARIES = [day for day in build_book(TRADE, TODAY).boundaries if date(2025, 1, 1) <= day <= date(2027, 6, 1)]
LOT: list[dict[str, object]] = list(records(LotRequest(vehicles=100, parts=0, as_of=TODAY)))
STATED: list[dict[str, object]] = [
    {"country_of_assembly": "KR"}, {"country_of_assembly": "US"}, {"usmca": True}, {"usmca": False},
    {"country_of_assembly": "MX", "usmca": True, "us_content_share": 0.3}, {"price_protected_until": "2026-12-31"},
]  # fmt: skip
ROWS: list[dict[str, object]] = [
    *LOT,
    *({**row, **stated} for row in LOT[::4] for stated in STATED),
    {"dealer_id": "d", "vin": "WP0AA2996XS621000", "stock_class": "used", "entry_date": "2026-05-01"},
    {"dealer_id": "d", "vin": "WP0AA2996XS621000", "stock_class": "used", "entry_date": "2026-08-01"},
]
VEHICLES = [(f"{row['dealer_id']}:{row['vin']}".encode(), orjson.dumps(row)) for row in ROWS]


@cache
def context(day: date = TODAY) -> Context:
    return Context(REFERENCE, build_book(TRADE, day))


def check(before: Context, book: Book) -> tuple[int, int]:
    """How many records are told to be unmoved, and how many move; none may be both."""
    after = before.under(book)
    unmoved = UnmovedVehicles(before, after)
    told = moves = 0
    for key, value in VEHICLES:
        old, new = enrich_vehicle(key, value, before), enrich_vehicle(key, value, after)
        assert isinstance(old, Enriched)
        assert isinstance(new, Enriched)
        same = old._replace(book="") == new._replace(book="")
        if unmoved(key, value):
            assert same, (old.body, new.body)
            told += 1
        moves += not same
    return told, moves


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(sorted(MEASURES)),
    day=st.sampled_from([TODAY, *BOUNDARIES]),
    change=st.sampled_from(
        [{"withdrawn_at": TODAY}, {"withdrawn_at": TODAY - 200 * DAY}, {"rate": "3.5"}, {"effective_from": TODAY},
         {"effective_from": TODAY - 400 * DAY, "status": "in_force"}, {"effective_to": TODAY - DAY},
         {"recorded_at": TODAY + DAY}, {"origins": ["DE"]}, {"status": "announced"}]
    ),
)  # fmt: skip
def test_a_version_of_any_measure_moves_nothing_that_is_told_to_be_unmoved(
    name: str, day: date, change: dict[str, object]
) -> None:
    fields = MEASURES[name].model_dump(by_alias=True) | change
    try:
        book = build_book(TRADE, day, [MeasureRecord.model_validate(fields)], offset=0)
        book.view()
    except (ValueError, ReferenceError):
        return
    check(context(day), book)


@settings(max_examples=12, deadline=None)
@given(days=st.lists(st.sampled_from(BOUNDARIES), min_size=2, max_size=2, unique=True).map(sorted))
def test_days_that_pass_move_nothing_that_is_told_to_be_unmoved(days: list[date]) -> None:
    check(context(days[0]), build_book(TRADE, days[1]))


@pytest.mark.parametrize("day", [TODAY, TODAY + DAY])
def test_a_duty_on_one_origin_leaves_most_of_the_lot_unmoved(day: date) -> None:
    """Also where it is law from a day after the last boundary, so that the day in force moves with it.

    A share of US content, and a price that is held to a day where days move, are for rating to tell.
    """
    rated = sum(b"us_content_share" in value or b"price_protected_until" in value for _, value in VEHICLES)
    korea = MeasureRecord.model_validate(
        {"id": "TEST-KR", "authority": "test", "title": "Korea", "instrument": "Test", "heading": "9903.99.99",
         "origins": ["KR"], "scope": ["8703"], "rate": "25", "announced_at": "2026-09-29", "recorded_at": "2026-09-29",
         "effective_from": day, "status": "in_force", "confidence": "H", "source": "GK"}
    )  # fmt: skip
    regime = build_book(TRADE, day).number.regime
    told, moves = check(context(regime), build_book(TRADE, day, [korea], offset=0))
    assert moves >= 3
    assert told >= 0.8 * (len(VEHICLES) - moves - rated)


@pytest.mark.parametrize("key", [b"", b"d:1", b"\xff" * 17, "d:5YJ3E1EA7KF31700é".encode()])
def test_a_key_that_somebody_else_wrote_is_not_told_to_be_unmoved(key: bytes) -> None:
    assert not UnmovedVehicles(context(), context().under(build_book(TRADE, TODAY, offset=1)))(key, b"{}")
