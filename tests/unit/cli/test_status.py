"""How `lotrisk status` says how far re-rating is."""

from __future__ import annotations

from typing import Any

from streams.cli.status import rerating_in_total, rerating_text


def worker(*, alive: bool = True, **changes: Any) -> dict[str, Any]:
    told = {"book": None, "pending": 0, "rated": 0, "per_second": 0.0, "remaining_seconds": 0.0, "last_seconds": 0.0}
    return {"alive": alive, "rerate": told | changes}


def test_records_and_speed_are_sums_and_times_the_longest() -> None:
    found = rerating_in_total(
        [
            worker(pending=12_000, rated=300, per_second=4_000.0, remaining_seconds=3.0, last_seconds=2.5),
            worker(pending=1_000, rated=7, per_second=500.5, remaining_seconds=2.0, last_seconds=9.0),
            worker(alive=False, pending=5_000_000),
            {"alive": True},
        ]
    )
    assert found == {
        "pending": 13_000, "rated": 307, "per_second": 4_500.5, "remaining_seconds": 3.0, "last_seconds": 9.0
    }  # fmt: skip
    assert rerating_text(found) == "13,000 left, 4,500/s, 3 s"


def test_a_time_left_that_one_does_not_know_is_not_known() -> None:
    found = rerating_in_total([worker(pending=10, remaining_seconds=1.0), worker(pending=5, remaining_seconds=None)])
    assert found["remaining_seconds"] is None
    assert rerating_text(found) == "15 left, 0/s"


def test_what_is_done_says_how_long_it_took() -> None:
    assert rerating_text(rerating_in_total([worker(last_seconds=4.26)])) == "done, the last in 4.3 s"
    assert rerating_text(rerating_in_total([])) == "done"
