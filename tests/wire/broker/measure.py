"""What docs/broker.md says under "Measured": `python -m tests.wire.broker.measure` (fetches Kafka anew; a minute)."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable

import psutil
from rich.console import Console
from rich.table import Table

from streams.broker import EmbeddedKafka, distribution


def seconds(work: Callable[[], object]) -> str:
    began = time.monotonic()
    work()
    return f"{time.monotonic() - began:.1f} s"


def main() -> None:
    table = Table("what", "measured")
    with tempfile.TemporaryDirectory() as cache:
        os.environ[distribution.CACHE_VARIABLE] = cache
        table.add_row("fetch the jars (45 MB)", seconds(distribution.ensure))
        first = EmbeddedKafka()
        table.add_row("first start, with Java's archive made once", seconds(first.start))
        first.stop()
        kafka = EmbeddedKafka()
        table.add_row("later start of a new broker, formatted and answering", seconds(kafka.start))
        assert kafka.pid is not None
        table.add_row("its resident memory", f"{psutil.Process(kafka.pid).memory_info().rss / 1e6:.0f} MB")
        table.add_row("restart in good order", seconds(kafka.restart))
        table.add_row("kill -9", seconds(kafka.kill))
        table.add_row("start after it", seconds(kafka.start))
        table.add_row("stop", seconds(kafka.stop))
        slow = EmbeddedKafka(fast_start=False)
        table.add_row("start without the archive", seconds(slow.start))
        slow.stop()
    Console().print(table)


if __name__ == "__main__":
    main()
