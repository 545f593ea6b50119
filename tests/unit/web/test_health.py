"""When a worker is alive and when it is ready."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from streams.instruments import Metrics
from streams.web import WorkerHealth


class Worker:
    """A worker's facts, set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.assigned = True
        self.book: str | None = "1.0.-1.2026-09-29"
        self.metrics = Metrics(CollectorRegistry(), clock=lambda: self.now)
        self.health = WorkerHealth(
            self.metrics, assigned=lambda: self.assigned, book=lambda: self.book, stall_seconds=60
        )


def test_a_worker_that_keeps_up_is_alive_and_ready() -> None:
    worker = Worker()
    worker.metrics.lane("dms.vehicles", 0).progress.update(now=0.0, committed=5, end=5)
    worker.now = 10_000.0
    assert worker.health.not_live() == ()
    assert worker.health.not_ready() == ()


def test_a_committed_offset_that_stands_still_under_lag_is_not_alive_and_says_where() -> None:
    worker = Worker()
    worker.metrics.lane("dms.vehicles", 3).progress.update(now=0.0, committed=500, end=1_700)
    worker.now = 60.0
    assert worker.health.not_live() == ()
    worker.now = 61.0
    assert worker.health.not_live() == (
        "dms.vehicles/3: the committed offset has stood at 500 for 61 s, 1200 behind the end",
    )


def test_a_loop_that_stands_still_is_not_alive_once_it_has_turned() -> None:
    worker = Worker()
    worker.now = 500.0
    assert worker.health.not_live() == (), "it is still starting"
    worker.health.turned()
    worker.now = 560.0
    assert worker.health.not_live() == ()
    worker.now = 561.0
    assert worker.health.not_live() == ("the worker's loop has stood still for 61 s",)
    worker.health.turned()
    assert worker.health.not_live() == ()


def test_a_paused_partition_is_alive_but_not_ready() -> None:
    worker = Worker()
    lane = worker.metrics.lane("dms.parts", 1)
    lane.progress.update(now=0.0, committed=500, end=1_700)
    lane.paused = True
    worker.now = 3_600.0
    assert worker.health.not_live() == ()
    (reason,) = worker.health.not_ready()
    assert reason.startswith("dms.parts/1: paused")


def test_a_partition_that_went_elsewhere_no_longer_counts() -> None:
    worker = Worker()
    worker.metrics.lane("dms.vehicles", 3).progress.update(now=0.0, committed=500, end=1_700)
    worker.metrics.release("dms.vehicles", 3)
    worker.now = 3_600.0
    assert worker.health.not_live() == ()


def test_without_partitions_and_book_a_worker_is_not_ready_and_says_both() -> None:
    worker = Worker()
    worker.assigned, worker.book = False, None
    assert worker.health.not_ready() == ("no partitions assigned yet", "no policy book loaded yet")


def test_status_sums_up_how_far_rerating_is() -> None:
    worker = Worker()
    done, half, begun = (worker.metrics.lane("dms.vehicles", number).rerate for number in range(3))
    done.begin(100, 0.0)
    done.advance(100, 40)
    done.end("1.0.10.2026-09-29", 4.0)
    half.begin(300, 0.0)
    half.end("1.0.9.2026-09-29", 0.0)
    half.begin(300, 2.0)
    half.advance(100, 30)
    worker.now = 12.0
    shown = worker.health.status()["rerate"]
    assert shown == {"book": None, "pending": 200, "rated": 70, "per_second": 10.0, "remaining_seconds": 20.0,
                     "last_seconds": 4.0}  # fmt: skip
    begun.begin(50, 12.0)
    shown = worker.health.status()["rerate"]
    assert isinstance(shown, dict)
    assert (shown["pending"], shown["remaining_seconds"]) == (250, None), "not known yet how long"
    begun.end("1.0.11.2026-09-29", 12.0)
    shown = worker.health.status()["rerate"]
    assert isinstance(shown, dict)
    assert shown["book"] == "1.0.9.2026-09-29", "the lowest"


def test_status_shows_each_partition_in_order() -> None:
    worker = Worker()
    for topic, partition in (("dms.vehicles", 10), ("dms.vehicles", 2), ("dms.parts", 0)):
        worker.metrics.lane(topic, partition).progress.update(now=0.0, committed=partition, end=12)
    worker.now = 2.0
    status = worker.health.status()
    partitions = status["partitions"]
    assert isinstance(partitions, list)
    shown = [(p["topic"], p["partition"], p["lag"], p["committed_age_seconds"]) for p in partitions
             if isinstance(p, dict)]  # fmt: skip
    assert shown == [("dms.parts", 0, 12, 2.0), ("dms.vehicles", 2, 10, 2.0), ("dms.vehicles", 10, 2, 2.0)]
    assert status["live"] is True
    assert status["book"] == "1.0.-1.2026-09-29"
