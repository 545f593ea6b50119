"""A measure is published, the lot is rated again, flags rise; it is withdrawn, and they clear. Real Kafka."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from datetime import date
from pathlib import Path

from schemas.flag_event import FlagEvent
from streams.feeds.lot.write import LotRequest, records
from streams.settings import Settings
from streams.topics import FLAGS, PARTS, VEHICLES, VEHICLES_ENRICHED
from tests.wire import kafka_io
from tests.wire.kafka_io import Raw, Stored
from tests.wire.policy.desk import LOTRISK, environment, start_worker

AS_OF = {"LOTRISK_AS_OF": "2026-10-01T16:00Z@0s/s"}
LOT = LotRequest(500, 0, 2, 3, date(2026, 10, 1), 0.0)
MEASURE = """
[[measure]]
id = "TEST-KR-25"
authority = "section_232_test"
title = "25% more on cars of Korea"
instrument = "test"
heading = "9903.99.99"
origins = ["KR"]
scope = ["8703"]
rate = 25
announced_at = 2026-09-29
effective_from = 2026-09-30
recorded_at = 2026-09-29
status = "in_force"
confidence = "H"
source = "GK"
"""


def lot() -> list[Raw]:
    """A small lot as raw records."""
    found = []
    for record in records(LOT):
        document = dict(record)
        key = f"{document['dealer_id']}:{document['vin']}".encode()
        found.append(Raw(json.dumps(document).encode(), key))
    return found


def enriched(settings: Settings) -> list[Stored]:
    return kafka_io.read_all(settings, VEHICLES_ENRICHED)


def events(settings: Settings) -> list[FlagEvent]:
    return [FlagEvent.model_validate_json(event.value or b"") for event in kafka_io.read_all(settings, FLAGS)]


def current(stored: list[Stored]) -> dict[bytes, dict[str, object]]:
    """What stands under each key."""
    return {record.key or b"": json.loads(record.value or b"{}") for record in stored}


def replacements(settings: Settings) -> dict[bytes, object]:
    """Duty of goods entered today, by key."""
    found = current(enriched(settings))
    return {key: car["tariff"]["importer_duty"]["replacement"] for key, car in found.items()}  # type: ignore[index]


def desk(settings: Settings, *arguments: str) -> None:
    done = subprocess.run(
        [str(LOTRISK), "policy", *arguments, "--yes", "--no-preview"],
        env=environment(settings, **AS_OF), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_measure_rerates_what_it_touches_and_its_withdrawal_puts_it_back(settings: Settings, tmp_path: Path) -> None:
    kafka_io.create_topics(settings)
    cars = lot()
    kafka_io.produce(settings, VEHICLES, cars)
    worker = start_worker(settings, tmp_path / "worker.log", **AS_OF)
    try:
        kafka_io.wait_until(lambda: len(enriched(settings)) == len(cars), 60, what=worker.said)
        before = enriched(settings)
        replaced = replacements(settings)

        # The same file once more says nothing new.
        kafka_io.produce(settings, VEHICLES, cars)
        kafka_io.wait_until(lambda: kafka_io.lag(settings, VEHICLES) == 0, 30, what=worker.said)
        assert len(enriched(settings)) == len(cars)
        kafka_io.wait_until(
            lambda: worker.counted("lotrisk_records_unchanged_total") == len(cars), 10, what="all counted as unchanged"
        )

        (tmp_path / "measure.toml").write_text(MEASURE)
        desk(settings, "publish", str(tmp_path / "measure.toml"))
        korean = {key for key, car in current(before).items() if car["origin"]["country"] == "KR"}  # type: ignore[index]
        owes = {key for key in korean if current(before)[key].get("stock_class") not in ("used", "cpo")}
        assert owes, "the lot has new cars from Korea"

        def rerated() -> set[bytes]:
            return {record.key or b"" for record in enriched(settings) if b"TEST-KR-25" in (record.value or b"")}

        kafka_io.wait_until(lambda: owes <= rerated(), 30, what=worker.said)
        assert rerated() <= korean, "nothing else was published under the measure"
        assert len(enriched(settings)) - len(before) <= len(korean), "only what the measure changes is published again"
        raised = Counter(event.change for event in events(settings) if event.measure == "TEST-KR-25")
        assert raised["raised"] > 0
        assert not raised["cleared"]

        desk(settings, "withdraw", "TEST-KR-25")
        kafka_io.wait_until(
            lambda: Counter(e.change for e in events(settings) if e.type == "replacement_cost_up")["cleared"]
            == raised["raised"],
            30, what=worker.said,
        )  # fmt: skip
        # It was law for a day: what may have been entered then keeps it in its range, what is entered now does not.
        kafka_io.wait_until(lambda: replacements(settings) == replaced, 30, what="what is entered today owes as before")
        by_episode: dict[str, list[str]] = {}
        for event in events(settings):
            by_episode.setdefault(event.episode, []).append(event.change)
        assert all(changes[0] == "raised" and changes.count("cleared") <= 1 for changes in by_episode.values())
    finally:
        worker.close()


def test_a_restarted_worker_goes_on_from_what_it_published(settings: Settings, tmp_path: Path) -> None:
    kafka_io.create_topics(settings)
    cars = lot()[:200]
    kafka_io.produce(settings, VEHICLES, cars)
    worker = start_worker(settings, tmp_path / "first.log", **AS_OF)
    try:
        kafka_io.wait_until(lambda: len(enriched(settings)) == len(cars), 60, what=worker.said)
    finally:
        worker.close()
    kafka_io.produce(settings, VEHICLES, cars)
    again = start_worker(settings, tmp_path / "second.log", **AS_OF)
    try:
        kafka_io.wait_until(lambda: kafka_io.lag(settings, VEHICLES) == 0, 60, what=again.said)
        assert len(enriched(settings)) == len(cars)
        flags = events(settings)
        assert len({(event.episode, event.change) for event in flags}) == len(flags), "no event came twice"
    finally:
        again.close()
    assert not kafka_io.read_all(settings, PARTS)
