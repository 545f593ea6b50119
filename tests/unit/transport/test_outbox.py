"""Drafts: whole batches for each topic, and which records a topic takes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from aiokafka import TopicPartition
from aiokafka.errors import ConcurrentTransactions
from aiokafka.producer.sender import AddPartitionsToTxnHandler
from aiokafka.protocol.transaction import AddPartitionsToTxnResponse_v0
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cloudevents import EventType, HeaderTemplate
from schemas.dead_letter import DETAIL_MAX_CHARACTERS, dead_letter_headers
from streams.settings import Settings
from streams.topics import INPUT_MAX_BYTES, OUTPUT_MAX_BYTES
from streams.transport.batch import Headers
from streams.transport.outbox import REFUSED_SECONDS, Draft, Outbox, fits
from streams.transport.records import encode_headers
from streams.transport.wire import BATCH_BYTES

FINAL, FIRST = "vehicles.enriched", "dms.vehicles.dlq"


def record_fits(key: bytes | None, value: bytes | None, headers: Headers) -> bool:
    return fits(lambda trial: trial.add(key, value, encode_headers(headers), 1))


def with_draft(scene: Callable[[Draft], Awaitable[None]]) -> None:
    """Run `scene` with a draft of a producer that is never started: building batches needs no broker."""

    async def run() -> None:
        await scene(Outbox(Settings(), None).draft())

    asyncio.run(run())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([FINAL, FIRST]), st.integers(0, 400_000)), max_size=30))
def test_every_record_is_in_a_batch_of_its_topic(records: list[tuple[str, int]]) -> None:
    async def scene(draft: Draft) -> None:
        for topic, size in records:
            draft.add(topic, b"k", b"x" * size, [], 1)
        assert draft.records == len(records)
        first, final = await draft.batches(last=FINAL)
        held: Counter[str] = Counter()
        for topic, builder in (*first, *final):
            held[topic] += builder.record_count()
            assert builder.size() <= BATCH_BYTES, "compressed, and no record here is larger than a batch"
        assert held == Counter(topic for topic, _ in records)
        assert {topic for topic, _ in final} <= {FINAL}
        assert {topic for topic, _ in first} <= {FIRST}

    with_draft(scene)


def test_a_record_larger_than_a_batch_gets_one_of_its_own() -> None:
    async def scene(draft: Draft) -> None:
        for value in (b"small", b"x" * (BATCH_BYTES + 1), b"small"):
            draft.add(FINAL, b"k", value, [], 1)
        _, final = await draft.batches(last=FINAL)
        assert [builder.record_count() for _, builder in final] == [1, 1, 1]

    with_draft(scene)


@settings(deadline=None)
@given(st.integers(0, 2000), st.integers(0, 2000))
def test_a_record_fits_up_to_the_topics_limit(key: int, header: int) -> None:
    room = OUTPUT_MAX_BYTES - key - header - len("name") - 32 - 512
    headers = [("name", b"h" * header)]
    assert record_fits(b"k" * key, b"v" * room, headers)
    assert not record_fits(b"k" * key, b"v" * (room + 32), headers), "but for the lengths in it"


def test_a_tombstone_fits() -> None:
    assert record_fits(b"k", None, [])


def test_the_largest_input_fits_as_a_dead_letter_and_unchanged_as_an_enriched_record() -> None:
    key, value = b"k" * 100, b"v" * (INPUT_MAX_BYTES - 100)
    detail = dead_letter_headers(
        [], reason="not_json", detail="ö" * DETAIL_MAX_CHARACTERS, topic="t" * 249, partition=1023, offset=2**63 - 1,
        timestamp_ms=0, version="1" * 64,
    )  # fmt: skip
    assert record_fits(key, value, detail)
    template = HeaderTemplate(EventType.VEHICLE_ENRICHED, "t" * 249, "i" * 36, 1023)
    assert record_fits(key, value, template.headers(2**63 - 1, "1.0.-1.2026-09-29", 2**62, b"t" * 55))


def test_a_transaction_refused_until_the_last_ones_markers_are_written_is_tried_again_at_once() -> None:
    async def run() -> float | None:
        producer = Outbox(Settings(), "id")._producer
        answer = AddPartitionsToTxnResponse_v0(0, [(FINAL, [(0, ConcurrentTransactions.errno)])])
        asked = AddPartitionsToTxnHandler(producer._sender, {TopicPartition(FINAL, 0)})
        pause: float | None = asked.handle_response(answer)
        return pause

    assert asyncio.run(run()) == REFUSED_SECONDS
