"""How far a partition is: its committed offset, for liveness, and its re-rating."""

from __future__ import annotations

from math import nan


class Progress:
    """Where a partition's committed offset stands, and since when it stands still while there is lag.

    The clock of liveness: a partition without lag is never stuck, however long nothing has come.
    """

    __slots__ = ("committed", "end", "since")

    def __init__(self) -> None:
        self.committed = 0
        self.end = 0
        self.since = 0.0

    @property
    def lag(self) -> int:
        """Offsets still to do; markers of transactions count until the committed offset passes them."""
        return max(0, self.end - self.committed)

    def update(self, *, now: float, committed: int | None = None, end: int | None = None) -> None:
        """Take in what is newly known at `now` (seconds of one steady or wall clock, always the same one)."""
        moved = committed is not None and committed != self.committed
        if moved or self.lag == 0:
            self.since = now  # first: another thread may look between two lines, and would see lag of long ago
        if committed is not None:
            self.committed = committed
        if end is not None:
            self.end = end

    def stuck_seconds(self, now: float) -> float:
        """How long the committed offset has stood still while there is lag; 0 without lag."""
        return max(0.0, now - self.since) if self.lag else 0.0


class RerateProgress:
    """How far one lane is in bringing what it holds up to the book in use. Times are Unix seconds.

    `book`: the highest one under which all is known to be right, None before the first scan is through. `rated`: how
    many records were below the book since it came.
    """

    __slots__ = ("_began", "_passed", "_scan_began", "_total", "book", "last_seconds", "rated")

    def __init__(self) -> None:
        self.book: str | None = None
        self.rated = 0
        self.last_seconds = 0.0
        self._began: float | None = None
        self._scan_began = 0.0
        self._total = 0
        self._passed = 0

    def begin(self, total: int, now: float) -> None:
        """A scan of about `total` records begins, or will soon; where one is under way it begins anew."""
        if self._began is None:
            self._began = now
            self.rated = 0
        self._scan_began, self._total, self._passed = now, total, 0

    def advance(self, passed: int, rated: int) -> None:
        """A slice is done: records it looked at, and those of them that were below the book."""
        self._passed += passed
        self.rated += rated

    def end(self, book: str, now: float) -> None:
        """The scan is through."""
        if self.rated and self._began is not None:
            self.last_seconds = now - self._began
        self.book, self._began = book, None

    @property
    def pending(self) -> int:
        """Records still to be looked at."""
        return 0 if self._began is None else max(1, self._total - self._passed)

    def per_second(self, now: float) -> float:
        """Records looked at a second; 0 where nothing is under way, or nothing known."""
        spent = now - self._scan_began
        return 0.0 if self._began is None or spent <= 0 else self._passed / spent

    def remaining_seconds(self, now: float) -> float:
        """How long it will take at this speed; 0 where nothing is under way, NaN where nothing is known."""
        if self._began is None:
            return 0.0
        speed = self.per_second(now)
        return self.pending / speed if speed else nan
