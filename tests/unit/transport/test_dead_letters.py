"""Which dead letters may be put back."""

from __future__ import annotations

from schemas.dead_letter import MAX_REPLAYS, REPLAY, dead_letter_headers, split_headers
from streams.transport.batch import Headers
from streams.transport.dead_letters import DeadLetter, choose

TOPIC = "dms.vehicles"


def letter(offset: int, key: bytes | None, source_offset: int, *, partition: int = 0, replays: int = 0) -> DeadLetter:
    """A dead letter at `offset` of an input at `source_offset`."""
    original: Headers = [(REPLAY, b"%d" % replays)] if replays else []
    headers, error = split_headers(
        dead_letter_headers(
            original,
            reason="not_json",
            detail="",
            topic=TOPIC,
            partition=partition,
            offset=source_offset,
            timestamp_ms=0,
            version="1",
        )
    )
    return DeadLetter(partition, offset, key, b"{", headers, error)


def test_the_newest_letter_of_a_key_is_put_back() -> None:
    old, new = letter(0, b"a", 5), letter(1, b"a", 9)
    assert choose([old, new], {(TOPIC, b"a"): 9}, MAX_REPLAYS) == ([new], {"a newer dead letter has the same key": 1})


def test_a_letter_does_not_replace_a_newer_record() -> None:
    chosen, left = choose([letter(0, b"a", 5)], {(TOPIC, b"a"): 6}, MAX_REPLAYS)
    assert (chosen, left) == ([], {"a newer record with the same key is on the input topic": 1})


def test_its_own_record_and_those_of_other_keys_do_not_matter() -> None:
    one = letter(0, b"a", 5)
    assert choose([one], {(TOPIC, b"a"): 5, (TOPIC, b"b"): 99}, MAX_REPLAYS) == ([one], {})


def test_a_record_that_compaction_took_away_can_be_put_back() -> None:
    one = letter(0, b"a", 5)
    assert choose([one], {}, MAX_REPLAYS) == ([one], {})


def test_letters_without_a_key_stay_and_the_others_go_on() -> None:
    """Their input topic is compacted: the brokers would refuse the whole replay."""
    good = letter(2, b"a", 7)
    chosen, left = choose([letter(0, None, 5), letter(1, None, 6), good], {}, MAX_REPLAYS)
    assert chosen == [good]
    [(why, count)] = left.items()
    assert count == 2
    assert "without a key" in why
    assert "send them from their source" in why


def test_one_that_was_replayed_the_most_times_stays_unless_a_person_insists() -> None:
    worn = letter(0, b"a", 5, replays=MAX_REPLAYS)
    latest = {(TOPIC, b"a"): 5}
    chosen, left = choose([worn], latest, MAX_REPLAYS)
    assert (chosen, list(left.values())) == ([], [1])
    assert choose([worn], latest, None) == ([worn], {})


def test_an_older_letter_does_not_step_in_for_one_that_is_worn_out() -> None:
    old, worn = letter(0, b"a", 5), letter(1, b"a", 9, replays=MAX_REPLAYS)
    chosen, _ = choose([old, worn], {(TOPIC, b"a"): 9}, MAX_REPLAYS)
    assert chosen == []
