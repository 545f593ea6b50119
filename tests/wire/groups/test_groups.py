"""What stands on groups.enriched is what the lot adds up to, through changes, kills and new books. Real Kafka."""

from __future__ import annotations

import shutil
import signal
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from schemas.flag_event import FlagEvent
from schemas.group import EnrichedGroup, GroupPartial
from streams import reference
from streams.enrich.context import Context
from streams.enrich.contribution import encode, read
from streams.enrich.episodes import Cause, merge
from streams.enrich.group_totals import GroupTotal, read_rated, total_key
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part
from streams.enrich.totals import Totals
from streams.enrich.vehicle import enrich_vehicle
from streams.feeds.lot.write import LotRequest, records
from streams.policy.book import build_book
from streams.settings import Settings
from streams.topics import FLAGS, GROUPS_ENRICHED, PARTS, TOTALS, VEHICLES
from streams.transport.partitioning import partition_of
from tests.wire import kafka_io
from tests.wire.kafka_io import Raw, Stored
from tests.wire.policy.desk import start_worker
from tests.wire.rerate.test_policy_event import AS_OF, desk

DAY = date(2026, 10, 1)
REFERENCE = reference.load()
CONTEXT = Context(REFERENCE, build_book(REFERENCE.trade, DAY))
THREAT = """
[[measure]]
id = "TEST-JP-50"
authority = "section_232_test"
title = "50% more on cars of Japan, said and not signed"
instrument = "test"
origins = ["JP"]
scope = ["8703"]
rate = 50
announced_at = 2026-09-29
recorded_at = 2026-09-29
status = "announced"
confidence = "H"
source = "GK"
"""
Lot = dict[bytes, dict[str, Any]]


def key_of(record: dict[str, Any]) -> bytes:
    return f"{record['dealer_id']}:{record.get('vin') or record['part_number']}".encode()


def load(settings: Settings, lot: Lot, *, gone: tuple[bytes, ...] = ()) -> None:
    for topic, name in ((VEHICLES, "vin"), (PARTS, "part_number")):
        kafka_io.produce(settings, topic, [Raw(orjson.dumps(one), key) for key, one in lot.items() if name in one])
    kafka_io.produce(settings, VEHICLES, [Raw(None, key) for key in gone])


def recomputed(lot: Lot) -> dict[str, dict[str, Any]]:
    """The totals of every group, from the lot itself."""
    totals = Totals()
    for key, record in lot.items():
        found = (enrich_vehicle if "vin" in record else enrich_part)(key, orjson.dumps(record), CONTEXT)
        assert isinstance(found, Enriched)
        still, _ = merge(key, (), found.flags, Cause(None, "id", 0, 0, "book"))
        totals.exchange(None, read(encode(found.adds, still)))
    totals.settle()
    return {group: told(GroupTotal([members]).members()) for group, members in totals.waiting() if members is not None}


def told(totals: dict[str, Any]) -> dict[str, Any]:
    """Totals but for what is the group's book's, and what is a lower bound."""
    return {name: content for name, content in totals.items() if name not in ("threatened", "models") and content != []}


def current(settings: Settings) -> dict[str, dict[str, Any]]:
    """What stands on groups.enriched under each key."""
    found: dict[str, dict[str, Any]] = {}
    for record in kafka_io.read_all(settings, GROUPS_ENRICHED):
        assert record.key is not None
        if record.value is None:
            found.pop(record.key.decode(), None)
        else:
            found[record.key.decode()] = orjson.loads(record.value)
    return found


def partials(settings: Settings) -> list[Stored]:
    """What was told of groups, without what says how far re-rating is."""
    return [record for record in kafka_io.read_all(settings, TOTALS) if read_rated(record.key, record.value) is None]


def stands(settings: Settings) -> dict[str, dict[str, Any]]:
    return {group: told(fields["totals"]) for group, fields in current(settings).items()}


def group_events(settings: Settings) -> list[FlagEvent]:
    events = [FlagEvent.model_validate_json(event.value or b"") for event in kafka_io.read_all(settings, FLAGS)]
    return [event for event in events if event.group is not None]


def test_groups_are_what_the_lot_adds_up_to(settings: Settings, tmp_path: Path) -> None:
    kafka_io.create_topics(settings)
    lot: Lot = {key_of(dict(one)): dict(one) for one in records(LotRequest(300, 150, 2, 5, DAY, 0.0))}
    load(settings, lot)
    worker = start_worker(settings, tmp_path / "first.log", **AS_OF)
    try:
        wanted = recomputed(lot)
        kafka_io.wait_until(lambda: stands(settings) == wanted, 90, what=worker.said)
        for fields in current(settings).values():
            EnrichedGroup.model_validate_json(orjson.dumps(fields))
        for record in partials(settings):
            if record.value is not None:
                GroupPartial.model_validate_json(record.value)
        quiet = len(kafka_io.read_all(settings, GROUPS_ENRICHED))

        # Cars are sold, others are repriced, and the worker dies in the middle of it.
        cars = [key for key, one in lot.items() if "vin" in one]
        changed = {key: lot[key] | {"msrp_usd": "51234.00", "invoice_usd": "50000.00"} for key in cars[:60]}
        gone = tuple(cars[60:120])
        load(settings, changed, gone=gone)
        worker.close()
        lot = {key: one for key, one in (lot | changed).items() if key not in gone}
        more = {key_of(dict(one)): dict(one) for one in records(LotRequest(40, 20, 2, 6, DAY, 0.0))}
        load(settings, more)
        lot |= more
        worker = start_worker(settings, tmp_path / "second.log", **AS_OF)
        wanted = recomputed(lot)
        kafka_io.wait_until(lambda: stands(settings) == wanted, 90, what=worker.said)
        assert len(kafka_io.read_all(settings, GROUPS_ENRICHED)) > quiet

        # A third start has nothing to say: what was told is known.
        worker.send(signal.SIGTERM)
        kafka_io.wait_until(lambda: not worker.alive, 30, what=worker.said)
        before = len(partials(settings))
        worker = start_worker(settings, tmp_path / "third.log", **AS_OF)
        one_more = key_of(next(iter(more.values())))
        load(settings, {one_more: lot[one_more] | {"msrp_usd": "60000.00"}})
        lot[one_more] = lot[one_more] | {"msrp_usd": "60000.00"}
        wanted = recomputed(lot)
        kafka_io.wait_until(lambda: stands(settings) == wanted, 60, what=worker.said)
        assert len(partials(settings)) - before < 12, "only the groups of one car were told again"

        # The state is lost, and with it the memory of a group that was told and is no more.
        worker.send(signal.SIGTERM)
        kafka_io.wait_until(lambda: not worker.alive, 30, what=worker.said)
        shutil.rmtree(settings.state_dir)
        stale = next(record for record in partials(settings) if record.value is not None)
        fields = orjson.loads(stale.value or b"") | {"group": "model:GONE/Car"}
        source = VEHICLES.full_name(settings.topic_prefix)
        key, partition = total_key("model:GONE/Car", source, 0), partition_of(b"model:GONE/Car", settings.partitions)
        kafka_io.produce(settings, TOTALS, [Raw(orjson.dumps(fields), key, partition=partition)])
        worker = start_worker(settings, tmp_path / "fourth.log", **AS_OF)

        def told_of_the_gone() -> list[bytes | None]:
            return [one.value for one in kafka_io.read_all(settings, TOTALS) if one.key == key]

        kafka_io.wait_until(lambda: told_of_the_gone()[-1] is None, 60, what=worker.said)
        kafka_io.wait_until(lambda: stands(settings) == wanted, 60, what=worker.said)
    finally:
        worker.close()


def test_a_threat_is_one_line_of_the_lot_and_goes_with_it(settings: Settings, tmp_path: Path) -> None:
    kafka_io.create_topics(settings)
    lot: Lot = {key_of(dict(one)): dict(one) for one in records(LotRequest(200, 0, 2, 3, DAY, 0.0))}
    load(settings, lot)
    worker = start_worker(settings, tmp_path / "worker.log", **AS_OF)
    try:
        kafka_io.wait_until(lambda: "book:all" in current(settings), 60, what=worker.said)
        kafka_io.wait_until(lambda: current(settings)["book:all"]["totals"]["records"] == 200, 60, what=worker.said)
        (tmp_path / "threat.toml").write_text(THREAT)

        def of_the_threat() -> list[FlagEvent]:
            return [event for event in group_events(settings) if event.measure == "TEST-JP-50"]

        def digest() -> dict[str, Any]:
            flags = {flag["type"]: flag for flag in current(settings)["book:all"]["flags"]}
            found: dict[str, Any] = flags.get("threatened", {})
            return found

        desk(settings, "publish", str(tmp_path / "threat.toml"))
        kafka_io.wait_until(lambda: digest().get("measure") == "TEST-JP-50", 30, what=worker.said)
        assert [digest()["severity"], digest()["owner"], digest()["action"]] == ["info", "policy", "none"]
        threatened = current(settings)["book:all"]["totals"]["threatened"]["TEST-JP-50"]
        assert threatened["legal_status"] == "announced"
        assert threatened["records"] > 0

        desk(settings, "withdraw", "TEST-JP-50")
        kafka_io.wait_until(lambda: digest().get("measure") != "TEST-JP-50", 30, what=worker.said)
        assert all(event.vin is None and event.dealer_id is None for event in group_events(settings))
        by_episode: dict[str, list[str]] = {}
        for event in group_events(settings):
            by_episode.setdefault(event.episode, []).append(event.change)
        for changes in by_episode.values():
            assert changes[0] == "raised"
            assert "raised" not in changes[1:]
            assert "cleared" not in changes[:-1]
    finally:
        worker.close()
