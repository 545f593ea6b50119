"""A policy event is said once of each group, when the whole lot is right under the new book. Real Kafka."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from streams.feeds.lot.write import LotRequest, records
from streams.settings import Settings
from tests.wire import kafka_io
from tests.wire.groups.test_groups import DAY, Lot, current, key_of, load
from tests.wire.policy.desk import start_worker
from tests.wire.rerate.test_policy_event import AS_OF, desk, events

DUTY = """
[[measure]]
id = "TEST-PARTS-CN"
authority = "section_test"
title = "60% more on parts of China"
instrument = "test"
heading = "9903.99.98"
origins = ["CN"]
scope = ["*"]
rate = 60
announced_at = 2026-09-29
effective_from = 2026-09-30
recorded_at = 2026-09-29
status = "in_force"
confidence = "H"
source = "GK"

[[measure]]
id = "TEST-THREAT"
authority = "section_232_test"
title = "50% more on all cars, said and not signed"
instrument = "test"
origins = ["JP", "KR", "DE", "MX"]
scope = ["8703"]
rate = 50
announced_at = 2026-09-29
recorded_at = 2026-09-29
status = "announced"
confidence = "H"
source = "GK"
"""


def said(settings: Settings) -> Counter[tuple[str, str, str]]:
    """How often each flag of each group was said under each book."""
    return Counter((event.group, event.type, event.book) for event in events(settings) if event.group is not None)


def test_each_flag_of_a_group_is_said_once_an_event_and_of_all_the_lot(settings: Settings, tmp_path: Path) -> None:
    kafka_io.create_topics(settings)
    lot: Lot = {key_of(dict(one)): dict(one) for one in records(LotRequest(1500, 1500, 2, 7, DAY, 0.0))}
    load(settings, lot)
    worker = start_worker(settings, tmp_path / "worker.log", **AS_OF)

    def settled() -> bool:
        status = json.loads(worker.get("/status")[1])
        return status["rerate"]["book"] == status["book"] and not any(one["lag"] for one in status["partitions"])

    try:
        kafka_io.wait_until(lambda: "health and metrics on" in worker.said(), 60, what=worker.said)
        kafka_io.wait_until(
            lambda: current(settings).get("book:all", {}).get("totals", {}).get("records") == len(lot),
            90, what=worker.said,
        )  # fmt: skip
        kafka_io.wait_until(settled, 60, what=worker.said)
        before = said(settings)

        (tmp_path / "duty.toml").write_text(DUTY)
        desk(settings, "publish", str(tmp_path / "duty.toml"))
        kafka_io.wait_until(settled, 60, what=worker.said)
        desk(settings, "withdraw", "TEST-PARTS-CN")
        kafka_io.wait_until(settled, 60, what=worker.said)

        found = said(settings) - before
        assert {key[:2] for key in found} >= {("origin:part/CN", "source_cost_up"), ("book:all", "threatened")}
        assert len({book for _, _, book in found}) == 2
        assert set(found.values()) == {1}, {key: count for key, count in found.items() if count > 1}
        assert all("behind" not in group for group in current(settings).values())
    finally:
        worker.close()
