"""Room on a disk, asked before it is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from streams.broker.errors import BrokerError, NoSpaceError

_MIB = 1024 * 1024


def make_directory(path: Path, why: str) -> Path:
    """Create `path` (and its parents); raises BrokerError naming it when that can't be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise BrokerError(f"Can't create the directory {path} for {why}: {refused.strerror or refused}.") from refused
    return path


def require_space(directory: Path, need_bytes: int, why: str) -> None:
    """Raise NoSpaceError if the file system of `directory`, which exists, has less than `need_bytes` left."""
    free = shutil.disk_usage(directory).free
    if free < need_bytes:
        raise NoSpaceError(
            f"Not enough disk space in {directory} for {why}: {free // _MIB} MiB free, "
            f"{-(-need_bytes // _MIB)} MiB needed. Free some, or choose another directory."
        )
