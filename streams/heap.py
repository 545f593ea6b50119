"""A worker's memory kept small: what the C library's heap and mapped files hold without need is given back.

RocksDB, zstd and the batches take and leave much in large pieces, and the VIN tables are 90 MB of a mapped file, of
which a lot touches nearly all once and then hardly anything, since decodes are remembered. Without this a worker's
peak is a third higher. Linux with glibc only; nothing happens elsewhere.
"""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from functools import cache
from pathlib import Path
from typing import Final

_MIB: Final = 1024 * 1024
# Numbers of malloc.h and mman.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_MADV_DONTNEED: Final = 4

_COLLECT_AFTER: Final = 50_000
"""Objects made and not gone before the collector looks at them."""

LARGE_BYTES: Final = 4 * _MIB
"""From here on a piece is mapped by itself and gone when it is freed; glibc alone would raise that up to 32 MiB.

Above the buffers of a batch of Kafka's: to map each of those anew takes a sixth of a worker's time."""
_KEPT_FREE_BYTES: Final = 32 * _MIB
"""Free memory at the heap's end that waits for `give_back`."""
MAPPED_BYTES: Final = 8 * _MIB
"""Mapped data from this size on is worth giving back."""

_MAPPING: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)")


def keep_small() -> None:
    """Have the heap keep little that is free; to be called before threads and RocksDB begin."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, 2)
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE_BYTES)


def set_aside() -> None:
    """Have the collector of cycles leave alone what stays, and look less often for what doesn't.

    Call it when a worker has started. A batch makes thousands of objects and no cycle: collected as Python does by
    itself, they take a sixth of a worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


def give_back() -> None:
    """Give back what is free of the heap, and the pages of large read-only data: when needed, they are mapped again."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)
        for start, length in _read_only_data():
            libc.madvise(start, length, _MADV_DONTNEED)


@cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        return None
    libc.malloc_trim.argtypes = (ctypes.c_size_t,)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return libc


@cache
def _read_only_data() -> tuple[tuple[int, int], ...]:
    """Address and length of each large file mapping that nobody wrote to, as they stand at the first call.

    A mapping with pages of its own ("Anonymous", such as relocated pointers) is left alone: those can't be read again.
    """
    found = []
    try:
        lines = Path("/proc/self/smaps").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    mapping: re.Match[str] | None = None
    for line in lines:
        if match := _MAPPING.fullmatch(line):
            mapping = match
        elif mapping is not None and line.split() == ["Anonymous:", "0", "kB"]:
            start, end = int(mapping[1], 16), int(mapping[2], 16)
            if mapping[3] == "r--p" and mapping[4].startswith("/") and end - start >= MAPPED_BYTES:
                found.append((start, end - start))
    return tuple(found)
