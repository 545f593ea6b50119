"""A release comes and goes under load, one worker after the other: other data, a further member, and back again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson
import pytest

from schemas.cloudevents import DATASCHEMA, header
from streams.topics import VEHICLES_ENRICHED
from tests.rehearsal.ground import SteadyLoad
from tests.rehearsal.lot import ChangingLot, drawn
from tests.rehearsal.releases import release
from tests.rehearsal.stage import Stage
from tests.wire import kafka_io
from tests.wire.conftest import Broker

pytestmark = pytest.mark.soak

NAMES = "ab"
TURNS = ("this", "next", "back")


def test_a_release_is_rolled_out_and_back_under_load(broker: Broker, tmp_path: Path) -> None:
    with Stage(
        broker.bootstrap_servers,
        tmp_path,
        releases=[release(turn) for turn in TURNS],
        session_timeout_seconds=3,
        rebalance_timeout_seconds=12,
        drain_seconds=2,
    ) as stage:
        for name in NAMES:
            stage.fleet.start(name)
        with SteadyLoad(stage.ground, ChangingLot(drawn(300)), 100):
            stage.ground.wait_for_progress(60, stage.fleet.said)
            for turn in TURNS[1:]:
                for name in NAMES:
                    status, seconds = stage.fleet.stop(name)
                    assert (status, seconds < 10) == (0, True), stage.fleet.said()
                    stage.fleet.start(name, REHEARSAL_VARIANT=turn)
                    stage.fleet.wait_until_ready(60)
                # Those that are rated under the new book, and those that were under the old one.
                stage.ground.wait_for_progress(60, stage.fleet.said)
                stage.desk.next()
        stage.settle(60)
        accounts, exits = stage.accounts(), dict(stage.fleet.exit_codes())
        outputs = kafka_io.read_all(stage.ground.settings, VEHICLES_ENRICHED)
    schemas = Counter(header(record.headers, DATASCHEMA) for record in outputs if record.value is not None)
    last = {record.key: record.value for record in outputs}
    print(f"exits {exits}, {schemas}: {accounts}")
    accounts.balance()
    assert exits == {0: 4}
    assert schemas.keys() == {b"urn:lotrisk:schema:enriched-vehicle:1.0", b"urn:lotrisk:schema:enriched-vehicle:1.1"}
    assert not any("rehearsed_release" in orjson.loads(value) for value in last.values() if value is not None)
