"""An enriched value is written and taken apart in one place; without its layout header it is parsed."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import OrderKey
from schemas.enriched import OWNED_FIELDS_VEHICLE
from streams.policy.book import BookNumber
from streams.state.layout import UNKNOWN_DIGEST, digest_of, finish, moment_ms, take_apart
from streams.state.order import NO_BOOK, NO_ORDER
from streams.state.published import read_published
from streams.state.view import Gone, Held

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.dictionaries(
    st.text().filter(lambda name: name not in OWNED_FIELDS_VEHICLE and name != "updated_at"),
    JSON,
    min_size=1,
    max_size=5,
)
FLAGS = st.lists(st.fixed_dictionaries({"type": st.text(), "why": st.text()}), max_size=3).map(orjson.dumps)
BOOK = "3.1.7.2026-09-29"


def body_of(record: dict[str, object], members: bytes = b'"origin":{"country":"JP"}') -> tuple[bytes, int]:
    canonical = orjson.dumps(record)[:-1]
    return canonical + b"," + members, len(canonical)


@given(record=RECORDS, flags=FLAGS, updated=st.none() | st.integers(-(10**12), 10**14), with_digest=st.booleans())
def test_what_is_finished_comes_apart_again(
    record: dict[str, object], flags: bytes, updated: int | None, with_digest: bool
) -> None:
    body, end = body_of(record)
    digest = digest_of(body, flags) if with_digest else None
    value, layout = finish(body, flags, BOOK, canonical_end=end, updated_at_ms=updated, digest=digest)

    assert orjson.loads(value) == {
        **record, "origin": {"country": "JP"}, "flags": orjson.loads(flags), "book": BOOK,
    }  # fmt: skip
    parts = take_apart(value, layout, OWNED_FIELDS_VEHICLE)
    assert parts == (orjson.dumps(record), digest_of(body, flags), flags, BOOK, updated)


@given(record=RECORDS, flags=FLAGS)
def test_a_record_of_an_older_release_is_parsed_and_never_counts_as_unchanged(
    record: dict[str, object], flags: bytes
) -> None:
    record = record | {"updated_at": "2026-09-29T14:05:00.250Z"}
    body, end = body_of(record)
    value, _ = finish(body, flags, BOOK, canonical_end=end, updated_at_ms=None)

    parts = take_apart(value, None, OWNED_FIELDS_VEHICLE)

    assert orjson.loads(parts.canonical) == record
    assert parts.digest == UNKNOWN_DIGEST
    assert orjson.loads(parts.flags) == orjson.loads(flags)
    assert (parts.book, parts.updated_at_ms) == (BOOK, moment_ms("2026-09-29T14:05:00.250Z"))


def test_a_body_written_anew_gives_the_producer_its_names_back() -> None:
    body = b'{"vin":"X","updated_at":"2026-01-01T00:00:00Z","producer":{"origin":"mine","flags":3},"origin":{}'
    value, layout = finish(body, b"[]", BOOK, canonical_end=-1, updated_at_ms=5)

    parts = take_apart(value, layout, OWNED_FIELDS_VEHICLE)

    assert orjson.loads(parts.canonical) == {
        "vin": "X", "updated_at": "2026-01-01T00:00:00Z", "origin": "mine", "flags": 3,
    }  # fmt: skip
    assert parts.digest == digest_of(body, b"[]")


def test_the_digest_of_the_header_is_believed_without_hashing() -> None:
    body, end = body_of({"vin": "X"})
    value, layout = finish(body, b"[]", BOOK, canonical_end=end, updated_at_ms=0, digest=b"0123456789abcdef")

    assert take_apart(value, layout, OWNED_FIELDS_VEHICLE).digest == b"0123456789abcdef"
    for wrong in (layout[:-1], layout[:-2], layout[:-1] + b"x"):
        assert take_apart(value, wrong, OWNED_FIELDS_VEHICLE) == take_apart(value, None, OWNED_FIELDS_VEHICLE)


def test_three_offsets_are_enough_and_the_time_is_then_read_from_the_record() -> None:
    body, end = body_of({"vin": "X", "updated_at": "2026-01-01T00:00:00+01:00"})
    value, layout = finish(body, b"[]", BOOK, canonical_end=end, updated_at_ms=0)
    three = b"/".join(layout.split(b"/")[:3])

    assert take_apart(value, three, OWNED_FIELDS_VEHICLE) == take_apart(
        value, b"%b/%d" % (three, moment_ms("2025-12-31T23:00:00Z") or 0), OWNED_FIELDS_VEHICLE
    )


@pytest.mark.parametrize(
    "layout", [b"", b"x/y/z", b"1/2", b"1/2/3", b"9/5/2/", b"1/2/3/4/5", b"-3/-2/-1/", b"5/9/20/x"]
)
def test_a_layout_that_does_not_fit_is_not_believed(layout: bytes) -> None:
    body, end = body_of({"vin": "X"})
    value, _ = finish(body, b"[]", BOOK, canonical_end=end, updated_at_ms=None)

    assert take_apart(value, layout, OWNED_FIELDS_VEHICLE) == take_apart(value, None, OWNED_FIELDS_VEHICLE)


@given(body=st.binary(min_size=1), other=st.binary(min_size=1), flags=st.binary(), book=st.sampled_from([BOOK, "9.9"]))
def test_the_digest_knows_body_and_flags_and_not_the_book(body: bytes, other: bytes, flags: bytes, book: str) -> None:
    assert (digest_of(body, flags) == digest_of(other, flags)) == (body == other)
    first, layout = finish(b'{"a":1,"b":2', b"[]", book, canonical_end=6, updated_at_ms=None)
    assert take_apart(first, layout, OWNED_FIELDS_VEHICLE).digest == digest_of(b'{"a":1,"b":2', b"[]")


def test_reading_what_was_published() -> None:
    body, end = body_of({"vin": "X"})
    value, layout = finish(body, b"[]", BOOK, canonical_end=end, updated_at_ms=12)
    order = OrderKey("abc", 41, BOOK)

    held = read_published(value, order.encode(), layout, OWNED_FIELDS_VEHICLE)

    assert held == Held(digest_of(body, b"[]"), order, 12, BookNumber.parse(BOOK), b"[]", b'{"vin":"X"}')
    assert read_published(None, order.encode(), None, OWNED_FIELDS_VEHICLE) == Gone(order)


def test_a_record_without_headers_has_the_lowest_order_and_what_is_not_json_is_nobodys() -> None:
    held = read_published(b'{"vin":"X"}', None, None, OWNED_FIELDS_VEHICLE)
    assert held == Held(UNKNOWN_DIGEST, NO_ORDER, None, NO_BOOK, b"[]", b'{"vin":"X"}')
    assert read_published(None, b"garbage", None, OWNED_FIELDS_VEHICLE) == Gone(NO_ORDER)
    for value in (b"", b"[1]", b"\xff", b'{"vin":'):
        assert read_published(value, None, b"1/2/3/", OWNED_FIELDS_VEHICLE) is None


@pytest.mark.parametrize("text", [None, 5, "", "2026-01-01", "2026-01-01T00:00:00", "soon"])
def test_what_is_no_moment_has_no_milliseconds(text: object) -> None:
    assert moment_ms(text) is None
