"""What is written into the state is what is read out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cloudevents import OrderKey
from schemas.enriched import OWNED_FIELDS_VEHICLE
from streams.policy.book import BookNumber
from streams.state.codec.checkpoint import Checkpoint
from streams.state.codec.held import (
    Marker,
    book_text,
    contribution_of,
    decode_held,
    decode_marker,
    encode_held,
    encode_marker,
    is_live,
    order_of,
    published_head,
)
from streams.state.layout import finish
from streams.state.published import read_published
from streams.state.view import Held

BOOKS = st.builds(BookNumber, st.integers(0, 2**31), st.integers(0, 2**31), st.integers(-1, 2**63 - 1), st.dates())
ORDERS = st.builds(OrderKey, st.text(min_size=1, max_size=30), st.integers(0, 2**63 - 1), BOOKS.map(str))
HELDS = st.builds(
    Held,
    st.binary(min_size=16, max_size=16),
    ORDERS,
    st.none() | st.integers(-(2**62), 2**62),
    BOOKS,
    st.binary(max_size=400),
    st.none(),
    st.binary(max_size=400),
    st.just(b""),
)


@given(HELDS)
def test_a_head_round_trips(held: Held) -> None:
    head = encode_held(held)
    assert is_live(head)
    assert decode_held(head) == held
    assert decode_held(head, b"{}") == held._replace(canonical=b"{}")
    assert order_of(head) == held.order
    assert book_text(head) == str(held.book).encode()
    assert contribution_of(head) == held.contribution


HEADER_ORDERS = st.builds(
    OrderKey, st.text("abcXYZ-_019", min_size=1, max_size=30), st.integers(0, 2**63 - 1), BOOKS.map(str)
)


@given(
    HEADER_ORDERS,
    BOOKS.map(str),
    st.none() | st.integers(-(2**61), 2**61),
    st.sampled_from([b"[]", b'[{"type":"x"}]']),
    st.sampled_from([b"", b"[[1],[],[]]"]),
    st.none() | st.binary(min_size=16, max_size=16),
)
def test_the_fast_way_of_a_restore_is_the_long_one(
    order: OrderKey, book: str, updated: int | None, flags: bytes, adds: bytes, digest: bytes | None
) -> None:
    value, layout = finish(b'{"vin":"X","a":[1]', flags, book, canonical_end=10, updated_at_ms=updated, digest=digest)
    held = read_published(value, order.encode(), layout, OWNED_FIELDS_VEHICLE, adds)
    assert isinstance(held, Held)
    assert published_head(value, layout, order.encode(), adds) == (encode_held(held), held.canonical)


@pytest.mark.parametrize(
    "order", [b"", b"a/1", b"/1/b", b"a//b", b"a/-1/b", b"a/1/", b"a/18446744073709551616/b", b"\xff/1/b"]
)
def test_what_is_unusual_goes_the_long_way(order: bytes) -> None:
    value, layout = finish(b'{"vin":"X","a":[1]', b"[]", "1.0.-1.2026-09-29", canonical_end=10, updated_at_ms=1)
    assert published_head(value, layout, order, b"") is None
    assert published_head(value, b"-1/" + layout.partition(b"/")[2], b"a/1/b", b"") is None
    assert published_head(value, layout.rpartition(b"/")[0], b"a/1/b", b"") is None
    assert published_head(value, layout, b"a/1/b", b"") is not None


@given(ORDERS, st.integers(0, 2**62))
def test_a_marker_round_trips(order: OrderKey, expires_ms: int) -> None:
    head = encode_marker(Marker(order, expires_ms))
    assert not is_live(head)
    assert decode_marker(head) == Marker(order, expires_ms)
    assert order_of(head) == order


@pytest.mark.parametrize("change", [{"digest": b"short"}, {"order": OrderKey("x" * 256, 0, "1.0.-1.2026-01-01")}])
def test_what_does_not_fit_is_refused(change: dict[str, object]) -> None:
    held = Held(bytes(16), OrderKey("id", 1, "b"), None, BookNumber.parse("1.0.-1.2026-01-01"), b"[]")
    with pytest.raises(ValueError, match="can't be held"):
        encode_held(held._replace(**change))  # type: ignore[arg-type]  # a wrong value is the point


@given(st.text(), st.text(), st.integers(0, 2**63 - 1), st.integers(0, 2**53))
def test_a_checkpoint_round_trips(topic: str, topic_id: str, position: int, saved_at_ms: int) -> None:
    checkpoint = Checkpoint(topic, topic_id, position, saved_at_ms)
    assert Checkpoint.decode(checkpoint.encode()) == checkpoint


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"null", b"[1]", b'{"topic":1}', Checkpoint("t", "i", 1, 1).encode().replace(b":1,", b":true,", 1)],
)
def test_what_is_no_checkpoint_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a checkpoint|line 1 column 1"):
        Checkpoint.decode(data)
