"""When rejections are no longer single bad records but a broken feed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import repeat

WINDOW = 1000
"""Records over which the share of rejections is looked at."""


@dataclass(frozen=True, slots=True)
class Tripped:
    """The limit was reached; `reason` says which and by what."""

    reason: str


class DlqLimit:
    """Counts rejections of one partition, in a row and among the last 1,000 records."""

    def __init__(self, max_consecutive: int, max_percent: float) -> None:
        self._max_consecutive = max_consecutive
        self._max_percent = max_percent
        self._consecutive = 0
        self._window: deque[bool] = deque(maxlen=WINDOW)
        self._rejected = 0

    def accepted(self, count: int = 1) -> None:
        """Note `count` records in a row that were not rejected."""
        if not count:
            return
        self._consecutive = 0
        if not self._rejected:
            self._window.extend(repeat(False, min(count, WINDOW)))
            return
        for _ in range(min(count, WINDOW)):
            self._push(rejected=False)

    def rejected(self) -> Tripped | None:
        """Note a rejected record; the answer says whether the lane must pause."""
        self._consecutive += 1
        self._push(rejected=True)
        if self._consecutive >= self._max_consecutive:
            return Tripped(f"{self._consecutive} records in a row were rejected (limit {self._max_consecutive})")
        if len(self._window) == WINDOW and self._rejected * 100 >= self._max_percent * WINDOW:
            share = self._rejected * 100 / WINDOW
            return Tripped(f"{share:.1f}% of the last {WINDOW:,} records were rejected (limit {self._max_percent:g}%)")
        return None

    def copy(self) -> DlqLimit:
        """The same counts in another object: what a batch that is rated again must not add to twice."""
        copied = DlqLimit(self._max_consecutive, self._max_percent)
        copied._consecutive = self._consecutive
        copied._window = self._window.copy()
        copied._rejected = self._rejected
        return copied

    def _push(self, *, rejected: bool) -> None:
        if len(self._window) == WINDOW and self._window[0]:
            self._rejected -= 1
        self._window.append(rejected)
        self._rejected += rejected
