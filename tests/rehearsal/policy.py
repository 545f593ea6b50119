"""The policy desk of a rehearsal: measures on cars that come, change their rate, and are withdrawn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any

from streams.reference import load
from streams.reference.trade_records import MeasureRecord
from streams.settings import Settings
from streams.transport.desk import publish, read_log
from streams.transport.policy_log import encode

ORIGINS = ("JP", "KR", "MX", "DE", "CA")
"""Where many of a drawn lot's cars are built."""


def measure(number: int, rate: int, **changes: Any) -> MeasureRecord:
    """The measure on cars of the origin with that number, in force since a month before the lot's day."""
    origin = ORIGINS[number % len(ORIGINS)]
    return MeasureRecord.model_validate(
        {
            "id": f"REHEARSAL-{origin}",
            "authority": "section_338",
            "title": f"Rehearsal: {rate}% on cars of {origin}",
            "instrument": "Rehearsal",
            "origins": [origin],
            "scope": ["8703"],
            "rate": str(rate),
            "announced_at": date(2026, 8, 20),
            "effective_from": date(2026, 9, 1),
            "status": "in_force",
            "confidence": "H",
            "source": "S01",
            **changes,
        }
    )


class RehearsalDesk:
    """Publishes events, each a transaction of its own and sure to change the book."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trade = load().trade
        self.events = 0

    def publish(self, *records: MeasureRecord) -> None:
        """One event."""
        self.write([encode(record) for record in records])

    def write(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """One event of records as they are, good or bad."""

        async def write() -> None:
            found = await read_log(self._settings, self._trade)
            await publish(self._settings, entries, found.end)

        asyncio.run(write())
        self.events += 1

    def next(self) -> None:
        """The next event of a series: a measure on another origin at a new rate; every third time it is withdrawn."""
        number = self.events
        withdrawn = {"withdrawn_at": date(2026, 9, 20)} if number % 3 == 2 else {}
        self.publish(measure(number, 10 + number * 17 % 60, **withdrawn))
