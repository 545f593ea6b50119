"""Two desks, a desk that died, and a topic that is made anew under a running worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer

from streams.reference.trade import load_trade
from streams.settings import Settings
from streams.topics import POLICY
from streams.transport.desk import DeskError, publish, read_log
from streams.transport.policy_log import encode
from tests.rehearsal.fleet import WorkerProcess
from tests.wire.kafka_io import Raw, admin, create_topics, produce, read_all, wait_until
from tests.wire.policy.desk import measure, start_worker

TRADE = load_trade()


def keys(settings: Settings) -> list[bytes | None]:
    return [record.key for record in read_all(settings, POLICY)]


def test_a_desk_that_looked_before_another_published_publishes_nothing(settings: Settings) -> None:
    create_topics(settings, [POLICY])

    async def two_desks() -> None:
        first, second = await read_log(settings, TRADE), await read_log(settings, TRADE)
        assert await publish(settings, [encode(measure("A-1")), encode(measure("A-2"))], first.end) == 1
        with pytest.raises(DeskError, match="moved from offset 0 to 2"):
            await publish(settings, [encode(measure("B-1"))], second.end)
        again = await read_log(settings, TRADE)
        assert again.log.overrides == (measure("A-1"), measure("A-2"))
        await publish(settings, [encode(measure("B-1"))], again.end)

    asyncio.run(two_desks())
    assert keys(settings) == [b"A-1", b"A-2", b"B-1"]


def test_what_a_desk_that_died_left_half_done_is_never_seen(settings: Settings) -> None:
    create_topics(settings, [POLICY])
    topic = POLICY.full_name(settings.topic_prefix)
    with closing(
        KafkaProducer(
            bootstrap_servers=settings.bootstrap_servers,
            transactional_id=f"{settings.group}-{topic}-desk",
            transaction_timeout_ms=600_000,
        )
    ) as died:
        died.init_transactions()
        died.begin_transaction()
        key, value = encode(measure("A-1"))
        died.send(topic, value, key=key).get(timeout=10)

        async def next_desk() -> int:
            read = await read_log(settings, TRADE)
            assert read.log.overrides == ()
            return await publish(settings, [encode(measure("B-1"))], read.end)

        assert asyncio.run(next_desk()) > 0
        assert keys(settings) == [b"B-1"]


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[WorkerProcess]:
    create_topics(settings)
    produce(settings, POLICY, [Raw(value, key) for key, value in (encode(measure("A-1")), encode(measure("A-2")))])
    started = start_worker(settings, tmp_path / "worker.log")
    try:
        wait_until(lambda: "worker ready" in started.said() or not started.alive, 60, what=started.said)
        yield started
    finally:
        started.close()


def test_a_worker_under_which_the_topic_is_made_anew_ends_itself(settings: Settings, worker: WorkerProcess) -> None:
    """Its book would be another one than that of a worker which starts now."""
    with closing(admin(settings)) as client:
        client.delete_topics([POLICY.full_name(settings.topic_prefix)])
    wait_until(lambda: POLICY.full_name(settings.topic_prefix) not in _topics(settings), 30)
    create_topics(settings, [POLICY])
    assert worker.process.wait(60) == 70, worker.said()
    assert "trade.policy" in worker.said()


def _topics(settings: Settings) -> list[str]:
    with closing(admin(settings)) as client:
        return list(client.list_topics())
