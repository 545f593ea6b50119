"""`lotrisk dlq` on a topic that also holds what can't be put back."""

from __future__ import annotations

import subprocess

from schemas.dead_letter import dead_letter_headers
from streams.settings import Settings
from streams.topics import VEHICLES, VEHICLES_DLQ
from tests.wire.kafka_io import Raw, create_topics, produce, read_all
from tests.wire.policy.desk import LOTRISK, environment


def test_what_is_not_lotrisks_and_what_has_no_key_is_told_of_and_the_rest_goes_on(settings: Settings) -> None:
    create_topics(settings, [VEHICLES, VEHICLES_DLQ])
    topic = VEHICLES.full_name(settings.topic_prefix)

    def letter(key: bytes | None, offset: int) -> Raw:
        headers = dead_letter_headers(
            (), reason="not_json", detail="x", topic=topic, partition=0, offset=offset, timestamp_ms=-1, version="0"
        )
        return Raw(b"{", key, [(name, value) for name, value in headers if value is not None], partition=0)

    produce(
        settings, VEHICLES_DLQ,
        [Raw(b"hello", b"k", partition=0), letter(None, 0), letter(b"d1:A", 1)],
    )  # fmt: skip

    def dlq(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(LOTRISK), "dlq", *arguments], env=environment(settings, COLUMNS="200"), capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    listed = dlq("list", "vehicles")
    assert "2 dead letters of vehicles" in listed.stdout
    assert f"{VEHICLES_DLQ.full_name(settings.topic_prefix)}[0] offset 0 is not lotrisk's" in listed.stderr
    replayed = dlq("replay", "vehicles", "--yes")
    assert "1 left: without a key" in replayed.stdout
    assert "replayed 1" in replayed.stdout
    assert [record.key for record in read_all(settings, VEHICLES)] == [b"d1:A"]
