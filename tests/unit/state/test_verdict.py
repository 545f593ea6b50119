"""When a checkpoint may be continued from, and when not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.state.codec.checkpoint import FORMAT, Checkpoint
from streams.state.verdict import CLOCK_TOLERANCE_MS, EnrichedPartition, Rebuilt, why_rebuild

DAY_MS = 86_400_000
NOW = 1_760_000_000_000
TOPIC = EnrichedPartition("vehicles.enriched", "id", DAY_MS, begin=0, end=1000)
GOOD = Checkpoint("vehicles.enriched", "id", 500, NOW - 60_000)


def test_a_recent_checkpoint_is_continued_from() -> None:
    assert why_rebuild(GOOD, TOPIC, NOW, exactly_once=True) is None


@pytest.mark.parametrize(
    ("checkpoint", "topic", "why"),
    [
        (replace(GOOD, format=FORMAT + 1), TOPIC, Rebuilt.FORMAT),
        (replace(GOOD, layout=99), TOPIC, Rebuilt.FORMAT),
        (GOOD, replace(TOPIC, topic_id="new"), Rebuilt.TOPIC_RECREATED),
        (replace(GOOD, topic="parts.enriched"), TOPIC, Rebuilt.TOPIC_RECREATED),
        (replace(GOOD, position=1001), TOPIC, Rebuilt.AHEAD),
        (GOOD, replace(TOPIC, begin=501), Rebuilt.TRUNCATED),
        (replace(GOOD, saved_at_ms=NOW - DAY_MS // 2 - 1), TOPIC, Rebuilt.TOO_OLD),
        (replace(GOOD, saved_at_ms=NOW + CLOCK_TOLERANCE_MS + 1), TOPIC, Rebuilt.TOO_OLD),
        (GOOD, replace(TOPIC, delete_retention_ms=100_000), Rebuilt.TOO_OLD),
    ],
)
def test_otherwise_the_state_is_built_anew(checkpoint: Checkpoint, topic: EnrichedPartition, why: Rebuilt) -> None:
    assert why_rebuild(checkpoint, topic, NOW, exactly_once=True) is why


@pytest.mark.parametrize("age_ms", [0, DAY_MS // 2, -CLOCK_TOLERANCE_MS])
def test_half_of_the_retention_is_the_limit(age_ms: int) -> None:
    assert why_rebuild(replace(GOOD, saved_at_ms=NOW - age_ms), TOPIC, NOW, exactly_once=True) is None


@pytest.mark.parametrize(
    ("left", "exactly_once", "why"),
    [(0, True, None), (1, True, None), (2, True, Rebuilt.TOO_OLD), (0, False, None), (1, False, Rebuilt.TOO_OLD)],
)
def test_an_old_checkpoint_is_good_where_nothing_was_written_since(
    left: int, exactly_once: bool, why: Rebuilt | None
) -> None:
    """One offset may be a transaction's marker, but in at least once a tombstone, compacted away."""
    old = replace(GOOD, position=TOPIC.end - left, saved_at_ms=NOW - 30 * DAY_MS)
    assert why_rebuild(old, TOPIC, NOW, exactly_once=exactly_once) is why
