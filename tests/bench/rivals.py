"""The contenders lotrisk is measured against, each a process: `python -m tests.bench.rivals NAME light|real`.

Each is tuned as its own documentation advises for throughput, with the same compression (zstd at lotrisk's level),
batches of 900 KB where it has such a setting, and the same headers. `SETTINGS` is printed in the report.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from functools import partial

from aiokafka.codec import zstd_encode
from aiokafka.record import default_records
from aiokafka.record._crecords import default_records as compiled_records

from schemas.cloudevents import HeaderTemplate
from streams.transport.wire import ZSTD_LEVEL
from tests.bench.light import header_template, job

SERVERS = os.environ.get("LOTRISK_BOOTSTRAP_SERVERS", "")
PREFIX = os.environ.get("LOTRISK_TOPIC_PREFIX", "")
GROUP = os.environ.get("LOTRISK_GROUP", "")
SOURCE = f"{PREFIX}dms.vehicles"
SINK = f"{PREFIX}vehicles.enriched"
BOOK = "1.0.-1.2026-10-01"

SETTINGS = {
    "raw_batch_loop": "aiokafka getmany/create_batch/send_batch, zstd, batch 900 KB, idempotent, commit a poll",
    "raw_transactions": "the same, one transactional producer, one transaction a poll",
    "confluent": "confluent-kafka consume(5000)/produce, zstd, linger 20 ms, batch 900 KB, queue 500k, idempotent, "
    "commit a poll",
    "quix": "Quix Streams, at least once, commit_every 5,000, zstd, linger 20 ms, batch 900 KB, bytes in and out",
    "stock_faust": "Faust kafka:// driver, agent with await topic.send, zstd, linger 20 ms, batch 900 KB, uvloop",
}


Work = Callable[[bytes | None, bytes], bytes]


def raw_batch_loop(work: Work, *, transactions: bool = False) -> None:
    """aiokafka alone: the ceiling of what a Python process on this protocol reaches."""
    import uvloop
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    async def main() -> None:
        consumer = AIOKafkaConsumer(
            SOURCE, bootstrap_servers=SERVERS, group_id=GROUP, enable_auto_commit=False, auto_offset_reset="earliest",
            max_partition_fetch_bytes=2 * 1_048_576, fetch_max_wait_ms=100, isolation_level="read_committed",
        )  # fmt: skip
        more = {"transactional_id": GROUP} if transactions else {"enable_idempotence": True}
        producer = AIOKafkaProducer(
            bootstrap_servers=SERVERS, compression_type="zstd", max_batch_size=900_000, linger_ms=0, acks="all", **more
        )
        await producer.start()
        await consumer.start()
        templates: dict[TopicPartition, HeaderTemplate] = {}
        while True:
            fetched = await consumer.getmany(timeout_ms=200, max_records=5000)
            if not fetched:
                continue
            if transactions:
                await producer.begin_transaction()
            futures, offsets = [], {}
            for tp, records in fetched.items():
                template = templates.setdefault(tp, header_template(SOURCE, tp.partition))
                builder = producer.create_batch()
                for record in records:
                    arguments = {
                        "timestamp": record.timestamp, "key": record.key, "value": work(record.key, record.value),
                        "headers": template.headers(record.offset, BOOK, record.timestamp),
                    }  # fmt: skip
                    if builder.append(**arguments) is None:
                        builder.close()
                        futures.append(await producer.send_batch(builder, SINK, partition=tp.partition))
                        builder = producer.create_batch()
                        builder.append(**arguments)
                builder.close()
                futures.append(await producer.send_batch(builder, SINK, partition=tp.partition))
                offsets[TopicPartition(tp.topic, tp.partition)] = records[-1].offset + 1
            await asyncio.gather(*futures)
            if transactions:
                await producer.send_offsets_to_transaction(offsets, GROUP)
                await producer.commit_transaction()
            else:
                await consumer.commit(offsets)

    uvloop.run(main())


def confluent(work: Work) -> None:
    """The client most Python programs use, in a plain loop over records."""
    from confluent_kafka import Consumer, Producer  # type: ignore[import-not-found]  # in the rivals' environment

    consumer = Consumer(
        {
            "bootstrap.servers": SERVERS, "group.id": GROUP, "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "fetch.wait.max.ms": 100, "isolation.level": "read_committed",
        }
    )  # fmt: skip
    producer = Producer(
        {
            "bootstrap.servers": SERVERS, "compression.type": "zstd", "compression.level": ZSTD_LEVEL, "linger.ms": 20,
            "batch.size": 900_000, "queue.buffering.max.messages": 500_000, "enable.idempotence": True,
        }
    )  # fmt: skip
    consumer.subscribe([SOURCE])
    failures = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failures.append(error)

    templates: dict[int, HeaderTemplate] = {}
    while True:
        messages = consumer.consume(5000, timeout=0.2)
        for message in messages:
            partition = message.partition()
            template = templates.get(partition) or templates.setdefault(partition, header_template(SOURCE, partition))
            timestamp = message.timestamp()[1]
            producer.produce(
                SINK, key=message.key(), value=work(message.key(), message.value()), partition=partition,
                timestamp=timestamp, headers=template.headers(message.offset(), BOOK, timestamp), on_delivery=delivered,
            )  # fmt: skip
        if messages:
            producer.flush()
            if failures:
                raise SystemExit(failures[0])
            consumer.commit(asynchronous=False)


def quix(work: Work) -> None:
    """Quix Streams: a streaming framework on confluent-kafka."""
    from quixstreams import Application  # type: ignore[import-not-found]  # in the rivals' environment

    app = Application(
        broker_address=SERVERS, consumer_group=GROUP, auto_offset_reset="earliest", commit_every=5000,
        commit_interval=1.0, auto_create_topics=False, loglevel="WARNING",
        producer_extra_config={"compression.type": "zstd", "compression.level": ZSTD_LEVEL, "linger.ms": 20,
                               "batch.size": 900_000, "queue.buffering.max.messages": 500_000},
        consumer_extra_config={"fetch.wait.max.ms": 100},
    )  # fmt: skip
    source = app.topic(SOURCE, value_deserializer="bytes", key_deserializer="bytes")
    sink = app.topic(SINK, value_serializer="bytes", key_serializer="bytes")
    template = header_template(SOURCE, 0)
    frame = app.dataframe(source)
    frame = frame.apply(lambda value, key, timestamp, headers: work(key, value), metadata=True)
    frame = frame.set_headers(lambda value, key, timestamp, headers: template.headers(0, BOOK, timestamp))
    frame.to_topic(sink)
    app.run()


def stock_faust(work: Work) -> None:
    """Faust as its documentation shows it: one event, one awaited send."""
    import faust
    import uvloop

    uvloop.install()
    app = faust.App(
        GROUP, broker=f"kafka://{SERVERS}", web_enabled=False, topic_disable_leader=True, topic_allow_declare=False,
        producer_compression_type="zstd", producer_linger=0.02, producer_max_batch_size=900_000,
        consumer_auto_offset_reset="earliest", broker_max_poll_records=5000, stream_wait_empty=False,
        broker_session_timeout=10.0, broker_heartbeat_interval=2.0, broker_rebalance_timeout=15.0,
        store="memory://", datadir=os.environ["LOTRISK_STATE_DIR"],
    )  # fmt: skip
    source = app.topic(SOURCE, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
    sink = app.topic(SINK, key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
    template = header_template(SOURCE, 0)

    @app.agent(source)  # type: ignore[untyped-decorator]  # Faust ships no types
    async def enrich(stream: faust.StreamT) -> None:
        async for event in stream.events():
            message = event.message
            await sink.send(
                key=message.key, value=work(message.key, event.value), partition=message.partition,
                timestamp=message.timestamp,
                headers=template.headers(message.offset, BOOK, int(message.timestamp * 1000)),
            )  # fmt: skip

    app.worker_init()
    worker = faust.Worker(app, loglevel="ERROR")
    worker.execute_from_commandline()


RIVALS: dict[str, Callable[[Work], None]] = {
    "raw_batch_loop": raw_batch_loop,
    "raw_transactions": lambda work: raw_batch_loop(work, transactions=True),
    "confluent": confluent,
    "quix": quix,
    "stock_faust": stock_faust,
}

if __name__ == "__main__":
    for records in (default_records, compiled_records):  # aiokafka, and with it Faust, has no setting for it
        records.zstd_encode = partial(zstd_encode, level=ZSTD_LEVEL)
    RIVALS[sys.argv[1]](job(sys.argv[2]))
