"""The core reads out of a lot what the lot's data put into it: two ways to the same origin, powertrain and family."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

import orjson
import pytest

from schemas.part import Part
from streams.enrich.classify import classify_vehicle
from streams.enrich.context import Context
from streams.enrich.origin import vehicle_origin
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part, find_family
from streams.enrich.vin import decode_vin
from streams.feeds.lot.vin_patterns import vin_of
from streams.feeds.lot.write import LotRequest, records
from streams.policy.book import build_book
from streams.reference import load
from streams.reference.lot import load_lot


@pytest.fixture(scope="module")
def context() -> Context:
    reference = load()
    return Context(reference, build_book(reference.trade, date(2026, 10, 1)))


def test_every_vin_of_the_lot_comes_from_the_country_it_was_drawn_for(context: Context) -> None:
    for row in load_lot().patterns:
        facts = decode_vin(vin_of(row.pattern, 200_002), context)
        assert vehicle_origin(facts, None, context.reference.vehicles).country == row.country, row


def test_every_vin_of_the_lot_has_the_powertrain_it_was_drawn_for(context: Context) -> None:
    differ: Counter[tuple[str, str, str, str]] = Counter()
    for row in load_lot().patterns:
        identity = classify_vehicle(
            decode_vin(vin_of(row.pattern, 200_002), context), context.reference.vehicles
        ).identity
        if identity.powertrain != row.powertrain:
            differ[row.make, row.model, row.powertrain, identity.powertrain] += 1
    # vPIC doesn't say that a 1500 has eTorque (fact sheet 8.11); the core knows better.
    assert set(differ) <= {("RAM", "1500", "ICE", "MHEV"), ("GENESIS", "GV80", "ICE", "MHEV")}


def test_descriptions_of_the_lot_are_read_as_the_family_they_were_drawn_for(context: Context) -> None:
    words = load_lot().words
    read: Counter[bool] = Counter()
    for part in load_lot().parts:
        for word in words[slot[1]] if (slot := re.search(r"\{(\w+)\}", part.description)) else ("",):
            text = re.sub(r"\{\w+\}", word, part.description)
            record = Part(dealer_id="a", part_number="ZZ999", description=text)
            family = find_family(record, context).family
            read[family is not None and family.id == part.family] += 1
    assert read[False] <= read.total() / 50, read


def test_the_lots_families_are_families_of_the_reference(context: Context) -> None:
    assert {part.family for part in load_lot().parts} <= set(context.reference.materials.families)


def test_parts_bought_before_the_duty_rose_call_for_a_new_price_matrix() -> None:
    day = date(2025, 10, 8)
    reference = load()
    context = Context(reference, build_book(reference.trade, day))
    flagged = []
    for record in records(LotRequest(0, 10_000, as_of=day)):
        found = enrich_part(f"{record['dealer_id']}:{record['part_number']}".encode(), orjson.dumps(record), context)
        assert isinstance(found, Enriched)
        flagged += [(record, flag) for flag in found.flags if flag.type == "part_cost_up"]
    assert flagged
    for record, flag in flagged:
        assert str(record["last_received"]) < "2025-06-01"
        assert "reprice" in flag.why
