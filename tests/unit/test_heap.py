"""What a worker gives back of its memory; each case in a process of its own, for mallopt can't be undone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import ctypes, mmap, re, sys
from pathlib import Path
from streams import heap

if not sys.platform.startswith("linux"):  # there it may be called, and nothing happens
    heap.keep_small()
    heap.give_back()
    sys.exit()

def resident(kind):
    return int(re.search(kind + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

size = 16 * 1024 * 1024
"""

MAPPED_FILE = """
with open(sys.argv[1], "rb") as file:
    data = mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
before = sum(data[::4096])
held = resident("RssFile")
heap.give_back()
assert resident("RssFile") < held - 12, (held, resident("RssFile"))
assert sum(data[::4096]) == before
heap.give_back()
assert resident("RssFile") < held - 12
"""

WRITTEN_TO = """
with open(sys.argv[1], "rb") as file:
    data = mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
data[5_000_000] = 77
view = (ctypes.c_char * size).from_buffer(data)
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(ctypes.addressof(view)), ctypes.c_size_t(size), 1) == 0
heap.give_back()
assert data[5_000_000] == 77
"""

SET_ASIDE = """
import gc

kept = [[] for _ in range(100_000)]
heap.set_aside()
assert gc.get_freeze_count() > 100_000
assert not any(found is kept for found in gc.get_objects())

class Cycle:
    gone = 0

    def __init__(self):
        self.me = self

    def __del__(self):
        Cycle.gone += 1

for _ in range(200_000):
    Cycle()
assert Cycle.gone > 100_000, Cycle.gone
"""

FREED = """
heap.keep_small()
pieces = [bytearray(200_000) for _ in range(400)]
pieces += [bytearray(500_000) for _ in range(100)]
held = resident("RssAnon")
last = pieces.pop(399)
pieces.clear()
heap.give_back()
assert resident("RssAnon") < held - 110, (held, resident("RssAnon"))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tables"
    path.write_bytes(b"\1\2\3\4" * (4 * 1024 * 1024))
    return path


@pytest.mark.parametrize(
    "case",
    [MAPPED_FILE, WRITTEN_TO, FREED, SET_ASIDE],
    ids=["a mapped file", "written to", "freed", "what stays is not looked at again, what is left in a cycle goes"],
)
def test_what_is_not_needed_is_given_back(file: Path, case: str) -> None:
    done = subprocess.run([sys.executable, "-c", START + case, str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
