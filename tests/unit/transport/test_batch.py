"""Record batches: joined while they wait, closed when a lane takes them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.transport.batch import Headers, RecordBatch


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: Headers = ()
    timestamp: int = 0


TOPIC = TP("dms.vehicles", 3)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=5), min_size=1, max_size=6))
def test_joined_runs_are_one_run(gaps: list[list[int]]) -> None:
    """Offsets rise, with gaps where compaction or markers of transactions left them."""
    batch, offset, everything = RecordBatch(TOPIC, 1), 0, []
    for run in gaps:
        records = []
        for gap in run:
            offset += gap
            records.append(Record(offset))
        batch.join(records)
        everything += records
    assert batch.records == everything
    assert (batch.first_offset, batch.last_offset, len(batch)) == (everything[0].offset, offset, len(everything))


def test_a_sealed_batch_takes_nothing_more() -> None:
    batch = RecordBatch(TOPIC, 1)
    batch.join([Record(1)])
    batch.sealed = True
    with pytest.raises(ValueError, match="sealed"):
        batch.join([Record(2)])


@pytest.mark.parametrize("offset", [4, 5])
def test_records_that_do_not_follow_are_refused(offset: int) -> None:
    batch = RecordBatch(TOPIC, 1)
    batch.join([Record(4), Record(5)])
    with pytest.raises(ValueError, match=f"offset {offset} does not follow 5"):
        batch.join([Record(offset)])


def test_bytes_count_keys_and_values() -> None:
    small, large = RecordBatch(TOPIC, 1), RecordBatch(TOPIC, 1)
    small.join([Record(1, key=b"", value=b"")])
    large.join([Record(1, key=b"x" * 10, value=b"y" * 1000)])
    assert large.bytes - small.bytes == 1010
    assert small.bytes > 0, "many small records are bounded too"


def test_it_names_itself() -> None:
    batch = RecordBatch(TOPIC, 1)
    assert repr(batch) == "<RecordBatch dms.vehicles[3] empty, 0 records>"
    batch.join([Record(7), Record(9)])
    assert repr(batch) == "<RecordBatch dms.vehicles[3] 7-9, 2 records>"
