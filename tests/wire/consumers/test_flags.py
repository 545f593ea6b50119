"""The reference consumer on real Kafka: killed at any moment it misses nothing and does nothing twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaProducer

from schemas.cloudevents import EventType, HeaderTemplate
from streams.connection import aiokafka_options
from streams.consumers.flag_store import FlagStore
from streams.settings import Settings
from streams.topics import FLAGS
from tests.wire import kafka_io
from tests.wire.kafka_io import Header
from tests.wire.policy.desk import LOTRISK, environment

TOPIC_ID = "2d1fa7c0-0000-4000-8000-000000000001"
_CHANGES = (EventType.FLAG_RAISED, EventType.FLAG_CHANGED, EventType.FLAG_CLEARED)
Event = tuple[bytes, bytes, list[Header]]


def event(number: int, keys: int = 40) -> Event:
    """The number-th event: each key's flag is raised, changed, cleared, and raised again."""
    step = number // keys
    type = _CHANGES[step % 3]
    key = f"D1:PART-{number % keys}:part_cost_up"
    headers = HeaderTemplate(type, "dms.parts", TOPIC_ID, 0).headers(number, "1.0.-1.2025-10-05", -1)
    value = (
        f'{{"type":"part_cost_up","severity":"warning","owner":"parts","action":"reprice","why":"Step {step}",'
        f'"confidence":"L","dealer_id":"D1","part_number":"PART-{number % keys}","dollars_at_stake":"10.00",'
        f'"episode":"{step // 3:032x}","change":"{type.value.rpartition(".")[2]}","book":"1.0.-1.2025-10-05"}}'
    )
    return key.encode(), value.encode(), headers


def publish(settings: Settings, events: Sequence[Event], *, abort_every: int = 0) -> None:
    """Publish in transactions of 100; before each `abort_every`-th the same records go into one that is aborted."""
    name = FLAGS.full_name(settings.topic_prefix)

    async def send() -> None:
        producer = AIOKafkaProducer(
            transactional_id=f"{settings.group}-flags", linger_ms=5, **aiokafka_options(settings)
        )
        await producer.start()
        try:
            for begin in range(0, len(events), 100):
                lost = bool(abort_every) and begin // 100 % abort_every == 0
                for aborted in (True, False) if lost else (False,):
                    await producer.begin_transaction()
                    for key, value, headers in events[begin : begin + 100]:
                        partition = key[8] % settings.partitions
                        await producer.send(name, value, key=key, headers=headers, partition=partition)
                    await (producer.abort_transaction() if aborted else producer.commit_transaction())
        finally:
            await producer.stop()

    asyncio.run(send())


def command(settings: Settings, store: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [LOTRISK, "consume", "flags", "--store", str(store), *more],
        env=environment(settings, COLUMNS="150"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def to_end(settings: Settings, store: Path) -> str:
    process = command(settings, store, "--to-end")
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 0, said
    return said


def effects(store: Path) -> list[tuple[str, str, str, str]]:
    with FlagStore(store) as held:
        return held.effects()


def done_so_far(store: Path) -> int:
    """Effects that a running reader has committed, looked at without its lock."""
    if not store.exists():
        return 0
    wal = sqlite3.connect(f"file:{store}?mode=ro&immutable=1", uri=True)
    try:
        return int(wal.execute("SELECT count(*) FROM effect").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0
    finally:
        wal.close()


def test_killed_again_and_again_it_acts_on_each_event_once(settings: Settings, tmp_path: Path) -> None:
    kafka_io.create_topics(settings, [FLAGS])
    store = tmp_path / "flags.sqlite"
    chance = random.Random(6)
    events: list[Event] = []
    kills_in_work = before = 0
    deadline = time.monotonic() + 120
    while kills_in_work < 4:
        more = [event(number) for number in range(len(events), len(events) + 4_000)]
        publish(settings, more, abort_every=3)
        events += more
        process = command(settings, store)
        goal = before + chance.randrange(1, 1500)
        while done_so_far(store) < goal:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, f"{done_so_far(store)} of {goal} effects, killed {kills_in_work} times"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        after = len(effects(store))
        # One that had already read all there was is not counted: another round.
        kills_in_work += before < after < len(events)
        before = after
    to_end(settings, store)
    done = effects(store)
    assert len(done) == len(events), "each event took effect, and what was aborted did not"
    sent = {dict(headers)["ce_id"].decode() for _, _, headers in events}
    assert {identity for identity, *_ in done} == sent
    by_key: dict[str, list[str]] = {}
    for _, key, _, did in done:
        by_key.setdefault(key, []).append(did)
    assert all(
        steps == (["begun", "adjusted", "taken back"] * len(steps))[: len(steps)] for steps in by_key.values()
    ), "in each key's order"


def test_what_at_least_once_sends_again_does_nothing_and_a_restart_goes_on(settings: Settings, tmp_path: Path) -> None:
    kafka_io.create_topics(settings, [FLAGS])
    events = [event(number) for number in range(200)]
    publish(settings, [*events[:120], *events[60:160]])
    store = tmp_path / "flags.sqlite"
    assert "60 repeated" in to_end(settings, store)
    publish(settings, [*events[100:], events[0], events[150]])
    said = to_end(settings, store)
    assert "62 repeated" in said
    assert len(effects(store)) == 200
    assert "nothing new" in to_end(settings, store)


def test_without_a_topic_or_a_broker_it_says_so(settings: Settings, tmp_path: Path) -> None:
    process = command(settings, tmp_path / "flags.sqlite", "--to-end")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "lotrisk topics apply" in said
    assert "Traceback" not in said


def test_a_terminated_reader_shows_where_it_stands_and_ends(settings: Settings, tmp_path: Path) -> None:
    kafka_io.create_topics(settings, [FLAGS])
    publish(settings, [event(number) for number in range(40)])
    store = tmp_path / "flags.sqlite"
    process = command(settings, store)
    kafka_io.wait_until(lambda: done_so_far(store) == 40, 60, what="all flags are open")
    os.kill(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "400.00" in said
