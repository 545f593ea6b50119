"""The small process between lotrisk and Java, so that Java never outlives lotrisk.

It is run as a script and imports the standard library only. Its standard input is a pipe whose other end lotrisk holds:
when that closes, or when lotrisk is no longer the parent, Java is killed, the scratch directory is removed, and it
ends. Lines of JSON come in (`{"run": {"argv", "log", "env"}}`, `{"signal": number}`) and go out (`{"pid": number}`,
`{"exit": code}`, `{"failed": text}`). Arguments: lotrisk's pid, seconds of grace between SIGTERM and SIGKILL when
lotrisk is gone, and the scratch directory (or an empty string).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

_TICK_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec only calls that are safe there may happen.
_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


class Supervisor:
    """Runs one Java process at a time on behalf of `parent`."""

    def __init__(self, parent: int, grace_seconds: float, scratch: str) -> None:
        self.parent = parent
        self.grace_seconds = grace_seconds
        self.scratch = scratch
        self.java: subprocess.Popen[bytes] | None = None
        self.over = False

    def serve(self) -> None:
        """Obey until the pipe closes or the parent is gone, then leave nothing behind."""
        pending = b""
        while not self.over and os.getppid() == self.parent:
            readable, _, _ = select.select([0], [], [], _TICK_SECONDS)
            if readable:
                received = os.read(0, 65_536)
                if not received:
                    break
                *lines, pending = (pending + received).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))
            self.report_exit()
        self.leave()

    def obey(self, command: dict[str, Any]) -> None:
        """One command of the parent's."""
        if "run" in command:
            try:
                self.java = start(**command["run"])
            except OSError as refused:
                say({"failed": str(refused)})
            else:
                say({"pid": self.java.pid})
        elif self.java is not None:
            self.send(command["signal"])

    def send(self, number: int) -> None:
        """Signal Java; SIGKILL also what it started itself."""
        assert self.java is not None
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.java.pid, number)
        else:
            self.java.send_signal(number)

    def report_exit(self) -> None:
        """Tell the parent once that Java has ended."""
        if self.java is not None and (code := self.java.poll()) is not None:
            self.java = None
            say({"exit": code})

    def leave(self) -> None:
        """End Java, politely first where data is to be kept, and remove the scratch directory."""
        if self.java is not None:
            if self.grace_seconds > 0:
                self.java.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.java.wait(self.grace_seconds)
            self.send(signal.SIGKILL)
            self.java.wait()
        if self.scratch:
            deadline = time.monotonic() + 5
            while os.path.exists(self.scratch) and time.monotonic() < deadline:
                shutil.rmtree(self.scratch, ignore_errors=True)


def start(argv: list[str], log: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start Java in a process group of its own, its output appended to `log`.

    On Linux the kernel kills it if this process, which has a single thread, dies.
    """
    supervisor = os.getpid()

    def die_with_supervisor() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)

    with open(log, "ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            process_group=0,
            preexec_fn=die_with_supervisor,
        )


def say(message: dict[str, Any]) -> None:
    """One line to the parent, which may be gone."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(message).encode() + b"\n")


def main() -> None:
    """Entry point of the script."""
    supervisor = Supervisor(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])

    def end(_number: int, _frame: object) -> None:
        supervisor.over = True

    signal.signal(signal.SIGTERM, end)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    supervisor.serve()


if __name__ == "__main__":
    main()
