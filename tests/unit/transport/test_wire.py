"""Record batches on the wire: what aiokafka would read and send, read and sent faster."""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from aiokafka import TopicPartition
from aiokafka.codec import zstd_encode
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record._crecords import default_records
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.transport.wire import BATCH_BYTES, ZSTD_LEVEL, OutgoingBatch, take

PLACE = TopicPartition("dms.vehicles", 0)
Row = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]], int]

ROWS = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=8),
        st.none() | st.binary(max_size=40),
        st.lists(st.tuples(st.text(max_size=4), st.none() | st.binary(max_size=6)), max_size=2),
        st.integers(0, 2**41),
    ),
    min_size=1,
    max_size=12,
)


def sent(rows: list[Row], *, producer: tuple[int, int, int] = (7, 1, 3), transactional: bool = False) -> bytearray:
    """The batch of `rows` as `OutgoingBatch` hands it to a socket."""

    async def scene() -> bytearray:
        batch = OutgoingBatch(transactional=transactional)
        for key, value, headers, timestamp in rows:
            assert batch.add(key, value, headers, timestamp)
        await batch.ready()
        batch._set_producer_state(*producer)
        wire = batch._build()
        assert (batch.size(), batch.record_count(), batch.closed()) == (len(wire), len(rows), True)
        return bytearray(wire)

    return asyncio.run(scene())


def built_by_aiokafka(rows: list[Row], producer: tuple[int, int, int], *, transactional: bool) -> bytearray:
    """The same by aiokafka alone, but for the level of compression."""
    builder = DefaultRecordBatchBuilder(2, 4, int(transactional), *producer, 10 * BATCH_BYTES)
    for number, (key, value, headers, timestamp) in enumerate(rows):
        builder.append(number, timestamp, key, value, headers)
    with patch.object(default_records, "zstd_encode", partial(zstd_encode, level=ZSTD_LEVEL)):
        wire: bytearray = builder.build()
    return wire


@settings(deadline=None)
@given(ROWS, st.integers(0, 2**40), st.integers(0, 2**15 - 1), st.integers(0, 2**31 - 1), st.booleans())
def test_a_batch_is_sent_byte_for_byte_as_aiokafka_would(
    rows: list[Row], producer_id: int, epoch: int, sequence: int, transactional: bool
) -> None:
    producer = (producer_id, epoch, sequence)
    assert sent(rows, producer=producer, transactional=transactional) == built_by_aiokafka(
        rows, producer, transactional=transactional
    )


def test_a_large_batch_is_compressed_in_a_thread_and_is_the_same() -> None:
    rows: list[Row] = [(b"%d" % number, b"v" * 300, [("h", b"x")], number) for number in range(2000)]
    assert sent(rows) == built_by_aiokafka(rows, (7, 1, 3), transactional=False)


def test_a_full_batch_takes_no_more_but_its_first_record_whatever_its_size() -> None:
    batch = OutgoingBatch(transactional=False)
    assert batch.add(b"k", b"x" * (BATCH_BYTES + 1), [], 1)
    assert not batch.add(b"k", b"v", [], 1)
    assert batch.record_count() == 1


def at(base: int, rows: list[Row], producer_id: int = 7, *, transactional: bool = False) -> bytes:
    """A batch as a broker keeps it, from offset `base` on."""
    wire = sent(rows, producer=(producer_id, 0, 0), transactional=transactional)
    wire[:8] = base.to_bytes(8, "big")
    return bytes(wire)


def marker(base: int, producer_id: int, *, commits: bool) -> bytes:
    """The control batch at a transaction's end."""
    builder = DefaultRecordBatchBuilder(2, 0, 1, producer_id, 0, -1, BATCH_BYTES)
    builder.append(0, 1, b"\x00\x00\x00" + bytes([commits]), b"\x00" * 6, [])
    wire = builder.build()
    wire[:8] = base.to_bytes(8, "big")
    wire[22] |= 0x20
    wire[17:21] = calc_crc32c(bytes(wire[21:])).to_bytes(4, "big")
    return bytes(wire)


def answer(wire: bytes, position: int, aborted: list[tuple[int, int]] | None = None) -> tuple[FetchResult, list[int]]:
    """One fetch's answer and the positions it was consumed to."""
    state = SimpleNamespace(paused=False, position=position, consumed=[])

    def consumed_to(offset: int) -> None:
        state.position = offset
        state.consumed.append(offset)

    state.consumed_to = consumed_to
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    records = PartitionRecords(PLACE, MemoryRecords(wire), aborted, position, None, None, True, READ_COMMITTED)
    return FetchResult(PLACE, assignment=assignment, partition_records=records, backoff=0), state.consumed


def shown(record: object) -> tuple[object, ...]:
    """What lotrisk reads of a record."""
    names = ("offset", "timestamp", "key", "value")
    return (*(getattr(record, name) for name in names), tuple(getattr(record, "headers")))  # noqa: B009 - any record


@settings(deadline=None)
@given(
    st.lists(st.tuples(ROWS, st.integers(0, 2), st.sampled_from(["plain", "committed", "aborted"])), max_size=5),
    st.integers(0, 5),
    st.integers(1, 7),
)
def test_records_and_positions_are_those_aiokafka_finds(
    batches: list[tuple[list[Row], int, str]], position: int, limit: int
) -> None:
    """Gaps of compaction, transactions committed and aborted, a position amid a batch, and small helpings."""
    wire, base, aborted = b"", 0, []
    for number, (rows, gap, fate) in enumerate(batches):
        base += gap
        wire += at(base, rows, 100 + number, transactional=fate != "plain")
        if fate == "aborted":
            aborted.append((100 + number, base))
        base += len(rows)
        if fate != "plain":
            wire += marker(base, 100 + number, commits=fate == "committed")
            base += 1
    ours, our_positions = answer(wire, position, aborted)
    theirs, _ = answer(wire, position, aborted)
    expected = [shown(record) for record in theirs.getall()] if wire else []
    found: list[tuple[object, ...]] = []
    while ours.has_more():
        helping = take(ours, limit)
        assert len(helping) <= limit
        found += map(shown, helping)
        if helping and ours.has_more():
            assert our_positions[-1] == helping[-1].offset + 1
    assert found == expected
    assert our_positions[-1] == max(base, position) or base < position


def test_nothing_is_taken_of_a_partition_that_was_sought_or_paused_meanwhile() -> None:
    result, consumed = answer(at(0, [(b"k", b"v", [], 1)]), 0)
    result._assignment.state_value(PLACE).position = 5
    assert take(result, 10) == []
    assert not result.has_more()
    assert consumed == []


def test_a_damaged_batch_is_refused() -> None:
    wire = bytearray(at(0, [(b"k", b"v" * 50, [], 1)]))
    wire[-1] ^= 1
    with pytest.raises(CorruptRecordException, match="Invalid CRC"):
        take(answer(bytes(wire), 0)[0], 10)
