"""A child never outlives its parent, however that ends. Any program stands in for Java here."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from streams.broker.errors import BrokerFailedError
from streams.broker.process import SupervisedProcess

FOREVER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]
PARENT = """
import os, sys, time
from pathlib import Path
from streams.broker.process import SupervisedProcess
scratch = Path(sys.argv[1])
process = SupervisedProcess(scratch=scratch, grace_seconds=float(sys.argv[2]))
pid = process.run([sys.executable, "-c", sys.argv[3]], Path(sys.argv[4]), dict(os.environ))
if sys.argv[5] == "fork" and os.fork() == 0:
    time.sleep(600)
print(process._supervisor.pid, pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def soon(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def supervised() -> Iterator[Callable[..., SupervisedProcess]]:
    made: list[SupervisedProcess] = []

    def make(**arguments: object) -> SupervisedProcess:
        made.append(SupervisedProcess(**arguments))  # type: ignore[arg-type]  # passed on as they come
        return made[-1]

    yield make
    for process in made:
        process.close()


@pytest.fixture
def parent(tmp_path: Path, log: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int, int, Path]]]:
    started: list[subprocess.Popen[str]] = []
    children: list[int] = []

    def make(
        code: str = "import time; time.sleep(600)", grace: float = 0.0, fork: bool = False
    ) -> tuple[subprocess.Popen[str], int, int, Path]:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        (scratch / "data").write_text("x")
        arguments = [str(scratch), str(grace), code, str(log), "fork" if fork else ""]
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        supervisor, child = map(int, process.stdout.readline().split())
        children.append(child)
        return process, supervisor, child, scratch

    yield make
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    assert soon(lambda: not any(map(alive, children)))


def test_a_child_runs_writes_its_log_and_its_end_is_known(
    supervised: Callable[..., SupervisedProcess], log: Path
) -> None:
    process = supervised()
    process.run([sys.executable, "-c", "import sys; print('out'); sys.exit(7)"], log, os.environ)
    assert process.wait(20)
    assert process.exit_code == 7
    assert process.pid is None
    process.run([sys.executable, "-c", "print('again')"], log, os.environ)
    assert process.wait(20)
    assert process.exit_code == 0
    assert log.read_text() == "out\nagain\n"


def test_a_signal_reaches_the_child(supervised: Callable[..., SupervisedProcess], log: Path) -> None:
    process = supervised()
    pid = process.run(FOREVER, log, os.environ)
    assert process.running
    assert not process.wait(0.05)
    process.signal(signal.SIGKILL)
    assert process.wait(10)
    assert process.exit_code == -signal.SIGKILL
    assert not alive(pid)


def test_a_program_that_does_not_exist_is_named(supervised: Callable[..., SupervisedProcess], log: Path) -> None:
    with pytest.raises(BrokerFailedError, match=r"/no/java can't be started: .*No such file"):
        supervised().run(["/no/java"], log, os.environ)


def test_close_kills_the_child_and_removes_the_scratch_directory(
    supervised: Callable[..., SupervisedProcess], tmp_path: Path, log: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = supervised(scratch=scratch)
    pid = process.run(FOREVER, log, os.environ)
    process.close()
    assert not alive(pid)
    assert not scratch.exists()


def test_the_child_outlives_the_thread_that_started_it(supervised: Callable[..., SupervisedProcess], log: Path) -> None:
    """Linux's parent-death signal is sent when the parent's *thread* ends: it must not be what this rests on."""
    started: list[SupervisedProcess] = []

    def start() -> None:
        started.append(supervised())
        started[0].run(FOREVER, log, os.environ)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert not started[0].wait(0.5)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_parent_killed_child_and_scratch_gone_within_two_seconds(
    parent: Callable[..., tuple[subprocess.Popen[str], int, int, Path]], number: signal.Signals
) -> None:
    process, supervisor, child, scratch = parent()
    assert alive(child)
    process.send_signal(number)
    assert soon(lambda: not alive(child) and not scratch.exists(), 2.0)
    assert soon(lambda: not alive(supervisor), 2.0)


def test_parent_killed_while_a_fork_of_it_holds_the_pipe(
    parent: Callable[..., tuple[subprocess.Popen[str], int, int, Path]],
) -> None:
    process, _, child, scratch = parent(fork=True)
    process.kill()
    assert soon(lambda: not alive(child) and not scratch.exists(), 2.0)


def test_a_child_that_keeps_data_is_asked_first_and_killed_if_deaf(
    parent: Callable[..., tuple[subprocess.Popen[str], int, int, Path]], log: Path
) -> None:
    process, _, child, _ = parent(STUBBORN[2], grace=0.5)
    assert soon(lambda: log.read_text() == "deaf\n")
    killed = time.monotonic()
    process.kill()
    assert soon(lambda: not alive(child), 5.0)
    assert time.monotonic() - killed >= 0.5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_supervisor_ended_by_someone_takes_the_child_along(
    supervised: Callable[..., SupervisedProcess], tmp_path: Path, log: Path, number: signal.Signals
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = supervised(scratch=scratch)
    pid = process.run(FOREVER, log, os.environ)
    os.kill(process._supervisor.pid, number)
    assert process.wait(5)
    assert soon(lambda: not alive(pid))
    with pytest.raises(BrokerFailedError, match="ended by someone else"):
        process.run(FOREVER, log, os.environ)
    process.close()
    assert not scratch.exists()


def test_kill_takes_the_childs_own_children_too(supervised: Callable[..., SupervisedProcess], log: Path) -> None:
    process = supervised()
    code = f"import subprocess, time; print(subprocess.Popen({FOREVER!r}).pid, flush=True); time.sleep(600)"
    process.run([sys.executable, "-c", code], log, os.environ)
    assert soon(lambda: log.exists() and log.read_text().endswith("\n"))
    grandchild = int(log.read_text())
    process.signal(signal.SIGKILL)
    assert soon(lambda: not alive(grandchild))
