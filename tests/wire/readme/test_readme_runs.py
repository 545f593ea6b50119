"""The README's five minutes against a Kafka of one's own, typed as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.settings import Settings

README = Path(__file__).resolve().parents[3] / "README.md"
LOTRISK = Path(sys.executable).with_name("lotrisk")
MADE_BEFORE = {"make install", ". .venv/bin/activate"}
DEADLINE_SECONDS = 120.0


def section(title: str) -> list[list[str]]:
    """The command lines of each shell block under a heading."""
    text = README.read_text("utf-8")
    body = re.split(r"^## ", text.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
    return [[line.split(" #")[0].strip() for line in block.splitlines() if line.strip()] for block in blocks]


class Terminal:
    """A shell's worth of state: a directory, exported variables, and a worker left running."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.directory = directory
        self.bootstrap_servers = settings.bootstrap_servers
        self.environment = os.environ | {
            "LOTRISK_TOPIC_PREFIX": settings.topic_prefix,
            "LOTRISK_GROUP": settings.group,
            "LOTRISK_WEB_PORT": "0",
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self.log = directory / "worker.log"

    def type(self, line: str) -> subprocess.CompletedProcess[str] | None:
        """Run a line, with yes to what it asks; None for those that leave something running or only set a variable."""
        if line in MADE_BEFORE:
            return None
        words = shlex.split(line)
        if "VIN" in words:
            with (self.directory / "lot.jsonl").open("rb") as lot:
                words[words.index("VIN")] = json.loads(next(lot))["vin"]
        if words[0] == "export":
            name, _, _ = words[1].partition("=")
            assert name == "LOTRISK_BOOTSTRAP_SERVERS", "the one thing a reader has to change"
            self.environment[name] = self.bootstrap_servers
            return None
        assert words[0] == "lotrisk", line
        if words[1] == "worker":
            with self.log.open("wb") as sink:
                self.workers.append(
                    subprocess.Popen(
                        [LOTRISK, *words[1:]], cwd=self.directory, env=self.environment, stdout=sink, stderr=sink
                    )
                )
            return None
        return subprocess.run(
            [LOTRISK, *words[1:]], cwd=self.directory, env=self.environment, capture_output=True, text=True,
            input="y\n", timeout=DEADLINE_SECONDS,
        )  # fmt: skip

    def close(self) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        if self.log.exists():
            print(self.log.read_text("utf-8"))


@pytest.fixture
def terminal(tmp_path: Path, settings: Settings) -> Iterator[Terminal]:
    opened = Terminal(tmp_path, settings)
    try:
        yield opened
    finally:
        opened.close()


def test_the_five_minutes_against_your_own_kafka(terminal: Terminal) -> None:
    first, second = section("Run it against your own Kafka")
    for line in first:
        ran = terminal.type(line)
        assert ran is None or ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
    assert terminal.workers, "the first block ends with a worker running"
    deadline = time.monotonic() + DEADLINE_SECONDS
    for line in second:
        ran = terminal.type(line)
        # A reader who types faster than the worker starts sees what is not there yet, and types again.
        while ran is not None and ran.returncode and time.monotonic() < deadline:
            assert terminal.workers[0].poll() is None, terminal.log.read_text("utf-8")
            ran = terminal.type(line)
        assert ran is not None
        assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
        assert ran.stdout.strip(), f"{line} shows nothing"
