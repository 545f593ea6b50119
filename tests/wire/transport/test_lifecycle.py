"""A worker that starts without topics, one that is told to stop, and one that just runs."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from streams.connection import aiokafka_options
from streams.settings import Settings
from streams.topics import VEHICLES_ENRICHED
from tests.rehearsal.accounts import account
from tests.rehearsal.fleet import Fleet, wait_until
from tests.rehearsal.ground import Ground, SteadyLoad, load
from tests.rehearsal.rehearsal import Rehearsal, play
from tests.wire.conftest import Broker


def test_a_worker_without_topics_says_what_to_do(broker: Broker, tmp_path: Path) -> None:
    environment = {
        "LOTRISK_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "LOTRISK_TOPIC_PREFIX": "nothing.here.",
        "LOTRISK_WEB_PORT": "0",
    }
    with Fleet(environment, tmp_path) as fleet:
        worker = fleet.start("a", restart=False)
        wait_until(lambda: not worker.alive, 20, "the worker ends", fleet.said)
        assert worker.process.returncode == 1
        for topic in ("dms.vehicles", "vehicles.enriched", "dms.vehicles.dlq"):
            assert f"nothing.here.{topic} does not exist" in worker.said()
        assert "Run `lotrisk topics apply`" in worker.said()
        assert "Traceback" not in worker.said()


def test_sigterm_drains_within_ten_seconds_and_the_other_takes_over_at_once(broker: Broker, tmp_path: Path) -> None:
    """The batch in work is finished and committed; the group is left, so that nobody waits for the session to end."""

    def scene(rehearsal: Rehearsal) -> None:
        status, seconds = rehearsal.fleet.stop("a")
        assert (status, seconds < 10) == (0, True), f"{status} after {seconds:.1f} s\n{rehearsal.fleet.said()}"
        rehearsal.moves_on(15)

    slow = "batch.delivered=sleep:1000"
    for played in play(
        broker.bootstrap_servers,
        tmp_path,
        scene,
        record=load(poison_every=1000),
        failpoints=slow,
        session_timeout_seconds=60,
        rebalance_timeout_seconds=30,
        drain_seconds=6,
    ):
        played.balances()
        assert played.books.duplicates == [], f"{played.guarantee}: what was in work is committed when it stops"
        assert played.exits == {0: 1}


def test_sigterm_before_the_group_lets_a_worker_in(broker: Broker, tmp_path: Path) -> None:
    """The only other member is stopped, so that the group waits for it as long as its session holds."""
    with (
        Ground(broker.bootstrap_servers, session_timeout_seconds=60, rebalance_timeout_seconds=60) as ground,
        Fleet(ground.environment(), tmp_path) as fleet,
    ):
        ground.put(100, load())
        other = fleet.start("a")
        ground.wait_for_no_lag(30, fleet.said)
        other.send(signal.SIGSTOP)
        worker = fleet.start("b")
        wait_until(lambda: "ConsumerThread]: Starting" in worker.said(), 30, "it joins", fleet.said)
        status, seconds = fleet.stop("b")
        assert (status, seconds < 10) == (0, True), f"{status} after {seconds:.1f} s\n{fleet.said()}"


def test_latency_does_not_grow_at_two_thousand_a_second(broker: Broker, tmp_path: Path) -> None:
    """Batches that wait are joined: without that each is paid for alone and the queue grows without bound."""
    with Ground(broker.bootstrap_servers) as ground, Fleet(ground.environment(), tmp_path) as fleet:
        fleet.start("a")
        with SteadyLoad(ground, load(), 2000):
            ground.wait_for_progress(30, fleet.said)
            seconds = asyncio.run(_latencies(ground.settings, 16_000))
        ground.wait_for_no_lag(30, fleet.said)
        account(ground.settings).balance()
    third = len(seconds) // 3
    first, last = _percentile(seconds[:third], 50), _percentile(seconds[-third:], 50)
    print(f"p50 {_percentile(seconds, 50):.3f} s, p99 {_percentile(seconds, 99):.3f} s, {first:.3f} then {last:.3f}")
    assert last < max(2 * first, 0.5), f"the median went from {first:.3f} to {last:.3f} s"


async def _latencies(settings: Settings, count: int) -> list[float]:
    consumer = AIOKafkaConsumer(
        VEHICLES_ENRICHED.full_name(settings.topic_prefix),
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="latest",
        **aiokafka_options(settings),
    )
    await consumer.start()
    found: list[float] = []
    deadline = time.monotonic() + 60
    try:
        while len(found) < count:
            assert time.monotonic() < deadline, f"only {len(found):,} of {count:,} records came in a minute"
            for records in (await consumer.getmany(timeout_ms=200)).values():
                now = time.time()
                found += [now - record.timestamp / 1000 for record in records]
    finally:
        await consumer.stop()
    return found


def _percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
