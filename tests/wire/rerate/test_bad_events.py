"""Policy events as they should not come: each leaves the lot right under the last good book, and nothing doubled."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from streams.cli.status import rerating_in_total
from streams.feeds.lot.write import LotRequest, records
from streams.policy.book import BookNumber
from streams.reference.trade_records import MeasureRecord
from streams.settings import Settings
from streams.topics import FLAGS, POLICY, VEHICLES, VEHICLES_ENRICHED, WORKERS
from streams.transport.policy_log import encode
from tests.rehearsal.fleet import WorkerProcess
from tests.wire.kafka_io import Raw, create_topics, produce, read_all, wait_until
from tests.wire.policy.desk import measure, start_worker

AS_OF = {"LOTRISK_AS_OF": "2026-10-01T16:00Z@0s/s"}
CARS = 300


class Lot:
    """A small lot, enriched, and the worker that holds it."""

    def __init__(self, settings: Settings, log: Path, **more: str) -> None:
        create_topics(settings)
        self.settings = settings
        self.log = log
        self._events = 0
        cars = [dict(row) for row in records(LotRequest(CARS, 0, 2, 3, date(2026, 10, 1), 0.0))]
        produce(
            settings, VEHICLES,
            [Raw(json.dumps(car).encode(), f"{car['dealer_id']}:{car['vin']}".encode()) for car in cars],
        )  # fmt: skip
        self.worker = self.start(**more)
        wait_until(lambda: self.rerating().get("book") is not None, 60, what=self.worker.said)
        wait_until(lambda: len(self.enriched()) == CARS, 60, what=self.worker.said)

    def start(self, **more: str) -> WorkerProcess:
        """`lotrisk worker` on this lot."""
        return start_worker(self.settings, self.log, **AS_OF | more)

    def publish(self, *entries: MeasureRecord | tuple[bytes, bytes]) -> None:
        """Put versions, or raw records, on trade.policy: each is an event."""
        raw = [encode(entry) if isinstance(entry, MeasureRecord) else entry for entry in entries]
        produce(self.settings, POLICY, [Raw(value, key) for key, value in raw])
        self._events += len(raw)

    def beat(self) -> dict[str, Any]:
        """The worker's last heartbeat."""
        beats = [one for one in read_all(self.settings, WORKERS) if one.key != b"lotrisk.policy" and one.value]
        found: dict[str, Any] = json.loads(beats[-1].value or b"{}") if beats else {}
        return found

    def rerating(self) -> dict[str, Any]:
        """What it says of re-rating."""
        found: dict[str, Any] = self.beat().get("rerate", {})
        return found

    def await_book(self, offset: int) -> None:
        """Wait until all events are read, and everything held is right under the book of a policy offset."""

        def there() -> bool:
            beat = self.beat()
            reached = beat["rerate"]["book"]
            return (
                beat.get("policy", {}).get("position") == self._events
                and reached is not None
                and BookNumber.parse(reached).offset == offset
                and BookNumber.parse(beat["book"]).offset == offset
                and not beat["rerate"]["pending"]
            )

        wait_until(there, 60, what=lambda: f"{self.beat()}\n{self.worker.said()}")

    def enriched(self) -> list[Any]:
        """Everything published on vehicles.enriched, in order, without lotrisk's book."""
        return read_all(self.settings, VEHICLES_ENRICHED)

    def current(self) -> dict[bytes, dict[str, Any]]:
        """What stands under each key, but for the flags' times and the book."""
        found: dict[bytes, dict[str, Any]] = {}
        for record in self.enriched():
            document = json.loads(record.value or b"{}")
            for name in ("book", "flags"):
                document.pop(name)
            found[record.key] = document
        return found

    def charged(self, name: str) -> int:
        """Cars whose duty, entered today, holds a measure."""
        views = [car["tariff"]["importer_duty"]["replacement"] for car in self.current().values()]
        return sum(view is not None and name in view["components"] for view in views)


@pytest.fixture
def lot(settings: Settings, tmp_path: Path) -> Iterator[Lot]:
    found = Lot(settings, tmp_path / "worker.log")
    try:
        yield found
    finally:
        found.worker.close()


def japan(rate: str = "7", **changes: Any) -> MeasureRecord:
    """A duty on cars of Japan, new with every rate."""
    fields = {"origins": ["JP"], "rate": rate, "authority": "desk_test", "recorded_at": "2026-09-01"}
    return measure("DESK-JP", **fields | changes)


def test_a_version_that_stands_already_rates_nothing_again(lot: Lot) -> None:
    lot.publish(japan())
    lot.await_book(0)
    charged, published = lot.charged("DESK-JP"), len(lot.enriched())
    assert charged > 10
    assert published > CARS
    lot.publish(japan(), japan())
    lot.await_book(0)
    assert len(lot.enriched()) == published
    assert lot.rerating()["book"].split(".")[2] == "0"


def test_two_events_within_one_rerating_end_under_the_second(lot: Lot) -> None:
    """Each is a book of its own; what the first had begun goes on under the second, up and never down."""
    lot.publish(japan("7"), japan("11"), measure("DESK-DE", origins=["DE"], authority="desk_other"))
    lot.await_book(2)
    assert lot.charged("DESK-JP") > 10
    assert lot.charged("DESK-DE") > 0
    rates = {
        tuple(car["tariff"]["importer_duty"]["replacement"]["components"].get("DESK-JP", ()))
        for car in lot.current().values()
        if car["tariff"]["importer_duty"]["replacement"] and car["origin"]["country"] == "JP"
    }
    assert rates
    per_key: dict[bytes, list[BookNumber]] = {}
    for record in lot.enriched():
        per_key.setdefault(record.key, []).append(BookNumber.parse(json.loads(record.value)["book"]))
    assert all(books == sorted(set(books)) for books in per_key.values()), "no book twice, none lower"


def test_a_withdrawal_before_it_was_in_force_changes_nothing(lot: Lot) -> None:
    before = lot.current()
    later = {"effective_from": "2026-12-01", "announced_at": "2026-09-15"}
    lot.publish(japan(**later), japan(**later, withdrawn_at="2026-09-20"))
    lot.await_book(1)
    assert lot.current() == before


def test_a_withdrawal_that_comes_before_its_measure_is_what_the_measure_replaces(lot: Lot) -> None:
    """The version published last stands, whatever its dates: an order that went wrong is mended by sending it again."""
    before = lot.current()
    lot.publish(japan(withdrawn_at="2026-09-01"), japan())
    lot.await_book(1)
    assert lot.charged("DESK-JP") > 10
    lot.publish(japan(withdrawn_at="2026-09-01"))
    lot.await_book(2)
    assert lot.charged("DESK-JP") == 0
    assert lot.current() == before, "it never was"


def test_one_that_was_effective_in_the_past_counts_from_then(lot: Lot) -> None:
    lot.publish(japan(effective_from="2026-06-01", announced_at="2026-06-01"))
    lot.await_book(0)
    landed = [
        car for car in lot.current().values()
        if "DESK-JP" in ((car["tariff"]["importer_duty"]["landed"] or {}).get("components") or {})
    ]  # fmt: skip
    assert len(landed) > 5, "also what came in since then"


def test_contradictions_and_broken_records_leave_the_last_good_book(lot: Lot) -> None:
    lot.publish(japan())
    lot.await_book(0)
    before, published = lot.current(), len(lot.enriched())
    lot.publish(
        (b"DESK-JP", b"{"),
        japan(replaces=["NO-SUCH-MEASURE"]),
        measure("DESK-2", origins=["JP"], authority="desk_test", heading="9903.01.24"),
        measure("DESK-3", origins=["JP"], authority="desk_test", heading="9903.01.24"),
    )
    wait_until(lambda: lot.beat().get("rejected_measures") == 2, 30, what=lambda: str(lot.beat()))
    told = {one["measure"]: one["error"] for one in lot.beat()["rejected"]}
    assert set(told) == {"DESK-JP", "DESK-3"}
    assert "lotrisk_policy_rejected_measures 2.0" in lot.worker.get("/metrics")[1]
    lot.await_book(3)
    assert lot.charged("DESK-JP") > 10, "the good version stays"
    assert {key for key, car in lot.current().items() if car != before[key]} <= {
        key for key, car in before.items() if car["origin"]["country"] == "JP"
    }
    assert len(lot.enriched()) > published


def test_a_measure_that_touches_every_record_is_published_once_each(lot: Lot) -> None:
    everything = measure(
        "DESK-ALL", kind="export_control", authority="china_export_control", origins=["CN"], scope=[], rate=None,
        elements=["La", "Ce", "Pr", "Nd"], item_classes=["oxide"],
    )  # fmt: skip
    lot.publish(everything)
    lot.await_book(0)
    again = Counter(record.key for record in lot.enriched())
    controlled = [
        key for key, car in lot.current().items() if "DESK-ALL" in (car["exposure"] or {}).get("controlled_by", ())
    ]
    assert len(controlled) > 0.9 * CARS
    assert all(again[key] == 2 for key in controlled)
    assert sum(again.values()) == CARS + len(controlled)
    topic = VEHICLES.full_name(lot.settings.topic_prefix)
    total = rerating_in_total([{"alive": True, **lot.beat()}])
    assert total["rated"] >= CARS, "and the groups that hold sums of them"
    assert total["last_seconds"] > 0
    assert lot.worker.counted("lotrisk_rerated_total", topic=topic, result="changed") == len(controlled)
    assert lot.worker.counted("lotrisk_rerate_pending_records") == 0


def test_midnight_in_new_york_rates_the_lot_again(settings: Settings, tmp_path: Path) -> None:
    """What was published to begin on a day begins on it, with no event: 4 a.m. in London on the day itself."""
    lot = Lot(settings, tmp_path / "worker.log", LOTRISK_AS_OF="2026-10-01T16:00Z@20m/s")
    try:
        begins = japan("25", effective_from="2026-10-02", announced_at="2026-09-30")
        lot.publish(begins)
        wait_until(lambda: lot.charged("DESK-JP") > 10, 90, what=lot.worker.said)
        book = BookNumber.parse(lot.beat()["book"])
        assert book.regime >= date(2026, 10, 2)
        raised = [json.loads(one.value or b"{}") for one in read_all(settings, FLAGS)]
        mine = [one for one in raised if one.get("measure") == "DESK-JP" and "vin" in one]
        assert mine
        assert {one["changed_at"] for one in mine} == {"2026-10-02T04:00:00Z"}, mine[0]
    finally:
        lot.worker.close()


def test_a_worker_whose_clock_was_set_back_says_so_and_ends(lot: Lot) -> None:
    lot.publish(japan())
    lot.await_book(0)
    lot.worker.close()
    again = lot.start(LOTRISK_AS_OF="2026-06-15T16:00Z@0s/s")
    try:
        assert again.process.wait(90) == 70, again.said()
        assert "it would rate them down" in again.said()
        assert "If a clock was set back" in again.said()
    finally:
        again.close()
