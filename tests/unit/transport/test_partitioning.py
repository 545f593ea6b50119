"""The partition of a key is the one that every Kafka client computes."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_python_murmur2

from streams.transport.partitioning import count_elsewhere, murmur2, partition_of


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff" * 17)
def test_murmur2_is_kafka_pythons_and_aiokafkas(key: bytes) -> None:
    assert murmur2(key) == kafka_python_murmur2(key) & 0xFFFFFFFF == aiokafka_murmur2(key) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("key", "expected"),
    # Apache Kafka's own UtilsTest.testMurmur2.
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_the_java_clients(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=80), st.integers(1, 64), st.integers(0, 63))
def test_keys_elsewhere_are_counted_as_one_by_one(keys: list[bytes], partitions: int, partition: int) -> None:
    expected = sum(partition_of(key, partitions) != partition for key in keys)
    assert count_elsewhere(keys, partition, partitions) == expected


def test_a_whole_batch_of_keys_is_counted_in_pieces() -> None:
    keys = [f"D1:{number:017d}".encode() for number in range(20_000)]
    at_home = [key for key in keys if partition_of(key, 8) == 3]
    assert count_elsewhere(keys, 3, 8) == len(keys) - len(at_home)
    assert count_elsewhere(at_home, 3, 8) == 0
