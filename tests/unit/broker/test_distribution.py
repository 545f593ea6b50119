"""The cache of jars: whole or not at all, whatever happens while it is filled. A small repository is served here."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from streams.broker import distribution
from streams.broker.distribution import LockedJar
from streams.broker.errors import DistributionUnavailableError, NoSpaceError

CONTENT = {f"org.test:part{number}:1.{number}": os.urandom(50_000 + number) for number in range(4)}
UNREACHABLE = "http://127.0.0.1:9"


class Repository(http.server.ThreadingHTTPServer):
    """Counts what is asked for; `spoil` changes an answer's bytes by file name."""

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        self.asked: list[str] = []
        self.spoil: dict[str, Callable[[bytes], bytes]] = {}
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.SimpleHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        self.server.asked.append(name)
        body = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        spoil = self.server.spoil.get(name)
        self.wfile.write(spoil(body) if spoil else body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    lock = tmp_path / "test.lock"
    lines = []
    for coordinate, content in CONTENT.items():
        group, artifact, version = coordinate.split(":")
        path = tmp_path / "repository" / group.replace(".", "/") / artifact / version / f"{artifact}-{version}.jar"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        lines.append(f"{coordinate} {hashlib.sha256(content).hexdigest()} {len(content)}\n")
    lock.write_text("".join(lines))
    monkeypatch.setattr(distribution, "LOCK_FILE", lock)
    monkeypatch.setenv(distribution.CACHE_VARIABLE, str(tmp_path / "cache"))
    with Repository(tmp_path / "repository") as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        monkeypatch.setenv(distribution.REPOSITORY_VARIABLE, serving.url)
        yield serving
        serving.shutdown()


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=200, force_terminal=False)


def test_the_committed_list_is_kafka_whole_and_pinned() -> None:
    jars = distribution.locked_jars()
    names = {jar.file_name for jar in jars}
    assert len(names) == len(jars) == 45
    assert {f"kafka_2.13-{distribution.KAFKA_VERSION}.jar", f"kafka-clients-{distribution.KAFKA_VERSION}.jar"} <= names
    assert any(name.startswith("log4j-slf4j-impl-") for name in names), "without it the broker has no log"
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) and jar.size > 0 for jar in jars)
    log4j = {jar.coordinate.split(":")[2] for jar in jars if jar.coordinate.startswith("org.apache.logging.log4j:")}
    assert len(log4j) == 1


def test_an_empty_cache_is_filled_with_a_progress_bar_and_then_used_offline(
    repository: Repository, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert distribution.find() is None
    filled = distribution.ensure(console)
    assert {jar.name for jar in filled.jars} == {jar.file_name for jar in distribution.locked_jars()}
    assert filled.classpath.count(".jar") == len(CONTENT)
    assert "Fetching Apache Kafka" in console.export_text()
    assert not list(filled.home.glob("fetching-*"))
    monkeypatch.setenv(distribution.REPOSITORY_VARIABLE, UNREACHABLE)
    assert distribution.ensure(console) == filled


def test_no_network_and_no_cache_says_what_to_do(
    repository: Repository, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(distribution.REPOSITORY_VARIABLE, UNREACHABLE)
    with pytest.raises(DistributionUnavailableError) as unavailable:
        distribution.ensure(console)
    message = str(unavailable.value)
    assert str(distribution.cache_directory()) in message
    for way_out in ("Connect to the network once", distribution.REPOSITORY_VARIABLE, distribution.CACHE_VARIABLE):
        assert way_out in message
    assert distribution.find() is None
    assert not list(distribution.cache_directory().glob("fetching-*"))


def test_a_repository_without_the_jar_names_it(repository: Repository, console: Console, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "repository" / "org" / "test" / "part2")
    with pytest.raises(DistributionUnavailableError, match=r"part2-1\.2\.jar can't be fetched"):
        distribution.ensure(console)
    assert distribution.find() is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda jar: jar.unlink(),
        lambda jar: jar.write_bytes(jar.read_bytes()[:-1]),
        lambda jar: jar.write_bytes(b"\0" * jar.stat().st_size),
    ],
    ids=["missing", "truncated", "other bytes"],
)
def test_a_cache_that_is_not_whole_is_noticed_and_only_what_is_wrong_is_fetched_again(
    repository: Repository, console: Console, damage: Callable[[Path], None]
) -> None:
    filled = distribution.ensure(console)
    damage(filled.home / "jars" / "part1-1.1.jar")
    assert distribution.find() is None
    repository.asked.clear()
    assert distribution.ensure(console) == filled
    assert repository.asked == ["part1-1.1.jar"]


def test_a_surplus_jar_is_not_run(repository: Repository, console: Console) -> None:
    filled = distribution.ensure(console)
    (filled.home / "jars" / "stranger.jar").write_bytes(b"")
    assert distribution.find() is None
    distribution.ensure(console)
    assert not (filled.home / "jars" / "stranger.jar").exists()


@pytest.mark.parametrize("spoil", [lambda body: body[: len(body) // 2], lambda body: b"\0" * len(body)])
def test_a_spoiled_download_is_tried_again_and_never_enters_the_cache(
    repository: Repository, console: Console, spoil: Callable[[bytes], bytes]
) -> None:
    served = iter([spoil, spoil])
    repository.spoil["part3-1.3.jar"] = lambda body: next(served, lambda sound: sound)(body)
    distribution.ensure(console)
    assert repository.asked.count("part3-1.3.jar") == 3


def test_content_that_differs_for_good_is_refused(repository: Repository, console: Console) -> None:
    repository.spoil["part0-1.0.jar"] = lambda body: b"\0" * len(body)
    with pytest.raises(DistributionUnavailableError, match=r"other content than the list in test\.lock"):
        distribution.ensure(console)
    assert distribution.find() is None


def test_what_a_killed_fetch_left_is_removed(repository: Repository, console: Console) -> None:
    leftover = distribution.cache_directory() / "fetching-killed" / "jars"
    leftover.mkdir(parents=True)
    (leftover / "part0-1.0.jar").write_bytes(b"half")
    distribution.ensure(console)
    assert not leftover.parent.exists()


def test_no_space_is_said_before_anything_is_fetched(
    repository: Repository, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = LockedJar("org.test:huge:1", "0" * 64, 1 << 60)
    monkeypatch.setattr(distribution, "locked_jars", lambda: (huge,))
    with pytest.raises(NoSpaceError, match="MiB needed"):
        distribution.ensure(console)
    assert repository.asked == []


def test_processes_that_fill_the_cache_at_once_fetch_each_jar_once(repository: Repository) -> None:
    code = (
        "import sys; from pathlib import Path; from streams.broker import distribution;"
        f"distribution.LOCK_FILE = Path({str(distribution.LOCK_FILE)!r});"
        "print(len(distribution.ensure().jars))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outcomes = [process.communicate(timeout=60) for process in running]
    assert [output for output, _ in outcomes] == [f"{len(CONTENT)}\n"] * 3, outcomes
    assert sorted(repository.asked) == sorted(jar.file_name for jar in distribution.locked_jars())


def test_a_second_process_waits_for_the_lock_and_says_so(
    repository: Repository, console: Console, tmp_path: Path
) -> None:
    home = distribution.cache_directory()
    home.mkdir(parents=True)
    waiting = threading.Event()
    entered = threading.Event()

    def second() -> None:
        with distribution.exclusive(home / ".lock", waiting.set):
            entered.set()

    with distribution.exclusive(home / ".lock", lambda: pytest.fail("nobody else holds it")):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        assert not entered.is_set()
    thread.join(10)
    assert entered.is_set()


def test_the_cache_is_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(distribution.CACHE_VARIABLE, "~/elsewhere")
    assert distribution.cache_directory() == Path.home() / "elsewhere" / distribution.KAFKA_VERSION
    monkeypatch.delenv(distribution.CACHE_VARIABLE)
    assert distribution.cache_directory() == Path.home() / ".cache" / "lotrisk" / "kafka" / distribution.KAFKA_VERSION


def test_an_interrupt_ends_the_fetch_at_once(repository: Repository, tmp_path: Path) -> None:
    """The downloads that run give up too, so Ctrl-C needn't wait for a slow mirror."""
    held = threading.Event()

    def trickle(body: bytes) -> bytes:
        held.wait(60)
        return body

    repository.spoil = {jar.file_name: trickle for jar in distribution.locked_jars()}
    code = (
        "from pathlib import Path; from streams.broker import distribution;"
        f"distribution.LOCK_FILE = Path({str(distribution.LOCK_FILE)!r});"
        "distribution.ensure()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 30
        while len(repository.asked) < len(CONTENT) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        held.set()
        _, errors = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in errors
    assert distribution.find() is None
    assert not list(distribution.cache_directory().glob("fetching-*"))
