"""A broken feed pauses its lane, and a replay of dead letters can't go round for ever."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import orjson
import pytest

from schemas.dead_letter import MAX_REPLAYS
from streams.topics import VEHICLES
from tests.rehearsal.accounts import account
from tests.rehearsal.fleet import ROOT, Fleet, wait_until
from tests.rehearsal.ground import Ground
from tests.rehearsal.light import POISON
from tests.wire.conftest import Broker

LIMIT = 20
BROKEN = 1
"""The partition whose feed is broken."""


@pytest.fixture
def ground(broker: Broker) -> Iterator[Ground]:
    """Fresh topics."""
    with Ground(broker.bootstrap_servers, dlq_max_consecutive=LIMIT) as made:
        yield made


def put(ground: Ground, partition: int, values: list[bytes]) -> None:
    """Put values on one partition, each under a key of its own."""
    producer = ground.producer()
    sent = [
        producer.send(ground.name(VEHICLES), key=b"D1:%d" % number, value=value, partition=partition)
        for number, value in enumerate(values)
    ]
    producer.flush()
    for future in sent:
        future.get(timeout=30)
    producer.close()


NUMBERS = count()


def good(many: int) -> list[bytes]:
    """Records that can be enriched, no two alike: one that says nothing new publishes nothing."""
    return [orjson.dumps({"n": next(NUMBERS)}) for _ in range(many)]


def test_the_limit_pauses_one_lane_until_a_restart_with_a_higher_one(ground: Ground, tmp_path: Path) -> None:
    healthy = [number for number in range(ground.settings.partitions) if number != BROKEN]
    put(ground, BROKEN, good(10))
    with Fleet(ground.environment(), tmp_path) as fleet:
        worker = fleet.start("a")
        ground.wait_for_no_lag(30, fleet.said)
        # Poison up to one less than the limit passes; so does a good record in between.
        put(ground, BROKEN, [*[POISON] * (LIMIT - 1), *good(1), *[POISON] * (LIMIT - 1), *good(1)])
        ground.wait_for_no_lag(30, fleet.said)
        committed = ground.committed()[BROKEN]
        before = account(ground.settings)
        before.balance()
        assert before.dead_letters == 2 * (LIMIT - 1)

        put(ground, BROKEN, [*good(5), *[POISON] * LIMIT, *good(5)])
        fleet.wait_until_ready()
        wait_until(lambda: worker.get("/readyz")[0] == 503, 20, "the lane is paused", fleet.said)
        for number in healthy:
            put(ground, number, good(50))
        wait_until(lambda: ground.lag() == LIMIT + 10, 20, "the other lanes go on", fleet.said)
        put(ground, BROKEN, good(5))
        for number in healthy:
            put(ground, number, good(50))
        wait_until(lambda: ground.lag() == LIMIT + 15, 20, "they still do", fleet.said)

        assert ground.committed()[BROKEN] == committed
        assert worker.get("/livez")[0] == 200
        assert f"dms.vehicles[{BROKEN}] is paused at offset {committed}" in worker.said()
        assert "LOTRISK_DLQ_MAX_CONSECUTIVE" in worker.said()
        assert worker.counted("lotrisk_lane_paused") == 1
        books = account(ground.settings)
        assert set(books.missing) == {(BROKEN, committed + n) for n in range(LIMIT + 15)}

        # A restart without a mend meets the same batch and publishes nothing of it either.
        fleet.stop("a")
        again = fleet.start("a")
        wait_until(lambda: "is paused at offset" in again.said(), 20, "paused again", fleet.said)
        assert account(ground.settings).missing == books.missing
        fleet.stop("a")

        fleet.start("a", LOTRISK_DLQ_MAX_CONSECUTIVE=str(LIMIT + 1))
        ground.wait_for_no_lag(30, fleet.said)
    account(ground.settings).balance()


def test_a_replay_can_not_go_round_for_ever(ground: Ground, tmp_path: Path) -> None:
    def replay(*more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "streams.cli", "dlq", "replay", "vehicles", "--yes", *more],
            env=fleet.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    put(ground, BROKEN, [POISON, *good(3)])
    with Fleet(ground.environment(), tmp_path) as fleet:
        fleet.start("a")
        ground.wait_for_no_lag(30, fleet.said)
        for attempt in range(1, MAX_REPLAYS + 1):
            assert "replayed 1" in replay()
            ground.wait_for_no_lag(30, fleet.said)
            assert account(ground.settings).dead_letters == attempt + 1
        assert "nothing to replay" in replay()
        # A person may insist; the newest letter is the one that is put back.
        assert "replayed 1" in replay("--again")
        ground.wait_for_no_lag(30, fleet.said)
    books = account(ground.settings)
    books.balance()
    assert books.dead_letters == MAX_REPLAYS + 2
