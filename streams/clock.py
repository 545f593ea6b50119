"""The clock every part of the program is given: now, or the paced time of a demo or replay.

`enrich` and `policy` have no clock; what depends on time is asked here once, by the shell.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

log = logging.getLogger(__name__)

FILE: Final = "file:"
"""What `as_of` begins with where a file holds it."""
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_FORM = re.compile(r"^(?P<start>[^@]+)(?:@(?P<count>[0-9]{1,6}(?:\.[0-9]{1,3})?)(?P<unit>[smhd])/s)?$")


class ClockError(ValueError):
    """A clock that can't be told; the message says why and what to do."""


class Clock(Protocol):
    """Something that tells the time."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AsOf:
    """Start and pace of a clock: `pace` seconds of its time pass in one real second; 0 stands still."""

    start: datetime
    pace: float = 1.0

    @classmethod
    def parse(cls, text: str) -> AsOf:
        """`2025-10-08T00:00Z@1d/s`: start (RFC 3339, seconds may be left out), then what passes in a real second.

        The pace is in s, m, h or d; without one the clock runs as usual.

        Raises:
            ValueError: not of this form; the message shows it.
        """
        found = _FORM.match(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not a clock; write start and pace like 2025-10-08T00:00Z@1d/s")
        try:
            start = datetime.fromisoformat(found["start"])
        except ValueError as error:
            raise ValueError(f"{found['start']!r} is not a time; write it like 2025-10-08T00:00Z") from error
        if start.tzinfo is None:
            raise ValueError(f"{found['start']!r} has no time zone; end it with Z for UTC")
        pace = float(found["count"]) * _UNITS[found["unit"]] if found["count"] else 1.0
        return cls(start.astimezone(UTC), pace)


class PacedClock:
    """A clock that stood at `as_of.start` when `real` showed `started`, and has run at its pace since.

    Workers that share `started` agree on the time, and one that restarts doesn't go back.
    """

    def __init__(self, as_of: AsOf, started: datetime | None = None, real: Clock | None = None) -> None:
        self._as_of = as_of
        self._real = real or SystemClock()
        self._started = started or self._real.now()

    def now(self) -> datetime:
        """The paced moment, aware, UTC; the last representable one when the pace has run past it."""
        passed = max(0.0, (self._real.now() - self._started).total_seconds())
        try:
            return self._as_of.start + timedelta(seconds=passed * self._as_of.pace)
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)


class FileClock:
    """A clock in a file that holds start and pace as `AsOf.parse` reads them; whoever writes the file moves the clock.

    It stood at its start when the file was last written, so processes that share the file agree. A file that can't be
    read once the clock runs leaves it as it is.
    """

    def __init__(self, path: Path, real: Clock | None = None) -> None:
        """Read the file.

        Raises:
            ClockError: it can't be read, or holds no clock; the message names it.
        """
        self._path = path
        self._real = real or SystemClock()
        try:
            self._clock = self._read()
        except OSError as error:
            raise ClockError(f"{path}: {error.strerror}; write start and pace into it") from error
        except ValueError as error:
            raise ClockError(f"{path}: {error}") from error

    def now(self) -> datetime:
        """The moment the file says, aware, UTC."""
        try:
            if self._path.stat().st_mtime_ns != self._written_ns:
                self._clock = self._read()
        except (OSError, ValueError) as error:
            log.warning("%s: the clock stays as it was: %s", self._path, error)
        return self._clock.now()

    def _read(self) -> PacedClock:
        self._written_ns = self._path.stat().st_mtime_ns
        written = datetime.fromtimestamp(self._written_ns / 1e9, UTC)
        return PacedClock(AsOf.parse(self._path.read_text("utf-8")), written, self._real)


def check_form(as_of: str) -> None:
    """Look at a value of the setting `as_of` without reading any file.

    Raises:
        ValueError: neither `file:` and a path nor start and pace.
    """
    if as_of == FILE:
        raise ValueError(f"{FILE} names no file; write {FILE}/path/of/clock")
    if not as_of.startswith(FILE):
        AsOf.parse(as_of)


def clock_for(as_of: str | None, started: datetime | None = None) -> Clock:
    """The clock the settings `as_of` and `as_of_started` ask for; the machine's own where `as_of` is unset.

    Raises:
        ClockError: its file can't be read or holds no clock.
    """
    if as_of is None:
        return SystemClock()
    if as_of.startswith(FILE):
        return FileClock(Path(as_of.removeprefix(FILE)))
    return PacedClock(AsOf.parse(as_of), started)
