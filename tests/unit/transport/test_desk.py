"""The policy desk's decisions: in which order records are published, and who has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from streams.reference.trade import load_trade
from streams.transport.desk import highest_epoch, in_order, reached
from streams.transport.policy_log import PolicyLog, encode, encode_epoch
from tests.unit.transport.test_policy_log import measure

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
TRADE = load_trade()


def beat(worker: str, position: int = 5, *, age: float = 1.0, epoch: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "worker": worker,
        "at": (NOW - timedelta(seconds=age)).isoformat(),
        "book": f"1.{epoch}.{position - 1}.2026-10-01",
        "policy": {"topic_id": "id", "epoch": epoch, "position": position},
        **more,
    }


def test_what_a_measure_refers_to_is_published_before_it() -> None:
    first, second, third = measure("A-1"), measure("B-1", replaces=("A-1",)), measure("C-1", replaces=("B-1",))
    changed, same, refused = in_order(PolicyLog(TRADE), [third, second, first])
    assert ([record.id for record in changed], same, refused) == (["A-1", "B-1", "C-1"], [], [])
    log = PolicyLog(TRADE)
    assert [log.apply(offset, *encode(record)) for offset, record in enumerate(changed)] == [None] * 3


@pytest.mark.parametrize("order", [*permutations(("A-1", "B-1", "C-1"))], ids="".join)
def test_the_order_in_the_file_does_not_decide_what_is_taken(order: tuple[str, ...]) -> None:
    records = {"A-1": measure("A-1"), "B-1": measure("B-1", replaces=("A-1",)), "C-1": measure("C-1")}
    changed, _, refused = in_order(PolicyLog(TRADE), [records[id] for id in order])
    assert {record.id for record in changed} == set(order)
    assert refused == []


def test_every_record_that_cannot_be_taken_is_named() -> None:
    wrong = [measure("A-1", origins=("XX",)), measure("B-1", requires=("nothing",))]
    changed, _, refused = in_order(PolicyLog(TRADE), [wrong[0], measure("C-1"), wrong[1]])
    assert [one.measure for one in refused] == ["A-1", "B-1"]
    assert [record.id for record in changed] == ["C-1"]


def test_what_stands_already_is_not_published_again() -> None:
    log = PolicyLog(TRADE)
    log.apply(0, *encode(measure("A-1")))
    changed, same, _ = in_order(log, [measure("A-1"), measure("A-2"), TRADE.measures[0]])
    assert ([record.id for record in changed], [record.id for record in same]) == (
        ["A-2"], ["A-1", TRADE.measures[0].id],
    )  # fmt: skip


def test_a_worker_is_there_when_it_has_read_past_the_last_record() -> None:
    found = reached([beat("a", 5), beat("b", 4), beat("c", 3)], 0, 3, 3, NOW)
    assert set(found.arrived) == {"a", "b"}
    assert "offset 3 of 4" in found.behind["c"]


def test_a_worker_whose_last_beat_is_old_is_not_waited_for() -> None:
    assert reached([beat("a", 1, age=10.0)], 0, 3, 3, NOW).behind == {}
    assert set(reached([beat("a", 1, age=9.9)], 0, 3, 3, NOW).behind) == {"a"}


def test_a_lower_epoch_is_behind_however_far_it_has_read() -> None:
    assert set(reached([beat("a", 90, epoch=1)], 2, 3, 3, NOW).behind) == {"a"}


def test_a_worker_that_says_nothing_of_the_policy_is_behind() -> None:
    assert "older release" in reached([beat("a") | {"policy": None}], 0, 3, 3, NOW).behind["a"]


def test_only_the_desks_own_records_are_told_as_refused() -> None:
    refused = [{"offset": offset, "measure": f"M-{offset}", "error": "wrong"} for offset in (2, 3, 4, 5)]
    found = reached([beat("a", 9, rejected=refused), beat("b", 9, rejected=refused)], 0, 3, 4, NOW)
    assert [one.offset for one in found.refused] == [3, 4]


def test_an_import_begins_above_every_epoch_that_was_ever_seen() -> None:
    log = PolicyLog(TRADE)
    log.apply(0, *encode_epoch(3))
    assert highest_epoch(log, [("a", 1, 4), ("b", 7, 1)]) == 7
    assert highest_epoch(log, []) == 3
