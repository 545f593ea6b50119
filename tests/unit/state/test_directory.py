"""A state directory that is somebody else's, can't be written, is full, or is damaged."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas.cloudevents import OrderKey
from streams.policy.book import BookNumber
from streams.state.codec.checkpoint import Checkpoint
from streams.state.errors import StateDamagedError, StateLockedError, StateUnusableError
from streams.state.partition import RocksState
from streams.state.view import Gone, Held
from tests.unit.state.conftest import PLACE

NOBODY = 65_534
BOOK = BookNumber.parse("1.0.-1.2026-09-29")
OPEN = """
import os
import pickle  # rocksdict imports it later, when another user may not read it any more
import sys
from pathlib import Path
from streams.state.errors import StateError
from streams.state.rocks import Database, Memory
if len(sys.argv) > 2:
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    database = Database(Path(sys.argv[1]), Memory())
except StateError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print("open", flush=True)
sys.stdin.read()
"""

Make = Callable[..., RocksState]


def held(number: int, size: int = 1000) -> Held:
    order = OrderKey("id", number, str(BOOK))
    return Held(bytes(16), order, None, BOOK, b"[]", os.urandom(size // 2).hex().encode())


def readable(state: RocksState, number: int) -> bool:
    """Whether the canonical record can be read, rather than being damaged."""
    try:
        return state.canonical(b"%d" % number) is not None
    except StateDamagedError:
        return False


@pytest.fixture
def open_elsewhere() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Opens a state directory in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(directory: Path, *user: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", OPEN, str(directory), *user], text=True, cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_directory_in_use_by_another_process_is_refused_until_that_ends(
    make_state: Make, tmp_path: Path, open_elsewhere: Callable[..., subprocess.Popen[str]]
) -> None:
    directory = tmp_path / "state"
    other = open_elsewhere(directory)
    assert other.stdout is not None
    assert other.stdout.readline() == "open\n"

    with pytest.raises(StateLockedError) as refused:
        make_state(directory)
    assert str(directory) in str(refused.value)
    assert "LOTRISK_STATE_DIR of its own" in str(refused.value)

    other.kill()
    other.wait()
    assert make_state(directory).held(b"k") is None


def test_a_directory_open_in_this_process_is_refused_too(make_state: Make) -> None:
    make_state()
    with pytest.raises(StateLockedError, match="in use"):
        make_state()


@pytest.mark.parametrize("existing", [True, False])
def test_a_read_only_directory_says_what_to_do_and_nothing_is_thrown_away(
    existing: bool, open_elsewhere: Callable[..., subprocess.Popen[str]], make_state: Make
) -> None:
    """As root everything can be written, so another user looks at it."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        directory = root / "state"
        if existing:
            state = make_state(directory)
            state.apply({b"k": held(1)}, 1)
            state.close()
            for path in (directory, *directory.iterdir()):
                path.chmod(0o555 if path.is_dir() else 0o444)
        root.chmod(0o555)
        who = [str(NOBODY)] if os.getuid() == 0 else []
        _, said = open_elsewhere(directory, *who).communicate()
        assert said.startswith("StateUnusableError: "), said
        assert str(directory) in said
        assert "Make it writable, free space, or set LOTRISK_STATE_DIR" in said
        root.chmod(0o755)
        if existing:
            for path in (directory, *directory.iterdir()):
                path.chmod(0o755)
            assert make_state(directory).held(b"k") is not None


def test_a_file_in_the_place_of_the_directory_is_an_error_and_stays(make_state: Make, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("mine")
    with pytest.raises(StateUnusableError, match=r"state directory .*state can't be used"):
        make_state(tmp_path / "state")
    assert (tmp_path / "state").read_text() == "mine"


def test_a_disk_that_runs_full_is_told_and_what_was_written_before_is_there_after(make_state: Make) -> None:
    """A limit on the size of files stands for a full disk: RocksDB's writes fail alike."""
    state = make_state()
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    written = 0

    def write_on() -> None:
        nonlocal written
        while written < 10_000:
            state.apply({b"%d" % written: held(written)}, written + 1)
            written += 1

    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        with pytest.raises(StateUnusableError, match="free space"):
            write_on()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    state.close()

    again = make_state()
    assert again.checkpoint is not None
    assert 0 < again.checkpoint.position <= written, "the topic has the rest"
    assert again.held(b"%d" % (again.checkpoint.position - 1)) is not None
    assert again.held(b"%d" % again.checkpoint.position) is None, "data and checkpoint are one write"


def test_damage_found_in_use_ends_the_work_and_the_next_start_builds_anew(make_state: Make, tmp_path: Path) -> None:
    directory = tmp_path / "state"
    state = make_state()
    state.apply({b"%d" % number: held(number) for number in range(500)}, 500)
    state.close()
    make_state().close()  # so that the records go from the log into tables
    tables = sorted(directory.glob("*.sst"), key=lambda table: table.stat().st_size)
    data = bytearray(tables[-1].read_bytes())
    data[1000:3000] = bytes(2000)
    tables[-1].write_bytes(data)
    state = make_state()

    with pytest.raises(StateDamagedError, match="Start the worker again"):
        state.scan(seconds=60, limit=10_000)
    damaged = [number for number in range(500) if not readable(state, number)]
    assert 0 < len(damaged) < 500
    state.close()

    with pytest.raises(StateDamagedError, match="found damaged while it was in use"):
        make_state()
    state.reset()
    assert state.held(b"1") is None
    state.take_in((), Checkpoint(PLACE.enriched, "topic-id", 0, 0))
    state.close()
    assert make_state().checkpoint == Checkpoint(PLACE.enriched, "topic-id", 0, 0)


def test_a_checkpoint_that_cannot_be_read_is_damage(make_state: Make) -> None:
    state = make_state()
    assert state.is_open
    state._database.meta.put(b"checkpoint", b"garbage")  # type: ignore[union-attr]  # open, as asserted
    state.close()
    with pytest.raises(StateDamagedError):
        make_state()


@pytest.mark.parametrize("to_the_end", [True, False])
def test_a_state_that_was_not_filled_to_the_end_is_known_as_such(make_state: Make, to_the_end: bool) -> None:
    state = make_state()
    state.reset()
    assert not state.is_unfinished
    state.begin_filling()
    record = SimpleNamespace(key=b"k", value=b'{"vin":"V"}', headers=[])
    assert state.take_in([record], Checkpoint(PLACE.enriched, "topic-id", 1, 0)) == 0
    with pytest.raises(AssertionError, match="before it was whole"):
        state.apply({}, 2)
    if to_the_end:
        state.end_filling()
    state.close()
    state.open()
    assert state.is_unfinished is not to_the_end
    if not to_the_end:
        state.reset()
        assert not state.is_unfinished
    assert (state.held(b"k") is not None) is to_the_end


def test_it_is_written_only_after_a_restore(make_state: Make, tmp_path: Path) -> None:
    state = make_state()
    state.reset()
    with pytest.raises(RuntimeError, match="before it was restored"):
        state.apply({b"k": Gone(OrderKey("id", 1, "b"))}, 1)
    state.close()
    with pytest.raises(RuntimeError, match="not open"):
        state.held(b"k")


def test_a_mistake_of_the_caller_is_not_taken_for_damage(make_state: Make, tmp_path: Path) -> None:
    state = make_state()
    with pytest.raises(ValueError, match="can't be held"):
        state.apply({b"k": held(1)._replace(digest=b"short")}, 1)
    state.close()
    assert make_state().held(b"k") is None


@pytest.mark.parametrize(("exactly_once", "first", "position", "moves"), [
    (True, None, 5, True), (True, None, None, True), (False, 0, 5, True),
    (False, 1, 5, False), (False, None, 5, False), (False, None, None, False),
])  # fmt: skip
def test_the_checkpoint_moves_only_where_nobody_can_have_written_between(
    make_state: Make, clock: Callable[[], int], exactly_once: bool, first: int | None, position: int | None, moves: bool
) -> None:
    state = make_state(exactly_once=exactly_once)
    before = state.checkpoint
    assert before is not None
    clock.now_ms += 1000  # type: ignore[attr-defined]  # the standing clock
    state.apply({}, position, first=first)
    after = state.checkpoint
    assert after is not None
    assert (after.position, after.saved_at_ms > before.saved_at_ms) == (position or 0 if moves else 0, moves)
