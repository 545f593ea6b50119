"""Workers as processes, and an orchestrator that starts one again when it ends."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

from tests.rehearsal.disk import SmallDisk, possible

ROOT = Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.05
FULL_BYTES = 65_536
"""What a file may still hold on a disk that is full: enough for a worker to start and say what is the matter."""


class NotInTime(AssertionError):
    """What a rehearsal waits for did not happen in time."""


def wait_until(
    true: Callable[[], bool],
    seconds: float,
    what: str,
    said: Callable[[], str] = lambda: "",
    every: float = POLL_SECONDS,
) -> float:
    """Poll until `true`; returns how long it took. Raises NotInTime with `what` and what the workers `said`."""
    started = time.monotonic()
    while not true():
        if time.monotonic() - started > seconds:
            raise NotInTime(f"not within {seconds:.0f} s: {what}\n{said()}")
        time.sleep(every)
    return time.monotonic() - started


def limit_files(pid: int, largest_file: int) -> None:
    """From now on no file of a process can grow beyond so many bytes: to it the disk is full. 0 is this process."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest_file, hard))


class WorkerProcess:
    """One worker process and what it wrote to its log."""

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        log: Path,
        largest_file: int = resource.RLIM_INFINITY,
    ) -> None:
        """`largest_file`: bytes beyond which no file of its can grow, as on a disk that is full."""
        self.name = name
        self.log = log
        self._file: IO[bytes] = log.open("wb")
        self.process = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=ROOT,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: limit_files(0, largest_file),
        )
        self.expected_to_end = False

    @property
    def alive(self) -> bool:
        """Whether it runs (or is stopped by SIGSTOP)."""
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self.alive:
            self.process.send_signal(number)

    def said(self) -> str:
        """Its whole log."""
        self._file.flush()
        return self.log.read_text("utf-8", "replace")

    def peak_rss_mb(self) -> float:
        """Highest resident size so far, in MiB, as the kernel counts it."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text("utf-8"))
        return int(found[1]) / 1024 if found else psutil.Process(self.process.pid).memory_info().rss / 1024**2

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page of its health port."""
        found = re.search(r"health and metrics on (http://[0-9.:]+)", self.said())
        assert found, f"{self.name} has not said where its port is:\n{self.said()}"
        try:
            with urllib.request.urlopen(found[1] + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def counted(self, metric: str, **labels: str) -> float:
        """Sum of a metric's samples that carry `labels`."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            name, _, value = line.rpartition(" ")
            if name.startswith(metric + "{") and all(f'{key}="{text}"' in name for key, text in labels.items()):
                total += float(value)
        return total

    def close(self) -> None:
        """Kill what still runs."""
        if self.alive:
            self.process.kill()
        self.process.wait()
        self._file.close()


class Fleet:
    """Workers under supervision: one that ends without being told to is started again, without failpoints."""

    def __init__(
        self,
        environment: Mapping[str, str],
        directory: Path,
        *,
        module: str = "tests.rehearsal.light_worker",
        of_each: Mapping[str, Mapping[str, str]] | None = None,
        own_disks: bool = False,
    ) -> None:
        """`environment` is everybody's; `of_each` has more, by worker, which holds for its restarts too.

        With `own_disks` each worker's state stands on a small file system of its own, where that is possible.
        """
        self._of_each = of_each or {}
        self._own_disks = own_disks and possible(directory)
        self._disks: dict[str, SmallDisk] = {}
        self._mounted = ExitStack()
        self._largest_file: dict[str, int] = {}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LOTRISK_")},
            **environment,
        }
        self._directory = directory
        self._command = [sys.executable, "-m", module]
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._started = 0
        self.workers: dict[str, WorkerProcess] = {}
        self.ended: list[WorkerProcess] = []

    def __enter__(self) -> Self:
        self._supervisor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._supervisor.join()
        for worker in self.workers.values():
            worker.send(signal.SIGKILL)
        for worker in self.workers.values():
            worker.close()
        self._mounted.close()

    def start(self, name: str, *, restart: bool = True, **more: str) -> WorkerProcess:
        """Start worker `name` with `more` variables on top; `restart` says whether it is started again if it ends."""
        with self._lock:
            self._started += 1
            command = self._command
            if self._own_disks:
                if name not in self._disks:
                    self._disks[name] = self._mounted.enter_context(SmallDisk(self.state_of(name)))
                command = self._disks[name].inside(command, ROOT)
            worker = WorkerProcess(
                name,
                command,
                {
                    "LOTRISK_STATE_DIR": str(self.state_of(name)),
                    "REHEARSAL_ORDERS": str(self._directory / f"orders-{name}"),
                    **self.environment,
                    **self._of_each.get(name, {}),
                    **more,
                },
                self._directory / f"{self._started:03d}-{name}.log",
                self._largest_file.get(name, resource.RLIM_INFINITY),
            )
            worker.expected_to_end = not restart
            self.workers[name] = worker
            return worker

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts it again. Returns when it is dead: it would still count as ready before."""
        worker = self.workers[name]
        worker.send(signal.SIGKILL)
        worker.process.wait()

    def state_of(self, name: str) -> Path:
        """The state directory of worker `name`."""
        return self._directory / f"state-{name}"

    def fill_disk(self, name: str) -> None:
        """To the worker `name` and its restarts the disk is full, until `free_disk`.

        Without a disk of its own no file of its can grow any more, and its log gets a little more.
        """
        if self._own_disks:
            self._disks[name].fill()
            return
        worker = self.workers[name]
        self._largest_file[name] = worker.log.stat().st_size + FULL_BYTES
        if worker.alive:
            limit_files(worker.process.pid, self._largest_file[name])

    def free_disk(self, name: str) -> None:
        """There is room again."""
        if self._own_disks:
            self._disks[name].free()
            return
        self._largest_file.pop(name, None)
        if self.workers[name].alive:
            limit_files(self.workers[name].process.pid, resource.RLIM_INFINITY)

    def arm(self, name: str, text: str) -> None:
        """Set the failpoints of a worker that runs and is ready, counting from now."""
        worker = self.workers[name]
        assert "worker ready" in worker.said(), f"{name} can't be armed yet"
        (self._directory / f"orders-{name}").write_text(text, "ascii")
        worker.send(signal.SIGUSR2)

    def rebalance(self) -> None:
        """Ask for a rebalance: every live worker does, since only the leader of the group is listened to."""
        for worker in list(self.workers.values()):
            if "worker ready" in worker.said():  # before that the signal would end it
                worker.send(signal.SIGUSR1)

    def wait_until_ready(self, seconds: float = 30) -> None:
        """Poll until every living worker says that it is ready."""
        wait_until(lambda: self.ready() == len(self.workers), seconds, "the workers are ready", self.said)

    def stop(self, name: str, seconds: float = 20) -> tuple[int, float]:
        """SIGTERM, for good. Returns exit status and seconds taken."""
        worker = self.workers[name]
        worker.expected_to_end = True
        worker.send(signal.SIGTERM)
        taken = wait_until(lambda: not worker.alive, seconds, f"{name} ends after SIGTERM", self.said)
        with self._lock:
            self.ended.append(self.workers.pop(name))
        return worker.process.returncode, taken

    def _supervise(self) -> None:
        while not self._ending.wait(POLL_SECONDS):
            for name, worker in list(self.workers.items()):
                if not worker.alive and not worker.expected_to_end and not self._ending.is_set():
                    self.ended.append(worker)
                    self.start(name)

    def exit_codes(self) -> Counter[int]:
        """How the workers that ended did so; -9 is kill -9, 70 a worker that ended itself."""
        return Counter(worker.process.returncode for worker in self.ended)

    def logs(self) -> list[str]:
        """Every worker's log."""
        return [path.read_text("utf-8", "replace") for path in sorted(self._directory.glob("*.log"))]

    def failpoints_hit(self) -> Counter[str]:
        """How often each failpoint ended a worker, as the logs say."""
        return Counter(name for log in self.logs() for name in re.findall(r"^failpoint ([a-z._]+): ", log, re.M))

    def ready(self) -> int:
        """How many of the living workers said that they are."""
        return sum(worker.alive and "worker ready" in worker.said() for worker in self.workers.values())

    def rebalances(self) -> int:
        """How often partitions were shuffled, as the leaders of the group say."""
        return sum(len(re.findall(r"^shuffled \d+$", log, re.M)) for log in self.logs())

    def said(self) -> str:
        """The ends of all logs, for a failed test."""
        parts = [f"exit codes {dict(self.exit_codes())}"]
        for path in sorted(self._directory.glob("*.log"))[-8:]:
            parts.append(f"--- {path.name}\n" + "\n".join(path.read_text("utf-8", "replace").splitlines()[-25:]))
        return "\n".join(parts)
