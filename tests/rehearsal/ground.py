"""Fresh topics under a random prefix, the load on them, and how far the group has come."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Self

import orjson
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewTopic, OffsetSpec
from kafka.errors import KafkaError

from streams.settings import Settings
from streams.topics import CATALOGUE, VEHICLES
from tests.rehearsal.fleet import wait_until
from tests.rehearsal.light import POISON

Load = Callable[[int], tuple[bytes | None, bytes | None]]
"""Key and value of the record with a number."""


def load(keys: int = 2000, poison_every: int = 0, tombstone_every: int = 0, pad: int = 200) -> Load:
    """A mixed load: every nth a poison pill, every nth a tombstone."""
    padding = "x" * pad

    def record(number: int) -> tuple[bytes | None, bytes | None]:
        key = f"D{number % 7}:{number * 7919 % keys:017d}".encode()
        if poison_every and number % poison_every == poison_every - 1:
            return key, POISON + b" %d" % number
        if tombstone_every and number % tombstone_every == tombstone_every - 1:
            return key, None
        return key, orjson.dumps({"n": number, "pad": padding})

    return record


class Ground:
    """One rehearsal's own topics, group and settings on a broker."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        partitions: int = 4,
        input_configs: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        name = uuid.uuid4().hex[:8]
        self.settings = Settings(
            bootstrap_servers=bootstrap_servers,
            topic_prefix=f"r{name}.",
            group=f"r{name}",
            partitions=partitions,
            web_port=0,
            **{"session_timeout_seconds": 6, "rebalance_timeout_seconds": 12, "drain_seconds": 4, **more},
        )
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
        self._admin.create_topics(
            [
                NewTopic(
                    self.name(topic),
                    topic.partitions or partitions,
                    1,
                    topic_configs={**topic.configs, **(input_configs or {} if topic is VEHICLES else {})},
                )
                for topic in CATALOGUE
            ]
        )

    def name(self, topic: Any) -> str:
        """Full name of a topic here."""
        return str(topic.full_name(self.settings.topic_prefix))

    def close(self) -> None:
        """Delete the topics and disconnect."""
        try:
            self._admin.delete_topics([self.name(topic) for topic in CATALOGUE])
        finally:
            self._admin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def environment(self, **more: str) -> dict[str, str]:
        """The settings as variables for a worker."""
        changed = self.settings.model_dump(exclude_defaults=True, mode="json")
        return {f"LOTRISK_{name.upper()}": str(value) for name, value in changed.items()} | more

    def producer(self, **options: Any) -> KafkaProducer:
        """A producer for the inputs."""
        return KafkaProducer(
            **{
                "bootstrap_servers": self.settings.bootstrap_servers,
                "linger_ms": 5,
                "batch_size": 200_000,
                "max_block_ms": 60_000,
                "delivery_timeout_ms": 110_000,
                **options,
            }
        )

    def put(self, count: int, record: Load, start: int = 0) -> None:
        """Put `count` records in and wait until they are."""
        producer = self.producer()
        sent = []
        for number in range(start, start + count):
            key, value = record(number)
            sent.append(producer.send(self.name(VEHICLES), key=key, value=value))
        producer.flush()
        for future in sent:
            future.get(timeout=60)
        producer.close()

    def ends(self) -> dict[int, int]:
        """Next offset of each input partition."""
        topic = self.name(VEHICLES)
        wanted = {TopicPartition(topic, number): OffsetSpec.LATEST for number in range(self.settings.partitions)}
        found = self._admin.list_partition_offsets(wanted)
        return {tp.partition: value.offset for tp, value in found.items()}

    def committed(self) -> dict[int, int]:
        """The group's committed offset of each input partition that has one."""
        found = self._admin.list_group_offsets({self.settings.group: None})
        offsets = found[self.settings.group]
        return {tp.partition: value.offset for tp, value in offsets.items() if value.offset >= 0}

    def lag(self) -> int:
        """Records put in and not yet committed."""
        try:
            committed = self.committed()
        except KafkaError:  # a new cluster makes the topic of offsets at the first question
            committed = {}
        return sum(end - committed.get(number, 0) for number, end in self.ends().items())

    def wait_for_no_lag(self, seconds: float, said: Callable[[], str] = lambda: "") -> float:
        """Poll until everything put in is committed."""
        seen = [-1]

        def done() -> bool:
            try:
                seen[0] = self.lag()
            except KafkaError:  # the broker may be restarting; the deadline holds
                return False
            return seen[0] == 0

        return wait_until(done, seconds, "everything put in is committed", lambda: f"lag {seen[0]}\n{said()}")

    def wait_for_progress(self, seconds: float, said: Callable[[], str] = lambda: "") -> float:
        """Poll until every partition's committed offset has moved."""
        seen: list[dict[int, int]] = []

        def moved() -> bool:
            try:
                seen.append(self.committed())
            except KafkaError:  # no group yet, or the broker is restarting
                return False
            return all(seen[-1].get(number, 0) > seen[0].get(number, 0) for number in range(self.settings.partitions))

        return wait_until(
            moved, seconds, "every partition moves on", lambda: f"committed {seen[:1]}, {seen[-1:]}\n{said()}"
        )


class SteadyLoad:
    """Puts records in at a rate, in a thread, until stopped; `count` are in for sure after the block."""

    def __init__(self, ground: Ground, record: Load, per_second: float) -> None:
        self._ground = ground
        self._record = record
        self._per_second = per_second
        self._stop = threading.Event()
        self.flowing = threading.Event()
        """Cleared, nothing is put in until it is set again."""
        self.flowing.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: BaseException | None = None
        self.count = 0

    def __enter__(self) -> SteadyLoad:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            producer = self._ground.producer()
            topic = self._ground.name(VEHICLES)
            sent = []
            began = time.monotonic()
            paused = 0.0
            while not self._stop.wait(0.01):
                if not self.flowing.is_set():
                    stopped = time.monotonic()
                    while not self.flowing.wait(0.1) and not self._stop.is_set():
                        pass
                    paused += time.monotonic() - stopped
                due = int((time.monotonic() - began - paused) * self._per_second)
                for number in range(self.count, due):
                    key, value = self._record(number)
                    sent.append(producer.send(topic, key=key, value=value))
                self.count = max(self.count, due)
            producer.flush()
            for future in sent:
                future.get(timeout=90)
            producer.close()
        except BaseException as error:
            self._error = error
