"""A book that was warmed says the same as one that was not, and has what takes long to make."""

from __future__ import annotations

from datetime import date

import orjson
import pytest

from streams import reference
from streams.enrich import warming
from streams.enrich.context import Context
from streams.enrich.vehicle import enrich_vehicle
from streams.enrich.warming import warm
from streams.feeds.lot.write import LotRequest, records
from streams.policy.book import build_book

REFERENCE = reference.load()
TODAY = date(2026, 10, 1)
VEHICLES = [
    (f"{row['dealer_id']}:{row['vin']}".encode(), orjson.dumps(row))
    for row in records(LotRequest(vehicles=200, parts=0, as_of=TODAY))
]


def test_a_warmed_book_says_the_same_and_has_the_schedules_and_exposures_of_the_last_one() -> None:
    before = Context(REFERENCE, build_book(REFERENCE.trade, TODAY))
    for key, value in VEHICLES:
        enrich_vehicle(key, value, before)
    book = build_book(REFERENCE.trade, TODAY, offset=1)
    warmed, cold = before.under(book), before.under(book)
    steps = sum(1 for _ in warm(before, warmed))
    assert steps > 20
    names = ("schedules", "threats", "vehicle_exposures")
    assert all(warmed.memo(name).keys() == before.memo(name).keys() for name in names)
    made = {name: len(warmed.memo(name)) for name in names}
    for key, value in VEHICLES:
        assert enrich_vehicle(key, value, warmed) == enrich_vehicle(key, value, cold)
    assert made == {name: len(warmed.memo(name)) for name in names}


def test_warming_may_be_left_at_any_step() -> None:
    before = Context(REFERENCE, build_book(REFERENCE.trade, TODAY))
    for key, value in VEHICLES[:20]:
        enrich_vehicle(key, value, before)
    warmed, cold = (before.under(build_book(REFERENCE.trade, TODAY, offset=1)) for _ in range(2))
    for _ in zip(range(7), warm(before, warmed), strict=False):
        pass
    for key, value in VEHICLES:
        assert enrich_vehicle(key, value, warmed) == enrich_vehicle(key, value, cold)


def test_the_book_does_not_wait_for_what_every_record_says_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "MOST", 3)
    before = Context(REFERENCE, build_book(REFERENCE.trade, TODAY))
    for key, value in VEHICLES:
        enrich_vehicle(key, value, before)
    assert sum(1 for _ in warm(before, before.under(build_book(REFERENCE.trade, TODAY, offset=1)))) == 6
