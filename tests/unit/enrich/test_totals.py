"""Totals are the sums of what stands on the lot, however it came and went."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import reference
from streams.enrich.context import Context
from streams.enrich.contribution import (
    FIXED,
    MOST,
    NOTHING,
    UNITS,
    Contribution,
    amounts,
    checked,
    encode,
    encode_cell,
    read,
    read_cell,
)
from streams.enrich.episodes import Cause, merge
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part
from streams.enrich.totals import LOT, Totals
from streams.enrich.vehicle import enrich_vehicle
from streams.feeds.lot.write import LotRequest, records
from streams.policy.book import build_book

REFERENCE = reference.load()
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, date(2026, 10, 1)))


def key_of(record: dict[str, Any]) -> bytes:
    return f"{record['dealer_id']}:{record.get('vin') or record['part_number']}".encode()


def enriched(record: dict[str, Any]) -> Enriched:
    enrich = enrich_vehicle if "vin" in record else enrich_part
    found = enrich(key_of(record), orjson.dumps(record), CONTEXT)
    assert isinstance(found, Enriched), found
    return found


def added(record: dict[str, Any]) -> bytes:
    """What a record adds with all the flags it calls for."""
    found = enriched(record)
    still, _ = merge(found.key, (), found.flags, Cause(None, "id", 0, 0, "book"))
    return encode(found.adds, still)


def read_part(adds: bytes) -> bytes:
    """The cell of a contribution."""
    part = read(adds)
    assert part is not None
    return part.cell


def told(totals: Totals) -> dict[str, Any]:
    change = totals.settle()
    found = {group: members for group, members in totals.waiting() if members is not None}
    totals.tell(change)
    return found


LOT_RECORDS: list[dict[str, Any]] = [dict(record) for record in records(LotRequest(vehicles=150, parts=100, seed=7))]
ADDED = [added(record) for record in LOT_RECORDS]
EVERY_ADDED = st.sampled_from(ADDED)


def usd_cents(dollars: str) -> int:
    return round(float(dollars) * 100)


def test_the_lot_s_totals_are_those_of_its_enriched_records() -> None:
    totals = Totals()
    landed, unknown, value, grams, flags = [0, 0, 0], 0, 0, 0.0, 0
    for record, adds in zip(LOT_RECORDS, ADDED, strict=True):
        totals.exchange(None, read(adds))
        fields = orjson.loads(enriched(record).value)
        quantity = 1.0 if "vin" in record else record["qty_on_hand"]
        view = fields["tariff"]["importer_duty"]["landed"]
        dollars = (view or {}).get("total_usd") if "vin" in record else (fields["extended"] or {}).get("landed")
        unknown += dollars is None
        landed = [one + usd_cents(more) for one, more in zip(landed, dollars or ("0", "0", "0"), strict=True)]
        price = record.get("invoice_usd") or record.get("msrp_usd") or record.get("cost_usd")
        value += round(usd_cents(price) * quantity) if price is not None else 0
        exposed = fields["exposure"]
        grams += quantity * exposed["elements_g"].get("Nd", [0, 0, 0])[1] if exposed is not None else 0
        flags += len(fields["flags"])
    lot = told(totals)[LOT]
    assert lot["records"] == len(LOT_RECORDS)
    assert (lot["landed_cents"], lot["landed_unknown"]) == (landed, unknown)
    assert lot["value_cents"] == value
    assert lot["grams_e4"]["Nd"][1] == pytest.approx(grams * 10_000, abs=1)
    assert sum(one[0] for one in lot["open_flags"].values()) == flags > 0


def test_groups_of_one_kind_make_up_the_lot() -> None:
    totals = Totals()
    for adds in ADDED:
        totals.exchange(None, read(adds))
    found = told(totals)
    for kinds in (("model:", "family:"), ("origin:",)):
        parts = [members for group, members in found.items() if group.startswith(kinds)]
        for name in ("records", "units_e3", "value_cents", "landed_unknown"):
            assert sum(part[name] for part in parts) == found[LOT][name]
    assert found[LOT]["origins"].keys() == {group for group in found if group.startswith("origin:")}


@given(
    st.lists(st.tuples(st.integers(0, 9), st.none() | EVERY_ADDED, st.booleans(), st.booleans()), max_size=60),
    st.randoms(use_true_random=False),
)
def test_sums_are_those_of_what_is_held_at_last(
    steps: list[tuple[int, bytes | None, bool, bool]], order: random.Random
) -> None:
    totals = Totals()
    stored: dict[bytes, list[int]] = {}
    told_up_to: int | None = None
    held: dict[int, bytes] = {}
    topic: dict[str, Any] = {}
    for key, adds, tells, restarts in steps:
        totals.exchange(read(held.get(key, NOTHING)), read(adds or NOTHING))
        held[key] = adds or NOTHING
        stored.update(totals.rows())
        if tells:
            change = totals.settle()
            topic.update(totals.waiting())
            for gone in totals.tell(change):
                del stored[gone]
            told_up_to = change
        if restarts:
            totals = Totals(stored.items(), told_up_to)
    totals.settle()
    topic.update(totals.waiting())
    anew = Totals()
    left = [adds for adds in held.values() if adds]
    order.shuffle(left)
    for adds in left:
        anew.exchange(None, read(adds))
    assert {group: members for group, members in topic.items() if members is not None} == told(anew)


def test_a_group_of_which_nothing_is_left_is_told_once() -> None:
    totals = Totals()
    totals.exchange(None, read(ADDED[0]))
    groups = told(totals).keys()
    totals.exchange(read(ADDED[0]), None)
    change = totals.settle()
    assert dict(totals.waiting()) == dict.fromkeys(groups)
    totals.tell(change)
    assert not totals.changed
    assert list(totals.waiting()) == []


def test_what_was_told_is_not_told_again_after_a_restart() -> None:
    totals = Totals()
    totals.exchange(None, read(ADDED[0]))
    rows = dict(totals.rows())
    change = totals.settle()
    totals.tell(change)
    totals.exchange(None, read(ADDED[-1]))
    rows |= dict(totals.rows())
    again = Totals(rows.items(), change)
    again.settle()
    assert {group for group, _ in again.waiting()} == {*read_cell(read_part(ADDED[-1])).groups, LOT}


def test_groups_that_stand_on_the_topic_and_are_no_more_are_told_as_gone() -> None:
    totals = Totals()
    totals.exchange(None, read(ADDED[0]))
    there = told(totals)
    totals.expect(["model:GONE/Car", "book:all"])
    assert dict(totals.waiting()) == {"model:GONE/Car": None, **there}


def test_a_contribution_is_read_back() -> None:
    for adds in ADDED:
        assert checked(adds)
        part = read(adds)
        assert part is not None
        assert b"[%b,%b]" % (orjson.dumps(part.numbers), part.cell) == adds


@pytest.mark.parametrize(
    "foreign",
    [b"", b"x", b"]", b"[1]", b"[[1],[],[]]", b"[[],[]]", b"[1,2]]", ADDED[0][:-1], ADDED[0][1:], b"\xff\xff",
     ADDED[0].replace(b"[[1,", b"[[1.5,", 1), ADDED[0].replace(b"[[1,", b"[[1,1,", 1)],
)  # fmt: skip
def test_what_is_no_contribution_is_not_taken_for_one(foreign: bytes) -> None:
    assert not checked(foreign)


@given(st.binary(max_size=80))
def test_no_bytes_break_the_look_at_them(foreign: bytes) -> None:
    assert not checked(foreign) or read(foreign) is not None


def test_amounts_beyond_reason_are_not_known() -> None:
    found = amounts(UNITS, MOST + 1, (0, 0, MOST + 1), (1, 2, 3), (-MOST - 1, 0, 0))
    assert found == (1, UNITS, 0, 1, 0, 0, 0, 1, 1, 2, 3, 0, 0, 0, 0, 1)
    assert len(found) == FIXED


def test_used_goods_have_no_replacement_and_it_is_not_unknown() -> None:
    assert amounts(UNITS, None, None, None, None, is_new=False)[FIXED - 9 :: 4] == (1, 0, 0)


def test_a_threat_without_a_central_amount_is_counted() -> None:
    cell = encode_cell(("model:A/B",), "vehicle", "KR", "ICE", None, ("CN-100",))
    totals = Totals()
    for central in (500, None):
        numbers = amounts(UNITS, 1, None, None, None, threats=[("CN-100", 0, central, 900)])
        totals.exchange(None, read(encode(Contribution(cell, numbers), ())))
    assert told(totals)[LOT]["threatened"] == {"CN-100": [2, 0, 500, 1800, 1]}


def test_a_part_whose_quantity_is_not_known_has_no_grams_and_no_value() -> None:
    record = {"dealer_id": "g1", "part_number": "EPS-1", "part_family": "eps_motor", "cost_usd": "100.00"}
    totals = Totals()
    totals.exchange(None, read(added(record)))
    lot = told(totals)[LOT]
    assert (lot["units_e3"], lot["value_unknown"], lot["grams_unknown"], lot["grams_e4"]) == (0, 1, 1, {})
    assert sum(lot["verdicts"].values()) == 1
