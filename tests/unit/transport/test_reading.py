"""Why a topic can't be described, and what to do about it."""

from __future__ import annotations

from streams.transport.reading import how_to_mend, why_unseen

UNKNOWN, NO_RIGHT, NOT_LEADER = 3, 29, 6


def test_what_is_not_there_and_what_may_not_be_seen_are_told_apart() -> None:
    assert why_unseen("t", 0) is None
    missing, hidden = why_unseen("t", UNKNOWN), why_unseen("u", NO_RIGHT)
    assert missing == "t does not exist"
    assert hidden is not None
    assert "no right to describe" in hidden
    assert how_to_mend([missing]) == "Run `lotrisk topics apply`"
    assert "topics apply" not in how_to_mend([hidden])
    assert "docs/principals.md" in how_to_mend([hidden])
    both = how_to_mend([missing, hidden])
    assert "topics apply" in both
    assert "docs/principals.md" in both


def test_any_other_refusal_keeps_its_name() -> None:
    assert why_unseen("t", NOT_LEADER) == "t: NotLeaderForPartitionError"
