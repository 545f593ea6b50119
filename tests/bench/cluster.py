"""The broker of a benchmark run, its topics, and contenders as processes on them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic, OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    LeaderNotAvailableError,
    NotCoordinatorError,
    NotLeaderForPartitionError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from kafka.protocol.consumer import IsolationLevel
from kafka.structs import OffsetAndMetadata

from streams.topics import CATALOGUE, VEHICLES_DLQ, VEHICLES_ENRICHED, Topic

ROOT = Path(__file__).parents[2]
RIVALS_PYTHON = ROOT / "build/bench-env/bin/python"
"""The interpreter of what lotrisk's own environment doesn't hold; `make bench` makes it."""

NOT_YET = (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    LeaderNotAvailableError,
    NotCoordinatorError,
    NotLeaderForPartitionError,
    UnknownTopicOrPartitionError,
)
"""A topic made a moment ago, or a cluster that makes its offsets topic at the first question."""


class Cluster:
    """Topics under one prefix on a running broker."""

    def __init__(self, bootstrap_servers: str, prefix: str, partitions: int) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.prefix = prefix
        self.partitions = partitions
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
        self._group = ""
        self._directory = tempfile.mkdtemp(prefix="lotrisk-bench-")

    def create_topics(self) -> None:
        """Every topic of the catalogue."""
        self._create(CATALOGUE)

    def _create(self, topics: Iterable[Topic]) -> None:
        self.admin.create_topics(
            [
                NewTopic(
                    topic.full_name(self.prefix), topic.partitions or self.partitions, 1,
                    topic_configs=dict(topic.configs),
                )
                for topic in topics
            ]
        )  # fmt: skip

    def fill(self, payload: str, count: int) -> None:
        """`count` records of a payload on the input topic, the same number in each partition."""
        subprocess.run(
            [RIVALS_PYTHON, "-m", "tests.bench.load", "fill", payload, str(count)],
            env=self.environment(), cwd=ROOT, check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def empty_outputs(self) -> None:
        """New output topics and no state: what was published before must not make a record unchanged."""
        outputs = [topic for topic in CATALOGUE if topic in (VEHICLES_ENRICHED, VEHICLES_DLQ)]
        self.admin.delete_topics([topic.full_name(self.prefix) for topic in outputs])
        deadline = time.monotonic() + 30
        while True:
            try:
                self._create(outputs)
                break
            except TopicAlreadyExistsError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory = tempfile.mkdtemp(prefix="lotrisk-bench-")

    def drop_topics(self) -> None:
        """Delete every topic of the prefix."""
        self.admin.delete_topics([topic.full_name(self.prefix) for topic in CATALOGUE])

    def close(self) -> None:
        """Leave nothing behind but the broker's data."""
        self.admin.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def ends(self, name: str) -> int:
        """Sum of the topic's end offsets as a `read_committed` reader sees them."""
        wanted = {
            TopicPartition(f"{self.prefix}{name}", number): OffsetSpec.LATEST for number in range(self.partitions)
        }
        try:
            found = self.admin.list_partition_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED)
        except NOT_YET:
            return 0
        return sum(offset.offset for offset in found.values())

    @staticmethod
    def new_group() -> str:
        """The name of a consumer group that nobody has used."""
        return f"bench-{time.monotonic_ns()}"

    def await_ready(self, worker: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
        """Wait until the group of the contender that was started last has its partitions.

        Raises:
            RuntimeError: it ended, or took longer.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(KafkaError):
                described = self.admin.describe_groups([self._group])[self._group]
                if described["group_state"] == "Stable" and described["members"]:
                    return
            if worker.poll() is not None:
                raise RuntimeError(f"the contender ended with status {worker.returncode}")
            time.sleep(0.1)
        raise RuntimeError(f"the contender's group is not stable after {seconds:.0f} s")

    def _commit_ends(self) -> None:
        topic = f"{self.prefix}dms.vehicles"
        wanted = {TopicPartition(topic, number): OffsetSpec.LATEST for number in range(self.partitions)}
        deadline = time.monotonic() + 20
        while True:
            try:
                ends = self.admin.list_partition_offsets(wanted)
                offsets = {place: OffsetAndMetadata(found.offset, "", -1) for place, found in ends.items()}
                self.admin.alter_group_offsets(self._group, offsets)
                return
            except NOT_YET:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def environment(self, settings: Mapping[str, str] | None = None) -> dict[str, str]:
        """Environment of a process on this cluster, in the group of the contender that was started last."""
        return {
            **os.environ,
            "LOTRISK_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "LOTRISK_TOPIC_PREFIX": self.prefix,
            "LOTRISK_PARTITIONS": str(self.partitions),
            "LOTRISK_GROUP": self._group,
            "LOTRISK_STATE_DIR": self._directory,
            "LOTRISK_WEB_PORT": "0",
            "LOTRISK_SESSION_TIMEOUT_SECONDS": "10",
            "LOTRISK_REBALANCE_TIMEOUT_SECONDS": "15",
            "LOTRISK_DRAIN_SECONDS": "5",
            "LOTRISK_LOG_LEVEL": "WARNING",
            **(settings or {}),
        }

    @contextlib.contextmanager
    def contender(
        self,
        module: str,
        *arguments: str,
        python: str | Path = sys.executable,
        from_end: bool = False,
        group: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A contender running as a process in a group of its own; ended at the end.

        `group` makes it join the others of that group. It begins with the backlog, or with `from_end` with what comes
        from now on.
        """
        self._group = group or self.new_group()
        if from_end:
            self._commit_ends()
        process = subprocess.Popen(
            [python, "-m", module, *arguments], env=self.environment(settings), cwd=ROOT,
            stdout=subprocess.DEVNULL, stderr=None if os.environ.get("BENCH_VERBOSE") else subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
