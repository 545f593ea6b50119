"""How fast a state is restored, read and scanned, and what it takes: `python -m tests.wire.state.measure [KEYS]`.

Loads KEYS enriched vehicles (a million, on 8 partitions) into an embedded broker, restores them in a process of its
own from nothing, closes, and restores again from the checkpoint. Prints one line a figure. `make bench ONLY=state`
measures a whole worker's restore; this one looks closer.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from schemas.enriched import OWNED_FIELDS_VEHICLE
from streams.broker import EmbeddedKafka
from streams.settings import Settings
from streams.state.order import NO_BOOK
from streams.state.partition import Place, RocksState
from streams.state.store import StateStore
from streams.topics import VEHICLES_ENRICHED
from tests.bench.held import fill
from tests.wire import kafka_io

PARTITIONS = 8


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


def read(store: StateStore) -> None:
    """Scans and random reads."""
    states = list(store.states)
    keys: list[tuple[RocksState, bytes]] = []
    for label, canonical in (("heads", False), ("whole", True)):
        started = time.perf_counter()
        keys.clear()
        for state in states:
            after: bytes | None = None
            while True:
                records, after, *_ = state.scan(after, canonical=canonical, limit=500)
                keys += [(state, key) for key, _ in records]
                if after is None:
                    break
        print(f"scan.{label}_per_second {len(keys) / (time.perf_counter() - started):.0f} ({len(keys)} records)")
    started = time.perf_counter()
    passed = 0
    for state in states:
        after = None
        while True:
            _, after, looked, _ = state.scan(after, below=NO_BOOK, limit=500)
            passed += looked
            if after is None:
                break
    print(f"scan.none_below_per_second {passed / (time.perf_counter() - started):.0f}")
    asked = random.sample(keys, min(len(keys), 100_000))
    started = time.perf_counter()
    missing = sum(state.held(key) is None for state, key in asked)
    print(f"held_per_second {len(asked) / (time.perf_counter() - started):.0f} ({missing} missing)")
    started = time.perf_counter()
    missing = sum(state.canonical(key) is None for state, key in asked)
    print(f"canonical_per_second {len(asked) / (time.perf_counter() - started):.0f} ({missing} missing)")
    by_state: dict[int, list[bytes]] = {number: [] for number in range(len(states))}
    for state, key in asked:
        by_state[states.index(state)].append(key)
    print(f"disk_mb {sum(state.disk_bytes() for state in states) / 1e6:.0f}")
    print(f"keys_about {sum(state.estimate() for state in states)}")


async def child(settings: Settings, label: str) -> None:
    """One process' restore and reads."""
    store = await restore(settings, label)
    if label == "warm":
        read(store)
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
        asyncio.run(child(settings, label))
        return
    with EmbeddedKafka() as kafka, tempfile.TemporaryDirectory() as directory:
        settings = Settings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix="m.", partitions=PARTITIONS)
        kafka_io.create_topics(settings, [VEHICLES_ENRICHED])
        started = time.perf_counter()
        size = fill(settings, arguments.keys)
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
