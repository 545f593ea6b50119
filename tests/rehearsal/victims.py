"""Workers that are there to die at a failpoint."""

from __future__ import annotations

from tests.rehearsal.fleet import Fleet


def still_to_die(fleet: Fleet, victims: dict[str, str]) -> set[str]:
    """The points of `victims` (points to orders) at which none has died; each has a worker that lives.

    One that lost its session on a busy machine ends itself before it comes to its point: another takes its place.
    """
    workers = {point: fleet.workers.get(f"victim-{point}") for point in victims}
    # First who is dead, then why: one that dies meanwhile is looked at the next time.
    dead = {point for point, worker in workers.items() if worker is None or not worker.alive}
    hits = fleet.failpoints_hit()
    left = {point for point in victims if not hits[point]}
    for point in left & dead:
        fleet.start(f"victim-{point}", restart=False, LOTRISK_FAILPOINTS=victims[point])
    return left
