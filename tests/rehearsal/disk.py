"""A disk of a worker's own that can be filled: a tmpfs in a user and mount namespace, where the kernel allows it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

SIZE_MB = 128
_FILLER = ".filler"
_MOUNT = 'mount -t tmpfs -o size="$2" tmpfs "$1" && echo mounted && exec cat'


class SmallDisk:
    """A tmpfs on `directory`, seen by the processes that `inside` starts; it outlives them, and ends with this one.

    Takes no rights where unprivileged user namespaces are allowed; `possible` tells.
    """

    def __init__(self, directory: Path, size_mb: int = SIZE_MB) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh", directory, f"{size_mb}m"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"mounted\n":
            _, said = self._holder.communicate()
            raise OSError(f"no tmpfs on {directory}: {said.decode().strip()}")
        self._root = Path("/proc", str(self._holder.pid), "root", directory.relative_to("/"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._holder.communicate()

    def inside(self, command: list[str], directory: Path) -> list[str]:
        """The command that starts `command`, under its own process id, where the disk is seen."""
        enter = ["nsenter", "--preserve-credentials", "--user", "--mount", "--target", str(self._holder.pid)]
        return [*enter, "env", f"--chdir={directory}", *command]

    def fill(self) -> None:
        """Take all the room there is, down to the last byte."""
        with suppress(OSError), (self._root / _FILLER).open("ab", buffering=0) as filler:  # ENOSPC is the aim
            for size in (2**20, 2**12, 1):
                with suppress(OSError):
                    while filler.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        """There is room again."""
        (self._root / _FILLER).unlink(missing_ok=True)


@cache
def possible(directory: Path) -> bool:
    """Whether such a disk can be had below `directory`; what stands against it is said once."""
    try:
        with SmallDisk(directory / "disk-trial", 1) as disk:
            seen = subprocess.run(disk.inside(["df", "."], directory / "disk-trial"), capture_output=True, check=False)
            if b"tmpfs" in seen.stdout:
                return True
            why = seen.stderr.decode().strip()
    except OSError as error:
        why = str(error)
    print(f"full disks are played by a limit of file sizes: {why}", file=sys.stderr, flush=True)
    return False
