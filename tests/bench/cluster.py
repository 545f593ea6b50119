"""The broker of a benchmark run, its topics, and contenders as processes on them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewTopic, OffsetSpec
from kafka.protocol.consumer import IsolationLevel

from streams.topics import CATALOGUE
from tests.bench.light import record

ROOT = Path(__file__).parents[2]


class Cluster:
    """Topics under one prefix on a running broker."""

    def __init__(self, bootstrap_servers: str, prefix: str, partitions: int) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.prefix = prefix
        self.partitions = partitions
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
        self._directory = tempfile.mkdtemp(prefix="lotrisk-bench-")

    def create_topics(self) -> None:
        """Every topic of the catalogue."""
        self.admin.create_topics(
            [
                NewTopic(topic.full_name(self.prefix), topic.partitions or self.partitions, 1,
                         topic_configs=dict(topic.configs))
                for topic in CATALOGUE
            ]
        )  # fmt: skip

    def fill(self, count: int) -> None:
        """`count` light records on the input topic."""
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap_servers, linger_ms=20, batch_size=500_000, compression_type="lz4"
        )
        for number in range(count):
            key, value = record(number)
            producer.send(f"{self.prefix}dms.vehicles", key=key, value=value)
        producer.flush()
        producer.close()

    def ends(self, name: str) -> int:
        """Sum of the topic's end offsets as a `read_committed` reader sees them."""
        wanted = {
            TopicPartition(f"{self.prefix}{name}", number): OffsetSpec.LATEST for number in range(self.partitions)
        }
        found = self.admin.list_partition_offsets(wanted, isolation_level=IsolationLevel.READ_COMMITTED)
        return sum(offset.offset for offset in found.values())

    def environment(self, **settings: str) -> dict[str, str]:
        """Environment of a contender with a group of its own."""
        return {
            **os.environ,
            "LOTRISK_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "LOTRISK_TOPIC_PREFIX": self.prefix,
            "LOTRISK_PARTITIONS": str(self.partitions),
            "LOTRISK_GROUP": f"bench-{time.monotonic_ns()}",
            "LOTRISK_STATE_DIR": self._directory,
            "LOTRISK_WEB_PORT": "0",
            "LOTRISK_SESSION_TIMEOUT_SECONDS": "10",
            "LOTRISK_REBALANCE_TIMEOUT_SECONDS": "15",
            "LOTRISK_DRAIN_SECONDS": "5",
            "LOTRISK_LOG_LEVEL": "WARNING",
            **settings,
        }

    @contextlib.contextmanager
    def contender(self, module: str, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
        """A contender running as a process; ended at the end."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], env=self.environment(**settings), cwd=ROOT,
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
