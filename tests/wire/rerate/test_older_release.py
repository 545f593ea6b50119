"""A release that is rolled back by mistake, as the older one with its lower revision, touches nothing. Real Kafka."""

from __future__ import annotations

from pathlib import Path

import orjson

from streams.policy.book import BookNumber
from streams.topics import VEHICLES, VEHICLES_ENRICHED
from tests.rehearsal.fleet import wait_until
from tests.rehearsal.lot import drawn, key_of
from tests.rehearsal.releases import release
from tests.rehearsal.stage import Stage
from tests.wire import kafka_io
from tests.wire.conftest import Broker
from tests.wire.kafka_io import Raw


def test_an_older_release_ends_at_once_and_the_old_data_come_back_under_a_higher_revision(
    broker: Broker, tmp_path: Path
) -> None:
    lot = [Raw(orjson.dumps(one), key_of(one)) for one in drawn(200)]
    with Stage(
        broker.bootstrap_servers, tmp_path, releases=[release(name) for name in ("this", "next", "back")],
        session_timeout_seconds=3, rebalance_timeout_seconds=12, drain_seconds=2,
    ) as stage:  # fmt: skip
        settings = stage.ground.settings

        def outputs() -> list[bytes]:
            return [record.value or b"" for record in kafka_io.read_all(settings, VEHICLES_ENRICHED)]

        def revisions() -> set[int]:
            last = {record.key: record.value for record in kafka_io.read_all(settings, VEHICLES_ENRICHED)}
            return {BookNumber.parse(orjson.loads(value)["book"]).revision for value in last.values() if value}

        kafka_io.produce(settings, VEHICLES, lot)
        stage.fleet.start("a", REHEARSAL_VARIANT="next")
        stage.fleet.wait_until_ready(60)
        stage.ground.wait_for_no_lag(60, stage.fleet.said)
        stage.fleet.stop("a")
        before = outputs()
        assert len(before) == len(lot)

        # Rolled back as it was: nothing is rated down, and live records wait for a release that can.
        kafka_io.produce(settings, VEHICLES, lot)
        older = stage.fleet.start("a", restart=False, REHEARSAL_VARIANT="")
        wait_until(lambda: not older.alive, 20, "the older release ends, without the half minute", stage.fleet.said)
        assert older.process.returncode == 70
        assert "roll back by shipping the old data under a higher revision" in " ".join(older.said().split())
        assert outputs() == before

        # Rolled back as documented.
        stage.fleet.start("a", REHEARSAL_VARIANT="back")
        stage.fleet.wait_until_ready(60)
        stage.settle(60)
        assert revisions() == {release("back").reference.trade.revision}
        stage.accounts().balance()
