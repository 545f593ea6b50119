"""A real worker's health and metrics port: ready when it works, and its counters add up to what the topics hold."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import CATALOGUE
from streams.settings import Settings
from streams.topics import VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED
from tests.rehearsal.fleet import WorkerProcess
from tests.wire.kafka_io import Raw, create_topics, produce, read_all, wait_until

LOTRISK = Path(sys.executable).with_name("lotrisk")
VINS = ("1HGCM82633A004352", "1M8GDM9AXKP042788", "3VWEW7BU9TM339447")


@pytest.fixture
def worker(settings: Settings, tmp_path: Path) -> Iterator[WorkerProcess]:
    """`lotrisk worker`, as anybody would start it."""
    create_topics(settings)
    environment = os.environ | {
        "LOTRISK_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "LOTRISK_TOPIC_PREFIX": settings.topic_prefix,
        "LOTRISK_GROUP": settings.group,
        "LOTRISK_PARTITIONS": str(settings.partitions),
        "LOTRISK_STATE_DIR": str(settings.state_dir),
        "LOTRISK_WEB_PORT": "0",
    }
    started = WorkerProcess("worker", [str(LOTRISK), "worker"], environment, tmp_path / "worker.log")
    try:
        wait_until(lambda: "worker ready" in started.said() or not started.alive, 60, what=started.said)
        wait_until(lambda: started.get("/readyz")[0] == 200, 60, what=started.said)
        yield started
        started.send(signal.SIGTERM)
        assert started.process.wait(30) == 0, started.said()
    except subprocess.TimeoutExpired:
        pytest.fail(f"SIGTERM did not end it:\n{started.said()}")
    finally:
        started.close()


def test_what_a_worker_counts_is_what_the_topics_hold(settings: Settings, worker: WorkerProcess) -> None:
    good = [Raw(json.dumps({"dealer_id": "d1", "vin": vin}).encode(), f"d1:{vin}".encode()) for vin in VINS]
    gone = Raw(None, f"d1:{VINS[0]}".encode())
    bad = [Raw(b"{", b"d1:x"), Raw(b"\xff\xfe", b"d1:y")]
    produce(settings, VEHICLES, [*good, gone, *bad])
    vehicles = VEHICLES.full_name(settings.topic_prefix)
    # The lanes of the groups count too, as soon as the totals are told.
    wait_until(lambda: worker.counted("lotrisk_records_in_total", topic=vehicles) == 6, 60, what=worker.said)

    assert worker.get("/livez") == (200, '{"ok":true,"reasons":[]}')
    assert worker.counted("lotrisk_records_out_total", topic=vehicles) == 3
    assert worker.counted("lotrisk_tombstones_total", topic=vehicles) == 1
    assert worker.counted("lotrisk_dead_letters_total", reason="not_json") == 1
    assert worker.counted("lotrisk_dead_letters_total", reason="not_utf8") == 1
    assert worker.counted("lotrisk_latency_seconds_count", topic=vehicles) == 6
    assert worker.counted("lotrisk_transactions_committed_total") >= 1
    assert worker.counted("lotrisk_book_info") == 1
    enriched = read_all(settings, VEHICLES_ENRICHED)
    assert (sum(one.value is not None for one in enriched), sum(one.value is None for one in enriched)) == (3, 1)
    assert len(read_all(settings, VEHICLES_DLQ)) == 2

    def shown() -> list[dict[str, object]]:
        name = VEHICLES.full_name(settings.topic_prefix)
        return [one for one in json.loads(worker.get("/status")[1])["partitions"] if one["topic"] == name]

    wait_until(lambda: all(one["lag"] == 0 for one in shown()), 30, what=lambda: str(shown()))
    assert len(shown()) == settings.partitions


def test_a_worker_exposes_no_series_that_the_catalogue_does_not_list(worker: WorkerProcess) -> None:
    families = text_string_to_metric_families(worker.get("/metrics")[1])
    assert {family.name for family in families} == {metric.name.removesuffix("_total") for metric in CATALOGUE}
