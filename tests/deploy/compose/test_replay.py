"""October 2025 plays through compose: one worker, one clock in a shared volume, day after day."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest
from kafka import KafkaConsumer, TopicPartition

from streams.broker.ports import free_port
from streams.topics import FLAGS
from tests.deploy.compose.test_compose import FILE, Compose
from tests.deploy.engine import IMAGE, compose_command, docker

REPLAY = FILE.with_name("replay.yml")


def test_the_autumn_of_2025_plays_through_compose(image: str) -> None:
    assert image == IMAGE, "the one that the file names"
    if docker("image", "inspect", "apache/kafka:4.4.0", check=False).returncode:
        pytest.fail("no image apache/kafka:4.4.0: docker pull apache/kafka:4.4.0", pytrace=False)
    project = Compose(compose_command(), free_port(), REPLAY, project="lotriskreplay")
    project("down", "--volumes", check=False)
    try:
        project("up", "-d", "worker")
        shown = project("run", "--rm", "replay")
        story = flags_of_the_lot(project.port)
    finally:
        print(project("logs", "--no-color", "topics", "worker", check=False)[-10_000:])
        project("down", "--volumes", "--timeout", "20")
    for day in ("2025-10-09", "2025-10-10", "2025-11-01", "2025-11-07", "2025-12-04"):
        assert f"\n{day}  " in shown, shown
    # Announced and suspended; threatened and never come. Each is said once of the lot, and cleared.
    coming = story["control_coming"]
    assert (coming[0][0], coming[-1][0]) == ("raised", "cleared")
    threatened = story["threatened"]
    assert threatened[0][0] == "raised"
    assert "CN-100" in threatened[0][1]
    assert threatened[-1][0] == "cleared"


def flags_of_the_lot(port: int) -> dict[str, list[tuple[str, str]]]:
    """What was said of the whole lot, by type: change and reason, in order."""
    consumer = KafkaConsumer(bootstrap_servers=f"127.0.0.1:{port}", isolation_level="read_committed")
    try:
        places = [TopicPartition(FLAGS.name, number) for number in consumer.partitions_for_topic(FLAGS.name)]
        consumer.assign(places)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(places)
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        while any(consumer.position(place) < end for place, end in ends.items()):
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    event = json.loads(record.value)
                    if event.get("group") == "book:all":
                        found[event["type"]].append((event["change"], event["why"]))
        return found
    finally:
        consumer.close()
