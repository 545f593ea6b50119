"""Record headers: what a CloudEvents reader makes of them, ids from inputs only, the order key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from schemas import VERSION
from schemas.cloudevents import (
    CONTENT_TYPE,
    DATASCHEMA,
    ID,
    ORDER,
    TIME,
    TRACEPARENT,
    EventType,
    HeaderTemplate,
    OrderKey,
    event_id,
    header,
    rfc3339,
)
from schemas.generation import CONTRACTS, json_schema

TOPIC_ID = "1b0c1a4e-8f0e-4f0b-9a51-0d6ef0f2a3b4"
BOOK = "1.0.-1.2026-09-29"
TIMESTAMP = 1_790_690_700_250
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def _template(type_: EventType = EventType.VEHICLE_ENRICHED) -> HeaderTemplate:
    return HeaderTemplate(type_, "dms.vehicles", TOPIC_ID, 3)


@pytest.mark.parametrize("type_", list(EventType))
def test_a_cloudevents_reader_reads_the_headers(type_: EventType) -> None:
    headers = _template(type_).headers(90_210, BOOK, TIMESTAMP, TRACE)
    assert len({name for name, _ in headers}) == len(headers)
    event = from_binary(KafkaMessage(headers=dict(headers), key=b"D1:V", value=b'{"vin": "V"}'), JSONFormat())
    assert event.get_specversion() == "1.0"
    assert event.get_type() == type_.value
    assert event.get_source() == "urn:lotrisk:topic:dms.vehicles"
    assert event.get_id() == event_id(type_, TOPIC_ID, 3, 90_210, BOOK)
    assert event.get_time() == datetime(2026, 9, 29, 14, 5, 0, 250_000, tzinfo=UTC)


def test_a_value_says_its_form_and_its_schema_and_a_tombstone_has_neither() -> None:
    enriched = dict(_template().headers(1, BOOK, TIMESTAMP))
    assert enriched[CONTENT_TYPE] == b"application/json"
    assert enriched[DATASCHEMA] == f"urn:lotrisk:schema:enriched-vehicle:{VERSION}".encode()
    removed = dict(_template(EventType.VEHICLE_REMOVED).headers(1, BOOK, TIMESTAMP))
    assert not {CONTENT_TYPE, DATASCHEMA} & set(removed)


def test_the_named_schema_is_that_of_a_contract() -> None:
    ids = {str(json_schema(contract)["$id"]).encode() for contract in CONTRACTS}
    for type_ in (EventType.VEHICLE_ENRICHED, EventType.PART_ENRICHED):
        assert dict(_template(type_).headers(1, BOOK, TIMESTAMP))[DATASCHEMA] in ids


def test_traceparent_passes_as_it_came_and_is_not_made_up() -> None:
    assert header(_template().headers(1, BOOK, TIMESTAMP, TRACE), TRACEPARENT) == TRACE
    assert header(_template().headers(1, BOOK, TIMESTAMP), TRACEPARENT) is None


def test_the_id_is_this_text_so_that_it_never_changes_by_accident() -> None:
    assert event_id("lotrisk.vehicle.enriched", TOPIC_ID, 3, 90_210, BOOK) == "798e4e8da76dc09e186d0952fbe17a7f"


def test_a_value_that_returns_has_an_id_of_its_own_and_a_repetition_has_the_same() -> None:
    """A, B, A on one key are three inputs at three offsets; a redelivery is the same offset again."""
    ids = [header(_template().headers(offset, BOOK, TIMESTAMP), ID) for offset in (5, 6, 7)]
    assert len(set(ids)) == 3
    again = [header(_template().headers(offset, BOOK, TIMESTAMP), ID) for offset in (5, 6, 7)]
    assert again == ids


_identity = st.tuples(
    st.sampled_from(list(EventType)),
    st.sampled_from([TOPIC_ID, TOPIC_ID[:-1] + "5", "3"]),
    st.integers(0, 30),
    st.integers(0, 40),
    st.sampled_from([BOOK, "1.0.4.2026-09-29", "3.1"]),
)


@given(_identity, _identity)
def test_two_ids_are_equal_only_for_the_same_origin_and_the_template_makes_the_same_one(
    one: tuple[EventType, str, int, int, str], other: tuple[EventType, str, int, int, str]
) -> None:
    assert (event_id(*one) == event_id(*other)) == (one == other)
    type_, topic_id, partition, offset, book = one
    made = HeaderTemplate(type_, "dms.vehicles", topic_id, partition).headers(offset, book, TIMESTAMP)
    assert header(made, ID) == event_id(*one).encode()
    assert OrderKey.decode(header(made, ORDER) or b"") == OrderKey(topic_id, offset, book)


@given(st.lists(st.tuples(st.integers(0, 2**40), st.sampled_from([BOOK, "2.0.0.2026-11-10"]), st.integers(0, 2**42))))
def test_what_a_template_remembers_from_one_record_never_shows_in_the_next(
    records: list[tuple[int, str, int]],
) -> None:
    kept = _template()
    for offset, book, timestamp in records:
        assert kept.headers(offset, book, timestamp) == _template().headers(offset, book, timestamp)


@given(st.integers(0, 253_402_300_799_999))
def test_times_are_rfc_3339_in_utc_to_the_millisecond(timestamp: int) -> None:
    text = rfc3339(timestamp)
    assert text is not None
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=timestamp)
    assert header(_template().headers(1, BOOK, timestamp), TIME) == text.encode()


@pytest.mark.parametrize(("timestamp", "text"), [(-1, None), (2**62, "9999-12-31T23:59:59.999Z")])
def test_a_timestamp_that_is_none_or_absurd_stops_nothing(timestamp: int, text: str | None) -> None:
    assert rfc3339(timestamp) == text
    assert header(_template().headers(1, BOOK, timestamp), TIME) == (text.encode() if text else None)


@pytest.mark.parametrize("value", [b"", b"a/1", b"a/x/b", b"a/-1/b", b"/1/b", b"a/1/", b"a/1/b/c", b"a/\xb2/b"])
def test_another_form_of_the_order_key_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"lotrisk\.order .*expected topic-id/offset/book"):
        OrderKey.decode(value)


def test_the_last_value_of_a_header_counts() -> None:
    assert header([("a", b"1"), ("b", None), ("a", b"2")], "a") == b"2"
    assert header([("a", b"1"), ("a", None)], "a") is None
