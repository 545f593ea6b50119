"""Canonical JSON Lines."""

from __future__ import annotations

import pytest

from streams.feeds.jsonl import deletion, read_json_lines
from streams.feeds.kind import Kind
from streams.feeds.records import FeedRecord, Problem
from streams.topics import INPUT_MAX_BYTES

VIN = "1HGCM82633A004352"
VEHICLE = b'{"vin": "%s",  "dealer_id":"D1", "msrp_usd":"1.50","my_own":[1, 2]}' % VIN.encode()
PART = b'{"dealer_id":"D1","part_number":"90915-YZZD1"}'


def read(*lines: bytes, kind: Kind | None = None) -> list[FeedRecord | Problem]:
    return list(read_json_lines(lines, kind))


def test_values_are_published_byte_for_byte() -> None:
    (record,) = read(VEHICLE + b"\r\n")
    assert record == FeedRecord(Kind.VEHICLES, 1, "D1", VIN, VEHICLE)


def test_each_line_tells_its_kind() -> None:
    kinds = [item.kind for item in read(VEHICLE, b"", PART) if isinstance(item, FeedRecord)]
    assert kinds == [Kind.VEHICLES, Kind.PARTS]


def test_a_part_that_names_a_vin_in_a_field_of_its_own_is_told_by_the_contract() -> None:
    (record,) = read(b'{"dealer_id":"D1","part_number":"X1","note":{"vin":"?"}}')
    assert isinstance(record, FeedRecord)
    assert record.kind is Kind.PARTS


@pytest.mark.parametrize(
    ("line", "field", "what"),
    [
        (b"not json", "record", "not JSON"),
        (b'{"dealer_id":"D1","vin":', "record", "Invalid JSON"),
        (b"[1]", "record", "not a JSON object"),
        (b'{"dealer_id":"D1"}', "record", "neither vin nor part_number"),
        (b'{"dealer_id":"D1","vin":"SHORT"}', "vin", "SHORT"),
        (b'{"vin":"1HGCM82633A004352"}', "dealer_id", "Field required"),
        (b'{"dealer_id":"a:b","vin":"1HGCM82633A004352"}', "dealer_id", "a:b"),
        (b'{"dealer_id":"D1","vin":"1HGCM82633A004352","msrp_usd":"-5"}', "msrp_usd", "-5"),
        (b'{"dealer_id":"D1","vin":"1HGCM82633A004352","model_year":"2026"}', "model_year", "2026"),
        (b'\xff{"vin":1}', "record", "Invalid JSON"),
    ],
)
def test_a_bad_line_names_line_field_and_fault(line: bytes, field: str, what: str) -> None:
    good, problem = read(PART, line)
    assert isinstance(good, FeedRecord)
    assert isinstance(problem, Problem)
    assert (problem.line, problem.field, problem.fatal) == (2, field, True)
    assert what in problem.what


def test_a_bad_line_with_a_legible_identity_carries_its_key() -> None:
    (problem,) = read(b'{"dealer_id":"D1","vin":"%s","msrp_usd":5}' % VIN.encode())
    assert isinstance(problem, Problem)
    assert problem.key == f"D1:{VIN}".encode()


def test_a_deletion_is_a_tombstone_and_comes_back_as_the_same_line() -> None:
    line = b'{"dealer_id":"D1","vin":"%s","deleted":true}' % VIN.encode()
    (record,) = read(line)
    assert isinstance(record, FeedRecord)
    assert (record.key, record.value) == (f"D1:{VIN}".encode(), None)
    assert deletion(record) == line


def test_a_deletion_that_says_more_is_neither_published_as_on_the_lot_nor_taken_for_one() -> None:
    (problem,) = read(b'{"dealer_id":"D1","part_number":"X1","deleted":true,"bin":"A"}')
    assert problem == Problem(
        1, "deleted", "stands beside bin; of a unit that left say only dealer_id and part_number", True, b"D1:X1"
    )


def test_a_producers_own_word_that_nothing_was_deleted_is_kept() -> None:
    (record,) = read(b'{"dealer_id":"D1","part_number":"X1","deleted":false,"bin":"A"}')
    assert isinstance(record, FeedRecord)
    assert record.value is not None


@pytest.mark.parametrize(
    ("field", "value", "remedy"),
    [
        ("vin", '"1hgcm82633a004352"', "capital letters"),
        ("dealer_id", '"a:b"', "without a colon"),
        ("msrp_usd", "38990.5", 'as text, in quotes, like "38990.00"'),
        ("msrp_usd", '"1e3"', 'with two decimals at most, like "38990.00"'),
        ("in_stock_date", '"10/01/2026"', 'like "2026-10-01"'),
        ("updated_at", '"2026-10-01"', 'with its offset, like "2026-10-01T09:30:00Z"'),
        ("country_of_assembly", '"Mexico"', 'two letters, like "MX"'),
        ("stock_number", "12345", "as text, in quotes"),
    ],
)
def test_a_fault_says_what_to_write(field: str, value: str, remedy: str) -> None:
    line = {"dealer_id": '"D1"', "vin": f'"{VIN}"'} | {field: value}
    (problem,) = read(("{" + ", ".join(f'"{name}": {what}' for name, what in line.items()) + "}").encode())
    assert isinstance(problem, Problem)
    assert (problem.field, remedy in problem.what, "pattern" in problem.what) == (field, True, False)


def test_a_deletion_of_nothing_that_can_be_a_key_is_refused() -> None:
    (problem,) = read(b'{"dealer_id":"a:b","vin":"x","deleted":true}')
    assert isinstance(problem, Problem)


def test_a_record_too_large_for_the_topic_is_refused_with_its_size() -> None:
    filler = b"x" * INPUT_MAX_BYTES
    (problem,) = read(b'{"dealer_id":"D1","part_number":"X1","blob":"' + filler + b'"}')
    assert isinstance(problem, Problem)
    assert "1,048,576" in problem.what
    assert f"{INPUT_MAX_BYTES + 47 + 5 + 128:,} bytes" in problem.what


def test_the_kind_option_overrules_what_a_line_seems() -> None:
    (problem,) = read(VEHICLE, kind=Kind.PARTS)
    assert isinstance(problem, Problem)
    assert problem.field == "part_number"


def test_a_byte_order_mark_is_not_part_of_the_first_record() -> None:
    (record,) = read(b"\xef\xbb\xbf" + PART)
    assert isinstance(record, FeedRecord)
    assert record.value == PART
