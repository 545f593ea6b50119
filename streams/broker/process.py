"""lotrisk's end of the pipe to the supervisor (see `supervisor.py`): start Java, signal it, learn that it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.broker.errors import BrokerFailedError

_SCRIPT = Path(__file__).with_name("supervisor.py")
_REPLY_SECONDS = 30.0
_CLOSE_SECONDS = 15.0
_ENDED = "The process that supervises the broker was ended by someone else."


class SupervisedProcess:
    """At most one running child process, which is gone soon after this process is, however this one ends.

    `scratch` is removed when the supervisor ends. With `grace_seconds` above 0 an orphaned child gets that long between
    SIGTERM and SIGKILL. The file descriptor `hold` (of a locked file) stays open
    until the supervisor ends. Not for use by several threads at once.
    """

    def __init__(self, *, scratch: Path | None = None, grace_seconds: float = 0.0, hold: int | None = None) -> None:
        self.pid: int | None = None
        """Process id of the running child."""
        self.exit_code: int | None = None
        """How the last child ended: its exit code, or minus the signal's number."""
        self._pending = b""
        self._scratch = scratch
        self._supervised = True
        self._supervisor = subprocess.Popen(
            [
                sys.executable, "-I", "-S", str(_SCRIPT),
                str(os.getpid()), str(grace_seconds), str(scratch or ""),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Out of the terminal's process group: Ctrl-C is for lotrisk, which then stops Java in good order.
            start_new_session=True,
            pass_fds=() if hold is None else (hold,),
        )  # fmt: skip

    def run(self, argv: Sequence[str], log: Path, env: Mapping[str, str]) -> int:
        """Start a child with its output appended to `log`; its pid. BrokerFailedError if that can't be done."""
        assert self.pid is None, "a child is running"
        self.exit_code = None
        self._tell({"run": {"argv": list(argv), "log": str(log), "env": dict(env)}})
        deadline = time.monotonic() + _REPLY_SECONDS
        while self.pid is None and self.exit_code is None:
            if time.monotonic() > deadline:
                raise BrokerFailedError(f"The supervising process did not start {argv[0]} in {_REPLY_SECONDS:.0f} s.")
            self._read(deadline - time.monotonic(), argv[0])
        if not self._supervised:
            raise BrokerFailedError(_ENDED)
        return self.pid or 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child, if it runs."""
        if self.running:
            self._tell({"signal": int(number)})

    @property
    def running(self) -> bool:
        """Whether the child runs, as far as the supervisor has told."""
        if self.pid is not None:
            self._read(0.0)
        return self.pid is not None

    def wait(self, seconds: float) -> bool:
        """Wait until the child has ended; False when it still runs after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.running:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._read(left)
        return True

    def close(self) -> None:
        """Kill the child if it runs, remove the scratch directory and end the supervisor."""
        for pipe in (self._supervisor.stdin, self._supervisor.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        try:
            self._supervisor.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_child()
            self._supervisor.kill()
            self._supervisor.wait()
        self.pid = None
        if self._scratch is not None:
            # Gone already, unless the supervisor was killed.
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _kill_child(self) -> None:
        """For when the supervisor can't: the child leads a process group of its own."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _tell(self, command: Mapping[str, object]) -> None:
        assert self._supervisor.stdin is not None
        try:
            self._supervisor.stdin.write(json.dumps(command).encode() + b"\n")
            self._supervisor.stdin.flush()
        except (BrokenPipeError, ValueError) as gone:
            raise BrokerFailedError(_ENDED) from gone

    def _read(self, seconds: float, program: str = "") -> None:
        """Take in what the supervisor says within `seconds`."""
        assert self._supervisor.stdout is not None
        output = self._supervisor.stdout.fileno()
        readable, _, _ = select.select([output], [], [], max(0.0, seconds))
        if not readable:
            return
        received = os.read(output, 65_536)
        if not received:
            # Killed by someone. On Linux the kernel has killed the child with it, and its pid may be another's by now.
            if not sys.platform.startswith("linux"):
                self._kill_child()
            self.pid, self.exit_code, self._supervised = None, -signal.SIGKILL, False
            return
        *lines, self._pending = (self._pending + received).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "pid" in message:
                self.pid = message["pid"]
            elif "exit" in message:
                self.pid, self.exit_code = None, message["exit"]
            else:
                raise BrokerFailedError(f"{program} can't be started: {message['failed']}")
