"""The edge of the core: the producer's bytes stay the producer's."""

from __future__ import annotations

import orjson
import pytest

from schemas.part import Part
from schemas.vehicle import Vehicle
from streams.enrich.outcome import Reason, Rejected
from streams.enrich.record import read_record, splice, vin_problem

OWNED = frozenset({"origin", "producer"})


def test_members_are_added_and_the_rest_stays_as_it_was_written() -> None:
    value = b'{ "b" : 1.50, "a":"\\u00e9" }  '
    body, canonical_end = splice(value, None, OWNED, b'"origin":{"country":"JP"}')
    assert body == b'{ "b" : 1.50, "a":"\\u00e9" ,"origin":{"country":"JP"}'
    assert body[:canonical_end] + b"}" == value.rstrip()


def test_a_brace_inside_a_text_is_not_the_end_of_the_record() -> None:
    value = b'{"a":"}"}'
    assert orjson.loads(splice(value, None, OWNED, b'"origin":1')[0] + b"}") == {"a": "}", "origin": 1}


def test_only_a_record_that_uses_an_owned_name_is_written_anew() -> None:
    value = b'{"a":1,"origin":"mine","producer":[2]}'
    body, canonical_end = splice(value, {"origin": "mine", "producer": [2]}, OWNED, b'"origin":1')
    assert canonical_end == -1
    found = orjson.loads(body + b"}")
    assert found == {"a": 1, "producer": {"origin": "mine", "producer": [2]}, "origin": 1}


def test_a_part_is_keyed_by_its_number_in_the_makers_spelling() -> None:
    value = orjson.dumps({"dealer_id": "g1", "part_number": "04465-AZ 200:7"})
    found = read_record(b"g1:04465-AZ 200:7", value, Part, "part_number")
    assert isinstance(found, Part)
    wrong = read_record(b"g1:04465AZ200", value, Part, "part_number")
    assert isinstance(wrong, Rejected)
    assert wrong.reason is Reason.KEY_MISMATCH


def test_a_rejection_names_field_fault_and_value_and_stays_short() -> None:
    value = orjson.dumps(
        {
            "dealer_id": "g1",
            "vin": "1HGCM82633A004352",
            "msrp_usd": "1e5" * 400,
            "odometer_mi": -1,
            "stock_class": "wholesale",
            "usmca": "yes",
            "in_stock_date": "yesterday",
            "us_content_share": 40,
            "trim": 7,
        }
    )
    found = read_record(b"g1:1HGCM82633A004352", value, Vehicle, "vin")
    assert isinstance(found, Rejected)
    assert found.reason is Reason.SCHEMA_INVALID
    for words in ("odometer_mi", "got -1", "stock_class", "'wholesale'", "and 2 more"):
        assert words in found.detail
    assert len(found.detail) < 1000


def test_a_missing_field_shows_no_value() -> None:
    found = read_record(b"g1:", b'{"dealer_id":"g1"}', Part, "part_number")
    assert isinstance(found, Rejected)
    assert found.detail == "part_number: Field required"


@pytest.mark.parametrize(
    ("vin", "words"),
    [("1HG", "has 3 characters"), ("1HGCM82633A0O435Q", "holds O, Q"), ("1hgcm82633a004352", "capital letters")],
)
def test_a_string_that_is_no_vin_is_told_why(vin: str, words: str) -> None:
    assert words in vin_problem(vin)


@pytest.mark.parametrize(("model", "identity"), [(Vehicle, "vin"), (Part, "part_number")])
@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_json_does_not_know_as_a_number_is_refused_in_every_field(
    model: type[Vehicle] | type[Part], identity: str, number: bytes
) -> None:
    record = {"dealer_id": "g1", identity: "5YJ3E1EA7KF317000"}
    for name in (*model.model_fields, "of_their_own"):
        others = orjson.dumps({field: value for field, value in record.items() if field != name})
        value = b'%b,"%b":%b}' % (others[:-1], name.encode(), number)
        assert isinstance(read_record(b"g1:5YJ3E1EA7KF317000", value, model, identity), Rejected), name
