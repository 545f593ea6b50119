"""A load at a fixed rate and its readers, each a process of its own: `python -m tests.bench.load WHAT ...`.

Every record carries the time at which it was *due*, as its Kafka timestamp, which lotrisk passes on: a generator that
is held up sends late what was due, and the delay counts (no coordinated omission). The reader reads `read_committed`.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

from tests.bench.payload import Payload

SERVERS = os.environ.get("LOTRISK_BOOTSTRAP_SERVERS", "")
PREFIX = os.environ.get("LOTRISK_TOPIC_PREFIX", "")
PARTITIONS = int(os.environ.get("LOTRISK_PARTITIONS", "4"))
LATE_MS = 3000
"""How long the last records due may take to arrive."""
TICK_SECONDS = 0.002
"""The generator looks at the clock this often; what was due meanwhile is sent at once."""


def send(payload: Payload, rate: float, seconds: float, start: float, linger_ms: float = 1) -> None:
    """Send `rate` records a second from Unix time `start` on for `seconds`; raises SystemExit where one is refused."""
    from confluent_kafka import Producer  # type: ignore[import-not-found]  # in the rivals' environment

    producer = Producer(
        {
            "bootstrap.servers": SERVERS, "compression.type": "zstd", "linger.ms": linger_ms, "acks": "all",
            "queue.buffering.max.messages": 1_000_000, "enable.idempotence": True,
        }
    )  # fmt: skip
    failures: list[object] = []

    def delivered(error: object, _: object) -> None:
        if error is not None:
            failures.append(error)

    records: Iterator[tuple[bytes, bytes]] = payload.records()
    producer.list_topics(f"{PREFIX}dms.vehicles", timeout=10)
    sent, total = 0, int(rate * seconds)
    while sent < total:
        due = min(total, int((time.time() - start) * rate))
        while sent < due:
            key, value = next(records)
            producer.produce(
                f"{PREFIX}dms.vehicles", key=key, value=value, partition=sent % PARTITIONS,
                timestamp=int((start + sent / rate) * 1000), on_delivery=delivered,
            )  # fmt: skip
            sent += 1
        producer.poll(0)
        time.sleep(TICK_SECONDS)
    producer.flush()
    if failures:
        raise SystemExit(f"{len(failures)} records were refused, first: {failures[0]}")


def fill(payload: Payload, count: int) -> None:
    """Send `count` records as fast as it goes."""
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": SERVERS, "compression.type": "zstd", "linger.ms": 20, "batch.size": 500_000,
            "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 2_000_000,
            "enable.idempotence": True,
        }
    )  # fmt: skip
    records = payload.records()
    for number in range(count):
        key, value = next(records)
        producer.produce(f"{PREFIX}dms.vehicles", key=key, value=value, partition=number % PARTITIONS)
        if not number % 1000:
            producer.poll(0)
    if producer.flush(120):
        raise SystemExit("the backlog was not taken in time")


def read(count: int) -> None:
    """Print, as JSON, the latencies in ms of `count` records that come from now on.

    Two Unix times on standard input say from when on a due record counts, and when to give up.
    """
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": SERVERS, "group.id": "latency-reader", "isolation.level": "read_committed",
            "enable.auto.commit": False, "fetch.wait.max.ms": 100, "fetch.min.bytes": 1, "fetch.queue.backoff.ms": 1,
        }
    )  # fmt: skip
    topic = f"{PREFIX}vehicles.enriched"
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place, timeout=10)[1]
    consumer.assign(places)
    print("reading", flush=True)
    warm_until, deadline = map(float, sys.stdin.readline().split())
    seen, latencies, warm_ms = 0, [], warm_until * 1000
    while seen < count and time.time() < deadline:
        messages = consumer.consume(1000, timeout=0.005)
        now = time.time() * 1000
        for message in messages:
            if message.error() is not None:
                raise SystemExit(str(message.error()))
            timestamp = message.timestamp()[1]
            if timestamp >= warm_ms:
                latencies.append(round(now - timestamp, 1))
        seen += len(messages)
    consumer.close()
    print(json.dumps({"seen": seen, "latencies": latencies}), flush=True)


def follow(prefix: str) -> None:
    """Print, as JSON, the latencies in ms of the records whose key begins with `prefix`, from now on until told.

    Unix times on standard input, ascending, say when those of interest were due: a list of latencies from each until
    the next.
    """
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": SERVERS, "group.id": "live-reader", "isolation.level": "read_committed",
            "enable.auto.commit": False, "fetch.wait.max.ms": 100, "fetch.min.bytes": 1, "fetch.queue.backoff.ms": 1,
        }
    )  # fmt: skip
    topic, wanted = f"{PREFIX}vehicles.enriched", prefix.encode()
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place, timeout=10)[1]
    consumer.assign(places)
    print("reading", flush=True)
    seen: dict[bytes, tuple[int, float]] = {}
    told: str | None = None
    last_ms = float("inf")
    while told is None or time.time() * 1000 < last_ms + LATE_MS:
        messages = consumer.consume(1000, timeout=0.005)
        now = time.time() * 1000
        for message in messages:
            key = message.key() or b""
            # A second one under a key is the record rated again.
            if key.startswith(wanted) and key not in seen:
                seen[key] = (message.timestamp()[1], now)
        if told is None and select.select([sys.stdin], [], [], 0)[0]:
            told = sys.stdin.readline()
            last_ms = float(told.split()[-1]) * 1000
    consumer.close()
    times = [float(moment) * 1000 for moment in told.split()]
    spans = [
        [round(now - due, 1) for due, now in seen.values() if first <= due <= last] for first, last in pairwise(times)
    ]
    print(json.dumps(spans), flush=True)


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "send":
        send(Payload(arguments[0]), *map(float, arguments[1:]))
    elif what == "follow":
        follow(arguments[0])
    elif what == "fill":
        fill(Payload(arguments[0]), int(arguments[1]))
    else:
        read(int(arguments[0]))
