"""Records that are parts of one: put into what is held under their key, before they are rated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from streams.enrich.outcome import Rejected
from streams.transport.batch import Headers, InputRecord
from streams.transport.pipeline import Join

_SLICE_SECONDS: Final = 0.010


class Joined(NamedTuple):
    """What a batch makes of one key, in the place of the last record that went into it."""

    key: bytes
    value: bytes | None
    headers: Headers
    offset: int
    timestamp: int


async def join_records(
    records: Sequence[InputRecord],
    join: Join,
    held: Callable[[bytes], bytes | None],
    refuse: Callable[[InputRecord, Rejected], None],
) -> list[Joined]:
    """One record a key, in the order of the last parts; `refuse` is told of what can't be joined.

    `held` gives the canonical record of a key from before the batch.
    """
    canonical: dict[bytes, bytes | None] = {}
    last: dict[bytes, InputRecord] = {}

    def now(key: bytes) -> bytes | None:
        return canonical[key] if key in canonical else held(key)

    turn_ends = time.perf_counter() + _SLICE_SECONDS
    for record in records:
        outcome = join(record.key, record.value, now)
        if outcome is None:
            continue
        if isinstance(outcome, Rejected):
            refuse(record, outcome)
            continue
        key, canonical[outcome[0]] = outcome
        last.pop(key, None)
        last[key] = record
        if time.perf_counter() > turn_ends:
            await asyncio.sleep(0)
            turn_ends = time.perf_counter() + _SLICE_SECONDS
    return [
        Joined(key, canonical[key], record.headers, record.offset, record.timestamp) for key, record in last.items()
    ]
