"""`lotrisk lag` as a process: the brokers' own numbers, and it outlives the brokers."""

from __future__ import annotations

import os
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from prometheus_client.parser import text_string_to_metric_families

from streams.broker import EmbeddedKafka
from streams.metrics import LAG_CATALOGUE
from streams.settings import Settings
from streams.topics import PARTS, VEHICLES
from tests.rehearsal.fleet import WorkerProcess
from tests.wire.kafka_io import Raw, create_topics, produce, wait_until

LOTRISK = Path(sys.executable).with_name("lotrisk")
Start = Callable[[Settings], "Exporter"]


class Exporter(WorkerProcess):
    """A running exporter."""

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page, once it has said where its port is."""
        found = wait_until(lambda: re.search(r"ready on (http://[0-9.:]+)", self.said()), 30, what=self.said)
        assert found
        try:
            with urllib.request.urlopen(found[1] + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def samples(self, name: str) -> dict[tuple[str, int], float]:
        """A metric by topic and partition; `("", -1)` for one without labels."""
        return {
            (sample.labels.get("topic", ""), int(sample.labels.get("partition", -1))): sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name
        }

    def up(self) -> bool:
        """Whether it says that the brokers answer."""
        return self.samples("lotrisk_brokers_up") == {("", -1): 1.0}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Exporter] = []

    def begin(settings: Settings) -> Exporter:
        environment = os.environ | {
            "LOTRISK_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "LOTRISK_TOPIC_PREFIX": settings.topic_prefix,
            "LOTRISK_GROUP": settings.group,
        }
        command = [str(LOTRISK), "lag", "--port", "0", "--every", "0.2", "--timeout", "2"]
        running.append(Exporter("lag", command, environment, tmp_path / f"lag{len(running)}.log"))
        return running[-1]

    yield begin
    for one in running:
        one.close()


def test_it_shows_what_the_brokers_say_and_no_more_than_the_catalogue(settings: Settings, start: Start) -> None:
    create_topics(settings)
    vehicles, parts = (topic.full_name(settings.topic_prefix) for topic in (VEHICLES, PARTS))
    produce(settings, VEHICLES, [Raw(b"{}", b"d:v", partition=1)] * 5)
    commit(settings, TopicPartition(vehicles, 1), 3)

    exporter = start(settings)
    wait_until(exporter.up, 30, what=exporter.said)
    lag = exporter.samples("lotrisk_group_lag_records")
    assert lag == {(name, n): 0.0 for name in (vehicles, parts) for n in range(settings.partitions)} | {
        (vehicles, 1): 2.0
    }
    assert exporter.samples("lotrisk_group_committed_offset")[vehicles, 1] == 3
    assert exporter.samples("lotrisk_group_end_offset")[vehicles, 1] == 5
    wait_until(lambda: exporter.samples("lotrisk_group_committed_age_seconds")[vehicles, 1] > 0.5, 30)
    assert exporter.samples("lotrisk_group_committed_age_seconds")[vehicles, 0] == 0
    families = {family.name for family in text_string_to_metric_families(exporter.get("/metrics")[1])}
    assert families == {metric.name.removesuffix("_total") for metric in LAG_CATALOGUE}
    assert exporter.get("/livez")[0] == exporter.get("/readyz")[0] == 200

    exporter.send(signal.SIGTERM)
    assert exporter.process.wait(10) == 0, exporter.said()


def test_it_outlives_the_brokers_and_says_so(
    own_broker: Callable[..., EmbeddedKafka], make_settings: Callable[..., Settings], start: Start
) -> None:
    broker = own_broker()
    settings = make_settings(broker.bootstrap_servers)
    create_topics(settings)
    exporter = start(settings)
    wait_until(exporter.up, 30, what=exporter.said)

    broker.kill()
    wait_until(lambda: not exporter.up(), 30, what=exporter.said)
    assert exporter.samples("lotrisk_group_lag_records") == {}
    assert exporter.get("/livez")[0] == 200, "a restart would not bring the brokers back"
    assert exporter.get("/readyz")[0] == 503

    broker.start()
    wait_until(exporter.up, 60, what=exporter.said)
    assert exporter.samples("lotrisk_group_lag_records")


def test_what_no_consumer_is_given_is_no_lag(settings: Settings, start: Start) -> None:
    create_topics(settings)
    vehicles = VEHICLES.full_name(settings.topic_prefix)
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=settings.group)
    with closing(producer):
        producer.init_transactions()
        for partition, taken_back in ((0, True), (1, False)):
            producer.begin_transaction()
            producer.send(vehicles, b"{}", key=b"d:v", partition=partition)
            producer.flush(30)
            producer.abort_transaction() if taken_back else producer.commit_transaction()
    commit(settings, TopicPartition(vehicles, 1), 1)

    exporter = start(settings)
    wait_until(exporter.up, 30, what=exporter.said)
    ends = {(vehicles, 0): 2.0, (vehicles, 1): 2.0}
    assert {key: end for key, end in exporter.samples("lotrisk_group_end_offset").items() if end} == ends

    def lag() -> dict[tuple[str, int], float]:
        return {key: lag for key, lag in exporter.samples("lotrisk_group_lag_records").items() if lag}

    wait_until(lambda: not lag(), 30, what=lambda: f"{lag()}\n{exporter.said()}")
    produce(settings, VEHICLES, [Raw(b"{}", b"d:v", partition=1)])
    wait_until(lambda: lag() == {(vehicles, 1): 2.0}, 30, what=lambda: f"{lag()}\n{exporter.said()}")
    wait_until(lambda: exporter.samples("lotrisk_group_committed_age_seconds")[vehicles, 1] > 2, 30)
    assert lag() == {(vehicles, 1): 2.0}, "a record waits: it stays"


def commit(settings: Settings, partition: TopicPartition, offset: int) -> None:
    """What a member of the group does."""
    consumer = KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, group_id=settings.group, enable_auto_commit=False
    )
    with closing(consumer):
        consumer.assign([partition])
        consumer.commit({partition: OffsetAndMetadata(offset, "", -1)})
