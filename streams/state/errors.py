"""What can be wrong with a state directory. RocksDB tells by text only; it is read here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

LOCKED: Final = ("lock hold by current process", "While lock file")
_UNUSABLE: Final = (
    "No space left on device",
    "Disk quota exceeded",
    "File too large",
    "Permission denied",
    "Operation not permitted",
    "Read-only file system",
    "Too many open files",
    "Not a directory",
    "Input/output error",
)


class StateError(RuntimeError):
    """The state can't be used; the message names the directory and says what to do."""


class StateLockedError(StateError):
    """Another process has the directory open."""


class StateUnusableError(StateError):
    """The directory can't be written or read: rights, room, a broken disk."""


class StateDamagedError(StateError):
    """What is stored isn't what was written; the state has to be built anew from the topic."""


def is_rocksdb(error: Exception) -> bool:
    """Whether RocksDB raised it: its errors are plain exceptions, of no class of their own."""
    return type(error) is Exception


def translate(error: Exception, directory: Path) -> StateError:
    """RocksDB's error as one that says what to do. What isn't known is damage: the topic can mend it."""
    text = str(error)
    if any(sign in text for sign in LOCKED):
        return StateLockedError(
            f"state directory {directory} is in use by another process: stop that worker, or give each worker on this "
            f"machine a LOTRISK_STATE_DIR of its own ({text})"
        )
    if isinstance(error, OSError) or any(sign in text for sign in _UNUSABLE):
        return StateUnusableError(
            f"state directory {directory} can't be used: {text}. Make it writable, free space, or set "
            "LOTRISK_STATE_DIR to another place; what it holds can be built anew from the enriched topic"
        )
    return StateDamagedError(
        f"state directory {directory} is damaged: {text}. Start the worker again: it builds the state anew from the "
        "enriched topic"
    )
