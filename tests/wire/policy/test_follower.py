"""Workers and `trade.policy` on real Kafka: read before the group is joined, then followed; one event is one book."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.errors import TopicAlreadyExistsError

from streams.policy.book import BookNumber
from streams.reference.trade import load_trade
from streams.settings import Settings
from streams.topics import CATALOGUE, POLICY, WORKERS
from streams.transport.books import US_EASTERN, book_on
from streams.transport.policy_log import encode, encode_epoch
from tests.rehearsal.fleet import WorkerProcess
from tests.wire.kafka_io import Raw, admin, create_topics, produce, read_all, wait_until
from tests.wire.policy.desk import measure, start_worker

TRADE = load_trade()
Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts `lotrisk worker`s; what still runs at the end is killed."""
    workers: list[WorkerProcess] = []

    def begin(**more: str) -> WorkerProcess:
        workers.append(start_worker(settings, tmp_path_factory.mktemp("worker") / "worker.log", **more))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.close()


def ready(worker: WorkerProcess) -> WorkerProcess:
    wait_until(lambda: "worker ready" in worker.said() or not worker.alive, 60, what=worker.said)
    assert worker.alive, worker.said()
    return worker


def beats(settings: Settings) -> list[dict[str, object]]:
    """Every heartbeat so far, in order."""
    return [json.loads(one.value) for one in read_all(settings, WORKERS) if one.value and one.key != b"lotrisk.policy"]


def reported(settings: Settings) -> dict[str, object]:
    """The latest heartbeat."""
    found = beats(settings)
    return found[-1] if found else {}


def book(beat: dict[str, object]) -> BookNumber:
    return BookNumber.parse(str(beat["book"]))


def put(settings: Settings, *records: tuple[bytes, bytes | None]) -> None:
    produce(settings, POLICY, [Raw(value, key) for key, value in records])


def test_a_published_measure_is_the_workers_book_within_seconds(settings: Settings, start: Start) -> None:
    create_topics(settings)
    put(settings, encode(measure("DESK-1")))
    ready(start())
    wait_until(lambda: beats(settings), 15)
    assert book(reported(settings))[:3] == (TRADE.revision, 0, 0)

    put(settings, encode(measure("DESK-2")))
    published = time.monotonic()
    wait_until(lambda: book(reported(settings)).offset == 1, 10, what=lambda: str(reported(settings)))
    assert time.monotonic() - published < 5


def test_a_malformed_measure_is_reported_and_the_last_good_book_stays(settings: Settings, start: Start) -> None:
    create_topics(settings)
    worker = ready(start())
    put(settings, encode(measure("DESK-1")), (b"DESK-2", b"{"), (b"DESK-3", None))
    wait_until(lambda: reported(settings).get("rejected_measures") == 2, 15, what=lambda: str(reported(settings)))
    beat = reported(settings)
    assert book(beat).offset == 0
    assert [(one["offset"], one["measure"]) for one in beat["rejected"]] == [(1, "DESK-2"), (2, "DESK-3")]  # type: ignore[attr-defined]  # a list
    assert "tombstone" in beat["rejected"][1]["error"]  # type: ignore[index]  # a list
    assert "lotrisk_policy_rejected_measures 2.0" in worker.get("/metrics")[1]

    put(settings, encode(measure("DESK-2")))
    wait_until(lambda: reported(settings).get("rejected_measures") == 1, 15)
    assert book(reported(settings)).offset == 3


def test_a_transaction_of_three_measures_is_one_book(settings: Settings, start: Start) -> None:
    create_topics(settings)
    worker = ready(start())
    topic = POLICY.full_name(settings.topic_prefix)
    with closing(
        KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=f"{settings.group}-desk")
    ) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        for number in range(3):
            key, value = encode(measure(f"DESK-{number}"))
            producer.send(topic, value, key=key).get(timeout=10)
            producer.flush()
        put(settings, encode(measure("DESK-9")))
        producer.commit_transaction()
    wait_until(lambda: book(reported(settings)).offset == 3, 15, what=worker.said)
    offsets = {book(beat).offset for beat in beats(settings)}
    assert offsets == {-1, 3}
    assert worker.said().count(" replaces ") == 1


def test_a_recreated_topic_is_refused_until_an_import_begins_a_new_epoch(settings: Settings, start: Start) -> None:
    create_topics(settings)
    put(settings, *(encode(measure(f"DESK-{number}")) for number in range(3)))
    worker = ready(start())
    wait_until(lambda: [one for one in read_all(settings, WORKERS) if one.key == b"lotrisk.policy"], 15)
    worker.send(signal.SIGTERM)
    assert worker.process.wait(30) == 0, worker.said()
    assert read_all(settings, WORKERS)[-1].value is None, "it said goodbye"

    with closing(admin(settings)) as client:
        client.delete_topics([POLICY.full_name(settings.topic_prefix)])
    wait_until(lambda: _created(settings), 30)
    put(settings, *(encode(measure(f"DESK-{number}")) for number in range(4)))
    refused = start()
    assert refused.process.wait(60) == 1
    assert "made anew" in refused.said()
    assert "lotrisk policy import" in refused.said()

    put(settings, encode_epoch(1), encode(measure("DESK-1")))
    healed = ready(start())
    assert healed.counted("lotrisk_book_info", book=f"{TRADE.revision}.1.5.{_regime()}") == 1


def _created(settings: Settings) -> bool:
    try:
        create_topics(settings, [POLICY])
    except TopicAlreadyExistsError:
        return False
    return True


def _regime() -> date:
    return book_on(TRADE, datetime.now(US_EASTERN).date(), [measure("DESK-1")]).number.regime


def test_a_log_whose_first_records_are_gone_is_refused(settings: Settings, start: Start) -> None:
    create_topics(settings)
    put(settings, *(encode(measure(f"DESK-{number}")) for number in range(3)))
    with closing(admin(settings)) as client:
        client.delete_records({TopicPartition(POLICY.full_name(settings.topic_prefix), 0): 2})
    refused = start()
    assert refused.process.wait(60) == 1
    assert "its first records are gone" in refused.said()


def test_a_worker_without_the_topic_says_so(settings: Settings, start: Start) -> None:
    create_topics(settings, [topic for topic in CATALOGUE if topic is not POLICY])
    refused = start()
    assert refused.process.wait(60) == 1
    assert f"{POLICY.full_name(settings.topic_prefix)} does not exist" in refused.said()


def test_midnight_in_new_york_is_a_book_and_so_is_what_becomes_known(settings: Settings, start: Start) -> None:
    """A clock of a day in 6 s, from 2025-10-08 on: the book moves by itself, through each boundary and no other day."""
    create_topics(settings)
    later = measure("DESK-1", recorded_at="2025-10-12", announced_at="2025-10-12", effective_from="2025-10-15")
    put(settings, encode(later))
    worker = ready(start(LOTRISK_AS_OF="2025-10-08T12:00Z@4h/s"))
    last = date(2025, 10, 15)
    wait_until(lambda: f".{last} replaces " in worker.said(), 60, what=worker.said)

    first = book_on(TRADE, date(2025, 10, 8), [later], as_known_then=True)
    wanted = [day for day in sorted({*first.boundaries, *first.recorded}) if date(2025, 10, 8) < day <= last]
    # The first book is made before the policy is read; the policy's own event may come on either side of a midnight.
    regimes = [
        date.fromisoformat(text) for text in re.findall(rf"book {TRADE.revision}\.0\.0\.(\S+) replaces", worker.said())
    ]
    assert [day for day in regimes if day <= last][-len(wanted) + 1 :] == wanted[1:]
    wait_until(lambda: book(reported(settings)).regime >= last, 15, what=lambda: str(reported(settings)))
    assert {date(2025, 10, 12), last} <= set(wanted)
