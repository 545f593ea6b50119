"""A log with gaps is restored to its end; a checkpoint that missed a compacted tombstone brings no sold car back."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from streams.broker import EmbeddedKafka
from streams.settings import Settings
from streams.state.codec.checkpoint import Checkpoint
from streams.state.verdict import Rebuilt
from streams.topics import VEHICLES_ENRICHED
from tests.wire import kafka_io
from tests.wire.state.publishing import car, lot_of, publish, sold
from tests.wire.state.test_restore import Worker

EAGER_CLEANER = {"log.cleaner.backoff.ms": 100, "log.initial.task.delay.ms": 500}
RETENTION_MS = 1_000
COMPACTS_AT_ONCE = {
    "cleanup.policy": "compact",
    "delete.retention.ms": str(RETENTION_MS),
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
}


def test_a_car_sold_while_the_checkpoint_grew_old_stays_sold(
    own_broker: Callable[..., EmbeddedKafka], make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(own_broker(settings=EAGER_CLEANER).bootstrap_servers)
    topic = VEHICLES_ENRICHED.full_name(settings.topic_prefix)
    with closing(kafka_io.admin(settings)) as admin:
        admin.create_topics(
            {topic: {"num_partitions": 1, "replication_factor": 1, "configs": COMPACTS_AT_ONCE}},
            wait_for_metadata=True,
        )
    lot = [car(number, number) for number in range(20)]
    asyncio.run(publish(settings, lot, transactional_id="lane"))
    with closing(Worker(settings)) as worker:
        worker.restore(0)
        seen = worker.position()
        assert worker.lot() == lot_of(lot)
    shutil.copytree(settings.state_dir, tmp_path / "as it was")

    gone = sold(3, 100)
    asyncio.run(publish(settings, [gone], transactional_id="lane"))
    churned = 0

    def tombstone_is_compacted_away() -> bool:
        nonlocal churned
        churned += 1
        asyncio.run(publish(settings, [car(0, 200 + churned)], transactional_id="lane"))
        return all(record.key != gone.key for record in kafka_io.read_all(settings, VEHICLES_ENRICHED))

    kafka_io.wait_until(tombstone_is_compacted_away, 90, what="the tombstone is compacted away", every_seconds=0.3)
    records = kafka_io.read_all(settings, VEHICLES_ENRICHED)
    assert len(records) < len(lot) + churned, "compaction left gaps"
    left = lot_of([*lot, gone, car(0, 200 + churned)])

    with closing(Worker(settings)) as late:
        told = late.restore(0)
        assert told[0].rebuilt is Rebuilt.TOO_OLD
        assert late.lot() == left
        assert late.position() == kafka_io.end_offsets(settings, VEHICLES_ENRICHED, "read_committed")[0]

    # And so it would be without that rule: the same checkpoint, were it believed to be fresh.
    shutil.rmtree(settings.state_dir)
    shutil.copytree(tmp_path / "as it was", settings.state_dir)
    with closing(Worker(settings)) as believing:
        state = believing.state(0)
        state.open()
        checkpoint = state.checkpoint
        assert checkpoint is not None
        assert checkpoint.position == seen
        state.take_in(
            (), Checkpoint(checkpoint.topic, checkpoint.topic_id, seen, int(time.time() * 1000) + RETENTION_MS)
        )
        assert believing.restore(0)[0].rebuilt is None
        assert gone.key in believing.lot()
