"""How fast a state is restored, read and scanned, and what it takes: `python -m tests.wire.state.measure [KEYS]`.

Loads KEYS enriched records (a million, 2.4 KB each, on 8 partitions) into an embedded broker, restores them in a
process of its own from nothing, closes, and restores again from the checkpoint. Prints one line a figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

from schemas.enriched import OWNED_FIELDS_VEHICLE
from streams.broker import EmbeddedKafka
from streams.connection import aiokafka_options
from streams.policy.book import BookNumber
from streams.settings import Settings
from streams.state.layout import HEADER, finish
from streams.state.partition import Place
from streams.state.store import StateStore
from streams.topics import VEHICLES_ENRICHED
from tests.wire import kafka_io
from tests.wire.state.publishing import BOOK, Published, car

PARTITIONS = 8
WORDS = [f"{word}-{number}" for number in range(400) for word in ("low", "central", "high", "origin", "duty", "magnet")]


def _record(number: int, chance: random.Random) -> Published:
    """2.4 KB that compress about as enriched records do: 0.9 KB canonical, 1.5 KB of lotrisk's members."""
    made = car(f"1HGCM{number:012d}", number)
    assert made.value is not None
    filler = json.dumps({word: chance.randrange(10**6) for word in chance.sample(WORDS, 60)})[1:-1]
    members = json.dumps({word: chance.randrange(100) for word in chance.sample(WORDS[:360], 92)})
    canonical = b'{"dealer_id":"D1","vin":"%017d",%b' % (number, filler[:850].rsplit(",", 1)[0].encode())
    body = canonical + b',"origin":' + members.encode()
    value, layout = finish(
        body, b'[{"type":"replacement_cost_up"}]', str(BOOK), canonical_end=len(canonical), updated_at_ms=number
    )
    return made._replace(value=value, headers=[made.headers[0], (HEADER, layout)])


async def load(settings: Settings, keys: int) -> int:
    """Publish the records; returns the mean size of a value."""
    chance = random.Random(1)
    templates = [_record(number, chance) for number in range(500)]
    producer = AIOKafkaProducer(
        acks="all", compression_type="zstd", max_batch_size=900_000, **aiokafka_options(settings)
    )
    topic = VEHICLES_ENRICHED.full_name(settings.topic_prefix)
    await producer.start()
    size = 0
    builders = {}
    waiting = []
    for number in range(keys):
        template = templates[chance.randrange(500)]
        partition = number % PARTITIONS
        assert template.value is not None
        tag = b"%017d" % number
        value = b"%b%b%b" % (template.value[: 24 + 7], tag, template.value[24 + 7 + 17 :])
        size += len(value)
        arguments = {"key": b"D1:" + tag, "value": value, "headers": template.headers, "timestamp": None}
        builder = builders.get(partition)
        if builder is None or builder.append(**arguments) is None:
            if builder is not None:
                builder.close()
                waiting.append(await producer.send_batch(builder, topic, partition=partition))
            builders[partition] = builder = producer.create_batch()
            builder.append(**arguments)
    for partition, builder in builders.items():
        builder.close()
        waiting.append(await producer.send_batch(builder, topic, partition=partition))
    await asyncio.gather(*waiting)
    await producer.stop()
    return size // max(1, keys)


async def restore(settings: Settings, label: str) -> StateStore:
    """Restore every partition, and print how long it took and the longest the event loop was held."""
    store = StateStore(settings)
    topic = VEHICLES_ENRICHED.full_name(settings.topic_prefix)
    states = [store.state(Place(f"{topic}.in", topic, number, OWNED_FIELDS_VEHICLE)) for number in range(PARTITIONS)]
    held: list[float] = []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            held.append(time.perf_counter() - before - 0.001)

    watching = asyncio.create_task(watch())
    started = time.perf_counter()
    await store.restore(states)
    seconds = time.perf_counter() - started
    busy = time.thread_time()
    watching.cancel()
    held.sort()
    print(f"restore.{label}_seconds {seconds:.2f}")
    print(f"restore.{label}_cpu_seconds {busy:.2f}, {time.process_time():.2f} with RocksDB's threads")
    told = {"p50": held[len(held) // 2], "p99": held[len(held) * 99 // 100], "max": held[-1]}
    print(f"restore.{label}_loop_held_ms {' '.join(f'{name} {seconds * 1000:.1f}' for name, seconds in told.items())}")
    return store


def read(store: StateStore, keys: int) -> None:
    """Scans and random reads."""
    states = list(store.states)
    for label, canonical in (("heads", False), ("whole", True)):
        started = time.perf_counter()
        found = 0
        for state in states:
            after: bytes | None = None
            while True:
                records, after, _ = state.scan(after, canonical=canonical, limit=500)
                found += len(records)
                if after is None:
                    break
        print(f"scan.{label}_per_second {found / (time.perf_counter() - started):.0f} ({found} records)")
    started = time.perf_counter()
    passed = 0
    for state in states:
        after = None
        while True:
            _, after, looked = state.scan(after, below=BOOK, limit=500)
            passed += looked
            if after is None:
                break
    print(f"scan.none_below_per_second {passed / (time.perf_counter() - started):.0f}")
    wanted = [random.randrange(keys) for _ in range(min(keys, 100_000))]
    asked = [(states[number % PARTITIONS], b"D1:%017d" % number) for number in wanted]
    started = time.perf_counter()
    missing = sum(state.held(key) is None for state, key in asked)
    print(f"held_per_second {len(asked) / (time.perf_counter() - started):.0f} ({missing} missing)")
    started = time.perf_counter()
    missing = sum(state.canonical(key) is None for state, key in asked)
    print(f"canonical_per_second {len(asked) / (time.perf_counter() - started):.0f} ({missing} missing)")
    by_state: dict[int, list[bytes]] = {}
    for state, key in asked:
        by_state.setdefault(state.place.partition, []).append(key)
    started = time.perf_counter()
    for number, some in by_state.items():
        for first in range(0, len(some), 200):
            states[number].rebook(some[first : first + 200], BookNumber.parse("2.0.-1.2026-09-29"))
    print(f"rebook_per_second {len(asked) / (time.perf_counter() - started):.0f}")
    print(f"disk_mb {sum(state.disk_bytes() for state in states) / 1e6:.0f}")
    print(f"keys_about {sum(state.estimate() for state in states)}")


async def child(settings: Settings, keys: int, label: str) -> None:
    """One process' restore and reads."""
    store = await restore(settings, label)
    if label == "warm":
        read(store, keys)
    store.close()
    print(f"rss_mb.{label} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} (peak)")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("keys", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--child", nargs=3, metavar=("LABEL", "SERVERS", "DIRECTORY"))
    arguments = parser.parse_args()
    if arguments.child:
        label, servers, directory = arguments.child
        settings = Settings(
            bootstrap_servers=servers, state_dir=Path(directory), topic_prefix="m.", partitions=PARTITIONS
        )
        asyncio.run(child(settings, arguments.keys, label))
        return
    with EmbeddedKafka() as kafka, tempfile.TemporaryDirectory() as directory:
        settings = Settings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix="m.", partitions=PARTITIONS)
        kafka_io.create_topics(settings, [VEHICLES_ENRICHED])
        started = time.perf_counter()
        size = asyncio.run(load(settings, arguments.keys))
        print(f"{arguments.keys} records of {size} bytes loaded in {time.perf_counter() - started:.0f} s", flush=True)
        for label in ("cold", "warm"):
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "tests.wire.state.measure",
                    str(arguments.keys),
                    "--child",
                    label,
                    kafka.bootstrap_servers,
                    directory,
                ],
                check=True,
            )


if __name__ == "__main__":
    main()
