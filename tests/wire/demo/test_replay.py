"""October 2025 played on a small lot by a real worker, held against the book and the fact sheet."""

from __future__ import annotations

import io
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from rich.console import Console

from streams import reference
from streams.cli._demo_episode import BEGINS, moments
from streams.cli._demo_replay import Episode, play, set_clock
from streams.enrich.context import Context
from streams.enrich.episodes import Cause, OpenFlag, merge
from streams.enrich.outcome import Enriched
from streams.enrich.part import enrich_part
from streams.enrich.vehicle import enrich_vehicle
from streams.feeds.lot.write import LotRequest, records
from streams.settings import Settings
from streams.topics import FLAGS, PARTS, PARTS_ENRICHED, VEHICLES, VEHICLES_ENRICHED
from streams.transport.books import book_on
from tests.wire import kafka_io
from tests.wire.conftest import Broker
from tests.wire.kafka_io import Raw
from tests.wire.policy.desk import start_worker

REFERENCE = reference.load()
MOMENTS = moments(REFERENCE.trade)
DAYS = [BEGINS, *(moment.day for moment in MOMENTS)]
REPRICING = {"replacement_cost_up", "part_cost_up"}
ENVISION: Mapping[str, object] = {
    "dealer_id": "D1", "vin": "LRBFZMR45TD183484", "stock_class": "new", "msrp_usd": "42580.00",
    "invoice_date": "2025-09-01",
}  # fmt: skip
"""Built in China, petrol: 2.5 + 25 (List 1) + 25 (232) + fentanyl."""
CARNIVAL: Mapping[str, object] = {
    "dealer_id": "D1", "vin": "KNDNE5K34T6724240", "stock_class": "new", "msrp_usd": "43595.00",
    "invoice_date": "2025-01-10", "market_days_supply": 35,
}  # fmt: skip
"""Built in Korea and invoiced before the 25% of 2025-04-03."""
EPS: Mapping[str, object] = {
    "dealer_id": "D1", "part_number": "HY3Z-3789-G", "description": "MOTOR - POWER STEERING", "hts": "8501.31.40",
    "country_of_origin": "CN", "part_kind": "oe", "cost_usd": "320.00", "qty_on_hand": 3, "demand_12m": 26,
    "last_received": "2025-09-01",
}  # fmt: skip
"""Its magnets hold dysprosium; six weeks of stock."""


def key_of(document: Mapping[str, object]) -> bytes:
    return f"{document['dealer_id']}:{document.get('vin') or document['part_number']}".encode()


def lot() -> list[dict[str, object]]:
    drawn = records(LotRequest(250, 250, 2, 3, BEGINS, 0.0))
    return [dict(one) for one in (ENVISION, CARNIVAL, EPS)] + [dict(one) for one in drawn]


def day_of(book: str) -> date:
    """The regime date of a book's number."""
    return date.fromisoformat(book.rpartition(".")[2])


@dataclass(frozen=True)
class Played:
    """The episode as it was played, all flag events, and each unit's enriched records by the day of their book."""

    episodes: list[Episode]
    events: list[tuple[bytes, dict[str, Any]]]
    history: dict[bytes, dict[date, dict[str, Any]]]

    def record(self, goods: Mapping[str, object], day: date) -> dict[str, Any]:
        """A unit's record as it stood at the end of a day."""
        by_day = self.history[key_of(goods)]
        return by_day[max(one for one in by_day if one <= day)]

    def flags(self, goods: Mapping[str, object], type: str) -> list[tuple[date, str]]:
        """Day and change of one flag of a unit."""
        wanted = key_of(goods) + b":" + type.encode()
        return [(day_of(event["book"]), event["change"]) for key, event in self.events if key == wanted]


@pytest.fixture(scope="module")
def played(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    scratch = tmp_path_factory.mktemp("replay")
    clock = scratch / "clock"
    set_clock(clock, BEGINS)
    name = uuid.uuid4().hex[:10]
    settings = Settings(
        bootstrap_servers=broker.bootstrap_servers, topic_prefix=f"t{name}.", group=f"g{name}", partitions=2,
        state_dir=scratch / "state", as_of=f"file:{clock}",
    )  # fmt: skip
    kafka_io.create_topics(settings)
    cars, parts = ([one for one in lot() if member in one] for member in ("vin", "part_number"))
    for topic, documents in ((VEHICLES, cars), (PARTS, parts)):
        kafka_io.produce(settings, topic, [Raw(json.dumps(one).encode(), key_of(one)) for one in documents])
    worker = start_worker(settings, scratch / "worker.log", LOTRISK_AS_OF=f"file:{clock}")
    try:
        kafka_io.wait_until(lambda: "health and metrics on" in worker.said(), 60, what=worker.said)
        kafka_io.wait_until(
            lambda: not any(kafka_io.lag(settings, topic) for topic in (VEHICLES, PARTS)), 60, what=worker.said
        )
        address = worker.said().partition("health and metrics on http://")[2].split()[0]

        def check() -> None:
            assert worker.alive, worker.said()

        episodes = play(Console(file=io.StringIO()), settings, MOMENTS, clock, [address], len(cars) + len(parts), check)
        history: dict[bytes, dict[date, dict[str, Any]]] = defaultdict(dict)
        for topic in (VEHICLES_ENRICHED, PARTS_ENRICHED):
            for record in kafka_io.read_all(settings, topic):
                document = json.loads(record.value or b"")
                history[record.key or b""][day_of(document["book"])] = document
        events = [(event.key or b"", json.loads(event.value or b"")) for event in kafka_io.read_all(settings, FLAGS)]
        yield Played(episodes, events, history)
    finally:
        worker.close()
        kafka_io.delete_topics(settings)


def test_each_days_flags_are_those_that_the_book_calls_for(played: Played) -> None:
    expected: Counter[tuple[date, str, str, str]] = Counter()
    held: dict[bytes, tuple[OpenFlag, ...]] = defaultdict(tuple)
    context = None
    for day in DAYS:
        book = book_on(REFERENCE.trade, day, as_known_then=True)
        context = Context(REFERENCE, book) if context is None else context.under(book)
        for document in lot():
            key = key_of(document)
            enrich = enrich_vehicle if "vin" in document else enrich_part
            outcome = enrich(key, json.dumps(document).encode(), context)
            assert isinstance(outcome, Enriched)
            cause = Cause(None, "", 0, 0, str(book.number))
            held[key], events = merge(key, held[key], outcome.flags, cause)
            for event in events:
                expected[book.number.regime, key.decode(), event.flag.type, event.change.value] += 1
    units = {key_of(document) for document in lot()}
    found = Counter(
        (day_of(event["book"]), key.rpartition(b":")[0].decode(), event["type"], event["change"])
        for key, event in played.events
        if key.rpartition(b":")[0] in units
    )
    assert found == expected
    assert sum(expected.values()) > 100, "the lot has flags"
    assert any(day > BEGINS for day, *_ in expected), "and they move"


def test_what_the_screen_counts_is_what_the_topic_holds(played: Played) -> None:
    shown: Counter[tuple[str, str]] = Counter()
    for episode in played.episodes:
        shown += episode.events
    assert shown == Counter((event["type"], event["change"]) for _, event in played.events)
    still_open: Counter[str] = Counter()
    for _, event in played.events:
        still_open[event["type"]] += {"raised": 1, "changed": 0, "cleared": -1}[event["change"]]
    seen: dict[str, int] = {}
    for episode in played.episodes:
        seen |= {type: episode.open.get(type, (0, 0))[0] for type, _ in episode.events}
    assert {type: count for type, count in still_open.items() if count} == {t: c for t, c in seen.items() if c}


def test_each_moment_waits_for_the_whole_lot_and_ends_with_its_last_flag(played: Played) -> None:
    for episode in played.episodes[1:]:
        assert episode.rated is not None
        assert (episode.last_flag is not None) == bool(episode.events)


def test_the_threat_of_2025_10_10_reprices_nothing(played: Played) -> None:
    ninth, tenth = date(2025, 10, 9), date(2025, 10, 10)
    on_the_day = [event for _, event in played.events if day_of(event["book"]) == tenth]
    assert not [event for event in on_the_day if event["type"] in REPRICING]
    assert {event["type"] for _, event in played.events if event.get("measure") == "CN-100"} <= {"threatened"}
    before, after = (played.record(ENVISION, day)["tariff"]["importer_duty"] for day in (ninth, tenth))
    assert before["replacement"] == after["replacement"], "what is only announced is in no total"
    assert "CN-100" not in (before.get("threatened") or {}), "it was not known the day before"
    hangs = after["threatened"]["CN-100"]
    assert hangs["legal_status"] == "announced"
    assert (hangs["added_percent"][0], hangs["added_percent"][2]) == (0, 100), "a range: no authority was named"
    assert played.record(ENVISION, tenth)["expected_invoice_change"]["usd"] == ["0.00", "0.00", "0.00"]


def test_the_threat_hangs_over_china_until_the_day_on_which_it_does_not_come(played: Played) -> None:
    for day in DAYS:
        hangs = played.record(ENVISION, day)["tariff"]["importer_duty"].get("threatened") or {}
        assert ("CN-100" in hangs) == (date(2025, 10, 10) <= day < date(2025, 11, 1)), day
        assert "CN-100" not in (played.record(CARNIVAL, day)["tariff"]["importer_duty"].get("threatened") or {})


def of_the_lot(played: Played, type: str) -> list[tuple[date, str, str, str]]:
    """Day, change, severity and measure of one flag of the whole lot."""
    return [
        (day_of(event["book"]), event["change"], event["severity"], event["measure"])
        for key, event in played.events
        if key == b"book:all:" + type.encode()
    ]


def test_the_threat_is_one_line_for_the_policy_desk_while_it_hangs_and_asks_for_nothing(played: Played) -> None:
    line = of_the_lot(played, "threatened")
    assert line[0] == (date(2025, 10, 10), "raised", "info", "CN-100")
    assert line[-1][:2] == (date(2025, 11, 1), "cleared")
    assert [change for _, change, _, _ in line].count("raised") == 1
    digests = [event for _, event in played.events if event["type"] == "threatened"]
    assert {(event["owner"], event["action"], event["group"]) for event in digests} == {("policy", "none", "book:all")}


def test_the_controls_of_2025_10_09_are_said_to_come_until_they_are_suspended(played: Played) -> None:
    line = of_the_lot(played, "control_coming")
    assert [(day, change) for day, change, _, _ in line] == [
        (date(2025, 10, 9), "raised"), (date(2025, 11, 7), "cleared"),
    ]  # fmt: skip
    [raised] = [
        event for _, event in played.events if event["type"] == "control_coming" and event["change"] == "raised"
    ]
    assert raised["act_by"] in ("2025-11-08", "2025-12-01")
    assert not of_the_lot(played, "review_required"), "a suspension that stands asks for no review"
    assert not [event for _, event in played.events if event["type"] == "content_verdict"], "the 0.1% rule never began"


def test_the_controls_of_2025_10_09_begin_and_are_suspended_as_the_notices_say(played: Played) -> None:
    for day in DAYS:
        controls = set(played.record(EPS, day)["exposure"]["controlled_by"])
        ran = date(2025, 10, 9) <= day < date(2025, 11, 7)
        assert controls == ({"CN-18", "CN-61-1c"} if ran else {"CN-18"}), day
    everywhere = {
        measure
        for by_day in played.history.values()
        for record in by_day.values()
        for measure in ((record["exposure"] or {}).get("controlled_by") or {})
    }
    assert not everywhere & {"CN-57", "CN-61-1a", "CN-61-1b"}, "suspended on 11-07, before 11-08 and 12-01"


def test_less_is_at_stake_once_licences_come_sooner(played: Played) -> None:
    # 13 weeks at most for a licence in the backlog to October, 9 from November on (fact sheet 1.5); six are on hand.
    first = date(2025, 10, 5)
    assert played.flags(EPS, "stockout_before_supply") == [(first, "raised"), (date(2025, 11, 1), "changed")]
    at_stake = [
        float(event["dollars_at_stake"])
        for key, event in played.events
        if key == key_of(EPS) + b":stockout_before_supply"
    ]
    assert at_stake == [(13 - 6) / 2 * 320, (9 - 6) / 2 * 320]


def test_chinas_fentanyl_duty_halves_on_2025_11_10_and_not_when_it_is_published(played: Played) -> None:
    for day in DAYS:
        duty = played.record(ENVISION, day)["tariff"]["importer_duty"]["replacement"]["rate_percent"]
        assert duty == [62.5] * 3 if day >= date(2025, 11, 10) else duty == [72.5] * 3, day


def test_koreas_cut_of_2025_11_01_is_known_on_2025_12_04_and_clears_no_flag(played: Played) -> None:
    for day in DAYS:
        duty = played.record(CARNIVAL, day)["tariff"]["importer_duty"]["replacement"]["rate_percent"]
        assert duty[1] == (15 if day == date(2025, 12, 4) else 27.5), day
    changes = played.flags(CARNIVAL, "replacement_cost_up")
    assert changes
    assert changes[0][1] == "raised"
    assert "cleared" not in {change for _, change in changes}, "the refund is the importer's"
