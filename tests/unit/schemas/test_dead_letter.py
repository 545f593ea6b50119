"""Dead letters: the original's headers untouched, lotrisk's after them, and a replay that can't loop."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import (
    DETAIL_MAX_CHARACTERS,
    HEADER_NAMES,
    MAX_REPLAYS,
    REPLAY,
    DeadLetterHeaders,
    dead_letter_headers,
    replay_attempts,
    replay_headers,
    split_headers,
)

Headers = list[tuple[str, bytes | None]]


def _dead(original: Headers, *, detail: str = "vin: 16 characters", timestamp_ms: int = 1_790_690_700_250) -> Headers:
    return dead_letter_headers(
        original,
        reason="vin_invalid",
        detail=detail,
        topic="dms.vehicles",
        partition=3,
        offset=90_210,
        timestamp_ms=timestamp_ms,
        version="0.1.0",
    )


def test_the_names_are_those_of_the_design() -> None:
    assert (
        tuple(f"error.{name}" for name in ("reason", "detail", "topic", "partition", "offset", "timestamp", "version"))
        == HEADER_NAMES
    )


def test_lotrisks_headers_stand_after_the_originals_as_text() -> None:
    headers = _dead([("traceparent", b"00-x"), ("null", None)])
    assert headers == [
        ("traceparent", b"00-x"),
        ("null", None),
        ("error.reason", b"vin_invalid"),
        ("error.detail", b"vin: 16 characters"),
        ("error.topic", b"dms.vehicles"),
        ("error.partition", b"3"),
        ("error.offset", b"90210"),
        ("error.timestamp", b"2026-09-29T14:05:00.250Z"),
        ("error.version", b"0.1.0"),
    ]


def test_a_record_without_a_timestamp_has_no_such_header() -> None:
    _, said = split_headers(_dead([], timestamp_ms=-1))
    assert said.timestamp is None
    assert "error.timestamp" not in dict(_dead([], timestamp_ms=-1))


_originals = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([*HEADER_NAMES, REPLAY, "traceparent"]), st.text(max_size=5)),
        st.one_of(st.none(), st.binary(max_size=8)),
    ),
    max_size=10,
)


@given(_originals, st.text(max_size=1200), st.sampled_from([-1, 0, 1_790_690_700_250, 2**62]))
def test_the_original_headers_come_back_as_they_were_whatever_they_are(
    original: Headers, detail: str, timestamp_ms: int
) -> None:
    back, said = split_headers(_dead(original, detail=detail, timestamp_ms=timestamp_ms))
    assert back == original
    assert (said.reason, said.topic, said.partition, said.offset) == ("vin_invalid", "dms.vehicles", "3", "90210")
    assert said.detail == (
        detail if len(detail) <= DETAIL_MAX_CHARACTERS else detail[: DETAIL_MAX_CHARACTERS - 1] + "…"
    )


@given(_originals)
def test_a_dead_letter_of_a_dead_letter_comes_back_step_by_step(original: Headers) -> None:
    once = _dead(original)
    assert split_headers(_dead(once))[0] == once


def test_a_detail_with_a_lone_surrogate_is_written_all_the_same() -> None:
    assert dict(_dead([], detail="a\ud800b"))["error.detail"] == b"a?b"


@pytest.mark.parametrize(
    ("headers", "missing"),
    [
        ([], "error.reason, error.detail"),
        ([("traceparent", b"x")], "error.reason"),
        (_dead([])[:-1], "error.version"),
        ([pair for pair in _dead([]) if pair[0] != "error.offset"], "error.offset"),
        ([*_dead([]), ("later", b"")], "error.reason"),
    ],
)
def test_a_record_that_is_no_dead_letter_is_said_to_be_none(headers: Headers, missing: str) -> None:
    with pytest.raises(ValueError, match=f"not a dead letter of lotrisk: header {missing}"):
        split_headers(headers)


def test_the_headers_as_an_object_are_the_contract() -> None:
    held = {name: (value or b"").decode() for name, value in _dead([])}
    model = DeadLetterHeaders.model_validate_json(json.dumps(held))
    assert json.loads(model.model_dump_json(exclude_unset=True)).keys() == held.keys()


def test_a_replay_counts_up_and_leaves_the_other_headers() -> None:
    original: Headers = [("traceparent", b"00-x"), ("null", None)]
    once = replay_headers(original)
    assert once == [*original, (REPLAY, b"1")]
    assert replay_headers(once) == [*original, (REPLAY, b"2")]
    assert [replay_attempts(headers) for headers in (original, once, replay_headers(once))] == [0, 1, 2]


def test_a_record_that_fails_again_and_again_comes_to_its_last_replay() -> None:
    headers: Headers = []
    for attempt in range(MAX_REPLAYS):
        assert replay_attempts(headers) == attempt
        headers, _ = split_headers(_dead(replay_headers(headers)))
    assert replay_attempts(headers) == MAX_REPLAYS


@pytest.mark.parametrize("mark", [b"", b"x", b"-1", b"9" * 40, b"1.5"])
def test_a_mark_that_cannot_be_read_counts_as_the_last_attempt(mark: bytes) -> None:
    assert replay_attempts([(REPLAY, mark)]) == MAX_REPLAYS
