"""What a worker says about itself: alive, ready, and the state behind both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isnan
from typing import Protocol

from streams import __version__
from streams.instruments import LaneMetrics, Metrics
from streams.policy.book import BookNumber
from streams.progress import RerateProgress

JSON = Mapping[str, "JSON"] | list["JSON"] | str | int | float | bool | None


class Health(Protocol):
    """What the health port asks, from a thread of its own: each answer reads what is there and waits for nothing."""

    def not_live(self) -> tuple[str, ...]:
        """Reasons to restart this process, none if it makes progress."""

    def not_ready(self) -> tuple[str, ...]:
        """Reasons not to count on this process, none if it does its part."""

    def status(self) -> Mapping[str, JSON]:
        """The state behind both, for a person or `lotrisk status`."""


class WorkerHealth:
    """Health of a worker from what its lanes report.

    Liveness is progress: a partition's committed offset moves within `stall_seconds` while there is lag. A paused
    partition is not ready, yet alive: a restart would meet the same dead letters. And the worker's loop turns: `turned`
    is called on it every second or so, from when it is ready on. `assigned` says whether the group
    has given this worker its partitions (none is an answer too), `book` the number of the policy book in use.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        assigned: Callable[[], bool],
        book: Callable[[], str | None],
        stall_seconds: float,
    ) -> None:
        self._metrics = metrics
        self._assigned = assigned
        self._book = book
        self._stall_seconds = stall_seconds
        self._turned: float | None = None

    def turned(self) -> None:
        """The worker's loop does its rounds."""
        self._turned = self._metrics.clock()

    def not_live(self) -> tuple[str, ...]:
        """A reason for each partition whose committed offset stands still, or that the loop does."""
        now = self._metrics.clock()
        silent = 0.0 if self._turned is None else now - self._turned
        reasons = [f"the worker's loop has stood still for {silent:.0f} s"] if silent > self._stall_seconds else []
        reasons += [
            f"{_name(lane)}: the committed offset has stood at {lane.progress.committed} for "
            f"{lane.progress.stuck_seconds(now):.0f} s, {lane.progress.lag} behind the end"
            for lane in self._lanes()
            if not lane.paused and lane.progress.stuck_seconds(now) > self._stall_seconds
        ]
        return tuple(reasons)

    def not_ready(self) -> tuple[str, ...]:
        """A reason for each thing that is missing: partitions, the policy book, a lane that goes on."""
        reasons = []
        if not self._assigned():
            reasons.append("no partitions assigned yet")
        if self._book() is None:
            reasons.append("no policy book loaded yet")
        reasons += [
            f"{_name(lane)}: paused, too many dead letters (lotrisk dlq list shows them)"
            for lane in self._lanes()
            if lane.paused
        ]
        return tuple(reasons)

    def status(self) -> Mapping[str, JSON]:
        """Version, book, re-rating, and for each partition the committed offset, end, lag, age, whether it is paused.

        `rerate` is the sum of the partitions': `book` the lowest that any of them reached, `remaining_seconds` and
        `last_seconds` the longest.
        """
        now = self._metrics.clock()
        return {
            "version": __version__,
            "live": not self.not_live(),
            "ready": not self.not_ready(),
            "reasons": [*self.not_live(), *self.not_ready()],
            "book": self._book(),
            "rerate": rerating([lane.rerate for lane in self._lanes()], now),
            "partitions": [
                {
                    "topic": lane.topic,
                    "partition": lane.partition,
                    "committed": lane.progress.committed,
                    "end": lane.progress.end,
                    "lag": lane.progress.lag,
                    "committed_age_seconds": round(lane.progress.stuck_seconds(now), 3),
                    "paused": lane.paused,
                    "in_flight_records": lane.in_flight_records,
                    "in_flight_bytes": lane.in_flight_bytes,
                    "rerate": rerating([lane.rerate], now),
                }
                for lane in self._lanes()
            ],
        }

    def _lanes(self) -> list[LaneMetrics]:
        return [lane for _, lane in sorted(self._metrics.lanes.items())]


def rerating(lanes: Sequence[RerateProgress], now: float) -> Mapping[str, JSON]:
    """How far lanes are together; times null where they aren't known yet, `book` null where one lane has none."""
    remaining = [lane.remaining_seconds(now) for lane in lanes]
    longest = max(remaining, default=0.0, key=lambda seconds: inf if isnan(seconds) else seconds)
    reached = [lane.book for lane in lanes]
    return {
        "book": min((book for book in reached if book is not None), key=BookNumber.parse, default=None)
        if None not in reached
        else None,
        "pending": sum(lane.pending for lane in lanes),
        "rated": sum(lane.rated for lane in lanes),
        "per_second": round(sum(lane.per_second(now) for lane in lanes), 1),
        "remaining_seconds": None if isnan(longest) else round(longest, 1),
        "last_seconds": round(max((lane.last_seconds for lane in lanes), default=0.0), 3),
    }


def _name(lane: LaneMetrics) -> str:
    return f"{lane.topic}/{lane.partition}"
