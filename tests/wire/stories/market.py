"""A small lot under a running worker, a policy desk beside it, and a clock that the story moves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from streams.cli._demo_replay import set_clock
from streams.settings import Settings
from streams.topics import FLAGS, PARTS, PARTS_ENRICHED, VEHICLES, VEHICLES_ENRICHED, Topic
from tests.rehearsal.fleet import WorkerProcess
from tests.wire import kafka_io
from tests.wire.kafka_io import Raw, Stored
from tests.wire.policy.desk import LOTRISK, environment, start_worker

Goods = Mapping[str, object]
Event = dict[str, Any]

KIA: Goods = {
    "dealer_id": "D1", "vin": "KNDNE5K34T6724240", "stock_class": "new", "msrp_usd": "43595.00",
    "invoice_usd": "41000.00", "invoice_date": "2026-08-01", "in_stock_date": "2026-09-10", "market_days_supply": 35,
}  # fmt: skip
"""A Carnival built in Korea: 15% in all."""
MERCEDES: Goods = {
    "dealer_id": "D1", "vin": "W1NKJ8HF0TG445467", "stock_class": "new", "msrp_usd": "51710.00",
    "invoice_usd": "48000.00", "invoice_date": "2026-08-01", "in_stock_date": "2026-09-10", "market_days_supply": 35,
}  # fmt: skip
"""A GLC built in Germany: 15% in all."""
RADIO: Goods = {
    "dealer_id": "D1", "part_number": "0 353 501776", "description": "RADIO ASY - RECEIVER", "hts": "8527.21",
    "country_of_origin": "CN", "part_kind": "oe", "cost_usd": "400.00", "qty_on_hand": 8, "demand_12m": 30,
    "last_received": "2026-08-01",
}  # fmt: skip
SPEAKER: Goods = {
    "dealer_id": "D1", "part_number": "26696-4ZH2A", "description": "SPEAKER ASY - DOOR LH", "hts": "8518.21.00",
    "country_of_origin": "CN", "part_kind": "oe", "cost_usd": "80.00", "qty_on_hand": 4, "demand_12m": 52,
    "last_received": "2026-08-01",
}  # fmt: skip
"""Four weeks of stock of a part with a magnet that no control reaches."""
TODAY = date(2026, 10, 1)


def number(goods: Goods) -> str:
    """VIN or part number."""
    return str(goods.get("vin") or goods["part_number"])


def key(goods: Goods) -> bytes:
    """The record's key."""
    return f"{goods['dealer_id']}:{number(goods)}".encode()


class Market:
    """What a story does and sees. After each step the whole lot has been rated."""

    def __init__(self, settings: Settings, worker: WorkerProcess, clock: Path, scratch: Path) -> None:
        self.settings = settings
        self._worker = worker
        self._clock = clock
        self._scratch = scratch
        self._environment = environment(settings, LOTRISK_AS_OF=f"file:{clock}")

    # -- what a story does

    def stock(self, *goods: Goods) -> None:
        """These come onto the lot."""
        self._send([(one, json.dumps(dict(one)).encode()) for one in goods])

    def sell(self, *goods: Goods) -> None:
        """These leave it."""
        self._send([(one, None) for one in goods])

    def publish(self, *measures: Mapping[str, object]) -> None:
        """The desk publishes measures as one event."""
        file = self._scratch / "measures.json"
        file.write_text(json.dumps({"measure": [dict(one) for one in measures]}))
        self._desk("publish", str(file))

    def withdraw(self, measure: str) -> None:
        """The desk withdraws a measure today."""
        self._desk("withdraw", measure)

    def wait_for(self, day: date) -> None:
        """The days pass, to one on which the book changes."""
        set_clock(self._clock, day)
        kafka_io.wait_until(lambda: str(self._status()["book"]).endswith(day.isoformat()), 60, what=self._worker.said)
        self._settle()

    # -- what a story sees

    def events(self, goods: Goods, type: str) -> list[Event]:
        """The events of one flag of one unit, oldest first."""
        return self._events(key(goods), type)

    def digest(self, type: str) -> list[Event]:
        """The events of one flag of the whole lot, oldest first; they come a second or two after those of units."""
        kafka_io.wait_until(lambda: self._events(b"book:all", type), 60, what=f"{type} of the whole lot")
        return self._events(b"book:all", type)

    def _events(self, of: bytes, type: str) -> list[Event]:
        wanted = of + b":" + type.encode()
        return [json.loads(record.value or b"{}") for record in self._read(FLAGS) if record.key == wanted]

    def changes(self, goods: Goods, type: str) -> list[str]:
        """What happened to one flag of one unit, oldest first."""
        return [event["change"] for event in self.events(goods, type)]

    def record(self, goods: Goods) -> dict[str, Any]:
        """The unit's enriched record as it stands."""
        topic = VEHICLES_ENRICHED if "vin" in goods else PARTS_ENRICHED
        found = [record for record in self._read(topic) if record.key == key(goods)]
        return dict(json.loads(found[-1].value or b"{}"))

    def open_flags(self, goods: Goods) -> set[str]:
        """Types of the unit's open flags, as its enriched record says."""
        return {flag["type"] for flag in self.record(goods)["flags"]}

    def replacement_percent(self, goods: Goods) -> float:
        """Duty in percent if the unit were entered today, central."""
        return float(self.record(goods)["tariff"]["importer_duty"]["replacement"]["rate_percent"][1])

    # -- how

    def _read(self, topic: Topic) -> list[Stored]:
        return kafka_io.read_all(self.settings, topic)

    def _send(self, records: list[tuple[Goods, bytes | None]]) -> None:
        for topic, kind in ((VEHICLES, "vin"), (PARTS, "part_number")):
            kafka_io.produce(self.settings, topic, [Raw(value, key(one)) for one, value in records if kind in one])
        kafka_io.wait_until(
            lambda: not any(kafka_io.lag(self.settings, topic) for topic in (VEHICLES, PARTS)),
            60, what=self._worker.said,
        )  # fmt: skip

    def _desk(self, *arguments: str) -> None:
        done = subprocess.run(
            [str(LOTRISK), "policy", *arguments, "--yes", "--no-preview"],
            env=self._environment, capture_output=True, text=True, timeout=90,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        self._settle()

    def _status(self) -> dict[str, Any]:
        return dict(json.loads(self._worker.get("/status")[1]))

    def _settle(self) -> None:
        """Wait until all that is held is right under the book in use, and groups too."""

        def settled() -> bool:
            status = self._status()
            return status["rerate"]["book"] == status["book"] and not any(one["lag"] for one in status["partitions"])

        kafka_io.wait_until(settled, 60, what=self._worker.said)


@contextmanager
def open_market(settings: Settings, scratch: Path, *lot: Goods) -> Iterator[Market]:
    """A market on 2026-10-01 with a lot that has been rated."""
    kafka_io.create_topics(settings)
    clock = scratch / "clock"
    set_clock(clock, TODAY)
    worker = start_worker(settings, scratch / "worker.log", LOTRISK_AS_OF=f"file:{clock}")
    try:
        kafka_io.wait_until(lambda: "health and metrics on" in worker.said(), 60, what=worker.said)
        market = Market(settings, worker, clock, scratch)
        market.stock(*lot)
        yield market
    finally:
        worker.close()
