"""Apache Kafka's jars: fetched once by jgo into a cache, checked against the list in this package at every use."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

from streams.broker.errors import DistributionUnavailableError
from streams.broker.space import make_directory, require_space

KAFKA_VERSION = "4.4.0"
LOCK_FILE = Path(__file__).with_name(f"kafka-{KAFKA_VERSION}.lock")
CACHE_VARIABLE = "LOTRISK_BROKER_CACHE"
"""Environment variable: directory that holds one directory for each version of Kafka."""
REPOSITORY_VARIABLE = "LOTRISK_BROKER_REPOSITORY"
"""Environment variable: URL of a Maven repository to use instead of Maven Central."""

_ATTEMPTS = 3
_DOWNLOADS_AT_ONCE = 6
_TIMEOUT_SECONDS = 30


class LockedJar(NamedTuple):
    """One jar of the list: Maven coordinate (group:artifact:version), SHA-256 in hex, size in bytes."""

    coordinate: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """The jar's name in a Maven repository and in the cache."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A complete, checked set of jars. `home` is the version's directory in the cache."""

    home: Path
    jars: tuple[Path, ...]

    @property
    def classpath(self) -> str:
        """The jars as Java's `-cp` wants them, always in the same order."""
        return os.pathsep.join(str(jar) for jar in self.jars)


def locked_jars() -> tuple[LockedJar, ...]:
    """The jars that make up this version of Kafka."""
    rows = (line.split() for line in LOCK_FILE.read_text(encoding="utf-8").splitlines())
    return tuple(LockedJar(coordinate, sha256, int(size)) for coordinate, sha256, size in rows)


def cache_directory() -> Path:
    """Where this version's jars live: LOTRISK_BROKER_CACHE, or ~/.cache/lotrisk/kafka, then the version."""
    configured = os.environ.get(CACHE_VARIABLE)
    root = Path(configured).expanduser() if configured else Path.home() / ".cache" / "lotrisk" / "kafka"
    return root.absolute() / KAFKA_VERSION


def remote_repositories() -> dict[str, str] | None:
    """The repository of LOTRISK_BROKER_REPOSITORY by name, or None for jgo's default, Maven Central."""
    configured = os.environ.get(REPOSITORY_VARIABLE)
    return {"configured": configured.rstrip("/")} if configured else None


def find(home: Path | None = None) -> Distribution | None:
    """The cached distribution, or None when a jar is missing, surplus, truncated or changed."""
    home = home or cache_directory()
    locked = locked_jars()
    jars = home / "jars"
    if not jars.is_dir() or {path.name for path in jars.iterdir()} != {jar.file_name for jar in locked}:
        return None
    if not all(_is_sound(jars / jar.file_name, jar) for jar in locked):
        return None
    return Distribution(home, tuple(jars / jar.file_name for jar in locked))


def ensure(console: Console | None = None) -> Distribution:
    """The cached distribution; fetched first, with a progress bar on `console` (default stderr), where it is not whole.

    Several processes may call it at once: one fetches, the others wait. A filled cache is never asked for over the
    network. Raises DistributionUnavailableError, NoSpaceError or BrokerError.
    """
    home = cache_directory()
    if (found := find(home)) is not None:
        return found
    console = console or Console(stderr=True)
    make_directory(home, "Apache Kafka's jars")
    with exclusive(home / ".lock", lambda: console.print(f"Another process is filling {home}; waiting for it.")):
        if (found := find(home)) is not None:
            return found
        _fill(home, console)
        if (found := find(home)) is None:
            raise DistributionUnavailableError(
                f"{home / 'jars'} changed while it was being filled. Remove that directory and try again."
            )
        return found


@contextmanager
def exclusive(lock: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `lock`. The system lets go of it when the process ends, however it ends."""
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _is_sound(path: Path, jar: LockedJar) -> bool:
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def _fill(home: Path, console: Console) -> None:
    """Put every jar into a new directory beside the old one, then swap them. Called under the lock."""
    for leftover in home.glob("fetching-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    locked = locked_jars()
    total = sum(jar.size for jar in locked)
    require_space(home, 2 * total, "Apache Kafka's jars")
    staging = Path(tempfile.mkdtemp(prefix="fetching-", dir=home))
    try:
        fetched = staging / "jars"
        fetched.mkdir()
        missing = [jar for jar in locked if not _keep(home / "jars" / jar.file_name, fetched / jar.file_name, jar)]
        _download(missing, fetched, staging / "repository", home, console)
        if (home / "jars").exists():
            (home / "jars").rename(staging / "replaced")
        fetched.rename(home / "jars")
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _keep(old: Path, new: Path, jar: LockedJar) -> bool:
    if not _is_sound(old, jar):
        return False
    shutil.copy2(old, new)
    return True


def _download(jars: list[LockedJar], into: Path, repository: Path, home: Path, console: Console) -> None:
    from jgo.maven import MavenContext, PythonResolver

    columns = (
        SpinnerColumn(),
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    over = threading.Event()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(
            f"Fetching Apache Kafka {KAFKA_VERSION} ({len(jars)} jars)", total=sum(jar.size for jar in jars)
        )

        def fetch(jar: LockedJar, attempt: int) -> None:
            counted = 0

            @contextmanager
            def count(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
                def advance(received: int) -> None:
                    nonlocal counted
                    if over.is_set():
                        raise DistributionUnavailableError("interrupted")
                    counted += received
                    progress.advance(task, received)

                yield advance

            # An own repository directory for each attempt: jgo takes a file that is there, even a half-written one.
            context = MavenContext(
                resolver=PythonResolver(progress_callback=count),
                repo_cache=repository / jar.file_name / str(attempt),
                remote_repos=remote_repositories(),
                timeout=_TIMEOUT_SECONDS,
            )
            path = context.create_dependency(jar.coordinate).artifact.resolve()
            if not _is_sound(path, jar):
                progress.advance(task, -counted)
                raise DistributionUnavailableError(
                    f"{jar.file_name} came with other content than the list in {LOCK_FILE.name} says "
                    f"(SHA-256 {jar.sha256}, {jar.size} bytes). Check the repository or the proxy in between."
                )
            path.rename(into / jar.file_name)

        def fetch_patiently(jar: LockedJar) -> None:
            for attempt in range(_ATTEMPTS):
                began = time.monotonic()
                try:
                    return fetch(jar, attempt)
                except (RuntimeError, OSError, DistributionUnavailableError) as failure:
                    # Where nobody answered in all that time, more tries would only make the wait longer.
                    hopeless = over.is_set() or time.monotonic() - began >= _TIMEOUT_SECONDS
                    if hopeless or attempt == _ATTEMPTS - 1:
                        raise _unavailable(jar, home, failure) from failure

        with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            futures = [pool.submit(fetch_patiently, jar) for jar in jars]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                over.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _unavailable(jar: LockedJar, home: Path, failure: Exception) -> DistributionUnavailableError:
    if isinstance(failure, DistributionUnavailableError):
        return failure
    total = sum(one.size for one in locked_jars()) / 1e6
    return DistributionUnavailableError(
        f"Apache Kafka {KAFKA_VERSION} is not (or not whole) in the cache {home}, and {jar.file_name} can't be "
        f"fetched: {failure}\nConnect to the network once ({total:.0f} MB), or set {REPOSITORY_VARIABLE} to the URL of "
        f"a Maven mirror, or copy that directory from a machine that has it and set {CACHE_VARIABLE}."
    )
