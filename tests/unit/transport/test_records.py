"""Records as they stand in a batch: the compiled module, Python and aiokafka write the same bytes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cloudevents import EventType, HeaderTemplate
from streams.compiled import COMPILED
from streams.enrich import contribution
from streams.state import layout
from streams.transport import partitioning, records_python
from streams.transport.records import Records, Stamp, count_elsewhere, encode_headers, stamp_of

ROOT = Path(__file__).parents[3]
I64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=12)
ROWS = st.lists(
    st.tuples(
        st.none() | st.binary(max_size=9),
        st.none() | st.binary(max_size=300),
        st.lists(st.tuples(TEXT, st.none() | st.binary(max_size=70)), max_size=3),
        st.integers(0, 2**62),
    ),
    max_size=20,
)
ENRICHED = st.fixed_dictionaries(
    {
        "key": st.binary(max_size=40),
        "body": st.binary(max_size=200),
        "flags": st.sampled_from([b"[]", b'[{"type":"replacement_cost_up"}]']),
        "book": st.sampled_from(["1.0.-1.2026-09-29", "2.1.77.2025-10-10"]),
        "canonical_end": st.integers(-1, 200),
        "updated_ms": st.none() | I64,
        "digest": st.binary(min_size=16, max_size=16),
        "offset": st.integers(0, 2**63 - 1),
        "input_ms": st.integers(-1, 2**48) | st.integers(0, 2**62),
        "output_ms": st.integers(0, 2**42),
        "trace": st.none() | st.binary(max_size=60),
        "adds": st.just(b"") | st.binary(max_size=300),
    }
)

PARTS = (
    "key", "body", "flags", "book", "canonical_end", "updated_ms", "digest", "offset", "input_ms", "output_ms", "trace",
    "adds",
)  # fmt: skip


def template(event: EventType = EventType.VEHICLE_ENRICHED, partition: int = 3, topic_id: str = "id") -> HeaderTemplate:
    return HeaderTemplate(event, "dms.vehicles", topic_id, partition)


def python_stamp(of: HeaderTemplate) -> records_python.Stamp:
    """The stamp of a template in Python, whatever `stamp_of` makes."""
    names = [records_python.VARINT[len(name)] + name for name in map(str.encode, NAMES)]
    encoded = b"".join([encode_headers([one])[1:] for one in of.constant])
    return records_python.Stamp(encoded, len(of.constant), of.hashed, of.order, tuple(names))


NAMES = ("ce_id", "lotrisk.order", "ce_time", "traceparent", layout.HEADER, contribution.HEADER)


def test_the_module_is_compiled_wherever_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "streams").mkdir()
    shutil.copy(ROOT / "streams/_compiled.c", tmp_path / "streams")
    built = subprocess.run([sys.executable, ROOT / "hatch_build.py", tmp_path], check=False, capture_output=True)
    assert (built.returncode == 0) == COMPILED, "python hatch_build.py builds it"
    ours = (Records, Stamp, count_elsewhere, encode_headers)
    python = (records_python.Records, records_python.Stamp, partitioning.count_elsewhere, records_python.encode_headers)
    assert all((one is not other) == COMPILED for one, other in zip(ours, python, strict=True))


@settings(deadline=None)
@given(ROWS)
def test_records_are_those_aiokafka_writes(rows: list[tuple[Any, ...]]) -> None:
    compiled, python = Records(10_000_000), records_python.Records(10_000_000)
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10_000_000)
    for number, (key, value, headers, timestamp) in enumerate(rows):
        encoded = encode_headers(headers)
        assert encoded == encode_headers(tuple(headers)) == records_python.encode_headers(headers)
        assert compiled.add(key, value, encoded, timestamp)
        assert python.add(key, value, encoded, timestamp)
        builder.append(number, timestamp, key, value, headers)
    assert state(compiled) == state(python)
    assert compiled.count == len(rows)
    if rows:
        assert compiled.take() == python.take() == bytes(builder.build())[61:]


def state(records: Records) -> tuple[int, int, int, int]:
    return records.count, records.size, records.first_ms, records.last_ms


@settings(deadline=None, max_examples=300)
@given(st.lists(ENRICHED, min_size=1, max_size=4), st.sampled_from(EventType), st.integers(0, 1023))
def test_enriched_records_have_the_value_and_the_headers_of_the_contract(
    rows: list[dict[str, Any]], event: EventType, partition: int
) -> None:
    headers_of = template(event, partition, topic_id="452967de-70c6-41b1-9202-29a8e8583a91")
    compiled, python = Records(10_000_000), records_python.Records(10_000_000)
    plain = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 10_000_000)
    stamp, slow = stamp_of(headers_of), python_stamp(headers_of)
    for number, row in enumerate(rows):
        assert compiled.add_enriched(stamp, *(row[name] for name in PARTS))
        assert python.add_enriched(slow, *(row[name] for name in PARTS))
        value, marks = layout.finish(
            row["body"], row["flags"], row["book"],
            canonical_end=row["canonical_end"], updated_at_ms=row["updated_ms"], digest=row["digest"],
        )  # fmt: skip
        headers = [
            *headers_of.headers(row["offset"], row["book"], row["input_ms"], row["trace"]), (layout.HEADER, marks),
        ]  # fmt: skip
        if row["adds"]:
            headers.append((contribution.HEADER, row["adds"]))
        plain.append(number, row["output_ms"], row["key"], value, headers)
    assert state(compiled) == state(python)
    assert compiled.take() == python.take() == bytes(plain.build())[61:]


def test_outputs_that_share_an_input_have_ids_of_their_own() -> None:
    ids = []
    for subject in (None, "model:a", "model:b"):
        records = Records(0)
        row = (b"k", b"{", b"[]", "1.0.-1.2026-09-29", 1, None, bytes(16), 5, 7, 7, None, b"")
        assert records.add_enriched(stamp_of(template(), subject), *row)
        headers_of = template()
        headers = (
            headers_of.headers(5, "1.0.-1.2026-09-29", 7)
            if subject is None
            else headers_of.headers_of(subject, 5, "1.0.-1.2026-09-29", 7)
        )
        ids.append(dict(headers)["ce_id"])
        assert ids[-1] in records.take()
    assert len(set(ids)) == 3


@pytest.mark.parametrize("kind", [Records, records_python.Records])
def test_a_full_batch_takes_no_more_but_its_first_record_whatever_its_size(kind: type[Records]) -> None:
    records = kind(100)
    assert records.add(b"k", b"v" * 500, b"\0", 1)
    held = state(records)
    assert not records.add(b"k", b"v", b"\0", 9)
    assert state(records) == held
    small = kind(100)
    while small.add(b"k", b"v" * 20, b"\0", 1):
        assert small.size <= 100
    assert small.count == 3


@pytest.mark.parametrize("kind", [Records, records_python.Records])
def test_what_was_taken_is_held_no_more(kind: type[Records]) -> None:
    records = kind(100)
    records.add(b"k", b"v", b"\0", 4)
    assert records.take()
    assert (records.take(), state(records)) == (b"", (1, 0, 4, 4))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=60), st.integers(0, 9), st.integers(1, 9))
def test_partitions_are_counted_alike(keys: list[bytes], partition: int, partitions: int) -> None:
    assert count_elsewhere(keys, partition, partitions) == partitioning.count_elsewhere(keys, partition, partitions)


@given(st.binary(max_size=700), st.sampled_from([b"[]", b"", b"x" * 130]))
def test_digests_are_blake2b_whatever_makes_them(body: bytes, flags: bytes) -> None:
    joined = b'%b,"flags":%b' % (body, flags)
    assert layout.digest_of(body, flags) == blake2b(joined, digest_size=16).digest()
