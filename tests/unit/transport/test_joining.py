"""Parts of one record are joined in the order of the log, one record a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from streams.enrich.outcome import Reason, Rejected
from streams.transport.joining import Joined, join_records


def append(
    key: bytes | None, value: bytes | None, held: Callable[[bytes], bytes | None]
) -> tuple[bytes, bytes | None] | Rejected:
    """Values of a key, one after the other; none empties it."""
    if key is None:
        return Rejected(Reason.TOTAL_MALFORMED, "no key")
    return key, None if value is None else (held(key) or b"") + value


RECORDS = st.lists(st.tuples(st.sampled_from([b"a", b"b", None]), st.sampled_from([b"1", b"2", None])), max_size=30)


@given(RECORDS, RECORDS)
def test_joining_in_batches_is_joining_one_by_one(
    first: list[tuple[bytes | None, bytes | None]], second: list[tuple[bytes | None, bytes | None]]
) -> None:
    held: dict[bytes, bytes | None] = {}
    refused: list[int] = []
    offset = 0
    for batch in (first, second):
        records = [Joined(key, value, (), offset + number, 1) for number, (key, value) in enumerate(batch)]  # type: ignore[arg-type]  # a key may be missing
        joined = asyncio.run(join_records(records, append, held.get, lambda record, _: refused.append(record.offset)))
        assert len({record.key for record in joined}) == len(joined)
        assert [record.offset for record in joined] == sorted(record.offset for record in joined)
        held.update({record.key: record.value for record in joined})
        offset += len(batch)
    wanted: dict[bytes, bytes | None] = {}
    for key, value in (*first, *second):
        if key is not None:
            wanted[key] = None if value is None else (wanted.get(key) or b"") + value
    assert held == wanted
    assert len(refused) == sum(key is None for key, _ in (*first, *second))
