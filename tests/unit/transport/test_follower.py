"""When what stands on `trade.policy` can't be all that workers have read before."""

from __future__ import annotations

import pytest

from streams.transport.follower import PolicyStanding, lost_records

SEEN = PolicyStanding("id-a", 2, 40)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (PolicyStanding("id-a", 2, 40), None),
        (PolicyStanding("id-a", 2, 55), None),
        (PolicyStanding("id-a", 3, 5), None),
        (PolicyStanding("id-b", 3, 5), None),
        (PolicyStanding("id-b", 2, 40), "made anew"),
        (PolicyStanding("id-b", 2, 90), "made anew"),
        (PolicyStanding("id-b", 2, 0), "made anew"),
        (PolicyStanding("id-a", 2, 39), "ends at offset 39"),
        (PolicyStanding("id-a", 1, 90), "epoch 2"),
        (PolicyStanding("id-b", 0, 0), "epoch 2"),
    ],
)
def test_a_log_is_refused_that_lost_records_without_a_higher_epoch(now: PolicyStanding, said: str | None) -> None:
    problem = lost_records(now, [PolicyStanding("id-z", 0, 7), SEEN])
    assert problem is None if said is None else said in str(problem)


def test_a_cluster_that_no_worker_has_seen_is_taken_as_it_is() -> None:
    assert lost_records(PolicyStanding("id-a", 0, 0), []) is None


def test_an_empty_topic_that_was_made_anew_lost_nothing() -> None:
    assert lost_records(PolicyStanding("id-b", 0, 3), [PolicyStanding("id-a", 0, 0)]) is None
