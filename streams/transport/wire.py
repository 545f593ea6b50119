"""Record batches in Kafka's own format: a fetched one is taken whole, one to send is compressed beside the work.

aiokafka makes an object of its own of every record it has decoded, and compresses on the event loop. A lane needs
neither. Beside the driver this is the only file that touches private members of aiokafka; the same tests guard it.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Collection, Iterator
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.codec import zstd_encode
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import calc_crc32c

from streams.transport.batch import Headers, InputRecord
from streams.transport.records import Records, encode_headers

BATCH_BYTES: Final = 900_000
"""Uncompressed bytes of a batch: large enough for zstd to work well, below the topics' limit."""
_APART_BYTES: Final = 100_000
"""Uncompressed bytes from which a batch is compressed in another thread; smaller ones take less than the way there."""

ZSTD_LEVEL: Final = 2
"""Kafka's default, 3, makes batches of enriched records 0 to 1.5% smaller and takes a quarter more time for it."""

_BATCH: Final = struct.Struct(">qiibIhiqqqhii")
"""A batch before its records: base offset, length, leader epoch, magic, checksum, attributes, last offset, first and
last time, producer id, epoch and base sequence, number of records."""
_LENGTH_OF: Final = 12
"""The length is of everything from here on."""
_MAGIC: Final = 2
_ZSTD: Final = 4
_TRANSACTIONAL: Final = 0x10
_CRC_AT: Final = 17
_CRC_OF: Final = 21
"""The checksum is of everything from here on."""
_PRODUCER_AT: Final = 43
_CRC: Final = struct.Struct(">I")
_PRODUCER: Final = struct.Struct(">qhi")
"""Producer id, epoch and base sequence."""


async def fetched(
    fetcher: Any, partitions: Collection[TopicPartition] | None, seconds: float, limit: int
) -> dict[TopicPartition, list[InputRecord]]:
    """At most `limit` fetched records of `partitions` (None: all assigned), after `seconds` at most; moves positions.

    aiokafka's `Fetcher.fetched_records`, but for the form of the records.

    Raises:
        KafkaError: what the fetch of a partition met.
    """
    ends = time.monotonic() + seconds
    subscriptions, results = fetcher._subscriptions, fetcher._records
    while True:
        if subscriptions.reassignment_in_progress:
            await subscriptions.wait_for_assignment()
        taken: dict[TopicPartition, list[InputRecord]] = {}
        room = limit
        for tp, result in list(results.items()):
            if partitions and tp not in partitions:
                if not subscriptions.is_assigned(tp):
                    del results[tp]
                continue
            if type(result) is FetchResult:
                records = take(result, room)
                if not result.has_more():
                    del results[tp]
                    fetcher._notify(fetcher._wait_consume_future)
                if records:
                    taken[tp] = records
                    room -= len(records)
                    if room <= 0:
                        break
            elif taken:
                return taken
            else:
                del results[tp]
                fetcher._notify(fetcher._wait_consume_future)
                result.check_raise()
        left = ends - time.monotonic()
        if taken or left <= 0:
            return taken
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=left)
        if not done or fetcher._closed:
            waiter.cancel()
            return {}
        waiter.result()


def take(result: Any, limit: int) -> list[InputRecord]:
    """At most `limit` records of one fetch's answer, as they are decoded: its position moves past them.

    Aborted transactions, markers and what lies before the position are left out, as aiokafka does it.

    Raises:
        CorruptRecordException: a checksum or a length is wrong.
    """
    tp = result._topic_partition
    if not result.check_assignment(tp) or not result.has_more():
        return []
    source = result._partition_records
    found: list[InputRecord] = []
    # In place of aiokafka's own iterator: the batch of which an earlier call has left something.
    opened = source._records_iterator
    if type(opened) is not _Opened:
        opened = _next_batch(source)
    while opened is not None:
        wanted = limit - len(found)
        records = list(islice(opened.rest, wanted))
        is_through = len(records) < wanted
        if records and records[0].offset < source.next_fetch_offset:
            records = [record for record in records if record.offset >= source.next_fetch_offset]
        found += records
        if len(found) >= limit:
            source._records_iterator = opened
            source.next_fetch_offset = found[-1].offset + 1
            result._update_position()
            return found
        if not is_through:
            continue
        # Of a compacted batch the last record may be gone: its last offset is not.
        source.next_fetch_offset = opened.batch.next_offset
        opened = _next_batch(source)
    result._update_position()
    result._partition_records = None
    return found


class _Opened(NamedTuple):
    """A fetched batch and its records that are still to be delivered: a batch can be iterated over only once."""

    batch: Any
    rest: Iterator[InputRecord]


def _next_batch(source: Any) -> _Opened | None:
    """The next batch with records to deliver; None at the end of the answer."""
    while source._records.has_next():
        batch = source._records.next_batch()
        if source._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {source._tp}")
        if source._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            source._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and source._contains_abort_marker(batch):
                source._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in source._aborted_producers:
                source.next_fetch_offset = batch.next_offset
                continue
        if not batch.is_control_batch:
            return _Opened(batch, chain(batch))
        source.next_fetch_offset = batch.next_offset
    return None


class OutgoingBatch:
    """A record batch being built, in the place of aiokafka's `BatchBuilder`; for the producer it was made for only.

    aiokafka compresses when it sends, on the event loop, since only then it knows the batch's sequence number. Here
    the records are compressed before, in a thread where there are many, and the number is put in afterwards.
    """

    __slots__ = ("_producer", "_records", "_transactional", "_wire", "add_enriched")

    def __init__(self, *, transactional: bool) -> None:
        self._transactional = transactional
        self._records = Records(BATCH_BYTES - _BATCH.size)
        self._producer = (-1, -1, 0)
        self._wire: bytearray | asyncio.Future[bytearray] | None = None
        self.add_enriched = self._records.add_enriched
        """`add` for an enriched record: see `streams.transport.records.Records`."""

    def add(self, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int) -> bool:
        """Append a record; False where the batch is full. The first is taken whatever its size."""
        return self._records.add(key, value, encode_headers(headers), timestamp_ms)

    def close(self) -> None:
        """No record follows: a large batch begins to be compressed."""
        if self._wire is None:
            if self._records.size < _APART_BYTES:
                self._wire = self._compressed()
            else:
                self._wire = asyncio.get_running_loop().run_in_executor(None, self._compressed)

    def _compressed(self) -> bytearray:
        """The batch but for its checksum and its producer."""
        records = self._records
        count = records.count
        compressed = zstd_encode(records.take(), ZSTD_LEVEL)
        attributes = _ZSTD | (_TRANSACTIONAL if self._transactional else 0)
        length = _BATCH.size - _LENGTH_OF + len(compressed)
        wire = bytearray(
            _BATCH.pack(
                0, length, -1, _MAGIC, 0, attributes, count - 1, records.first_ms, records.last_ms, *self._producer,
                count,
            )
        )  # fmt: skip
        wire += compressed
        return wire

    async def ready(self) -> None:
        """Wait until it is compressed."""
        self.close()
        if isinstance(self._wire, asyncio.Future):
            self._wire = await self._wire

    # -- what aiokafka asks of a batch that it sends

    def record_count(self) -> int:
        """How many records it holds."""
        return self._records.count

    def closed(self) -> bool:
        """True: it is sent as it is."""
        return True

    def size(self) -> int:
        """Bytes as sent."""
        assert isinstance(self._wire, bytearray)
        return len(self._wire)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = (producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytearray:
        wire = self._wire
        assert isinstance(wire, bytearray)
        _PRODUCER.pack_into(wire, _PRODUCER_AT, *self._producer)
        _CRC.pack_into(wire, _CRC_AT, calc_crc32c(memoryview(wire)[_CRC_OF:]))
        return wire
