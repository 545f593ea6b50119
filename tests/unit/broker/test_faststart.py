"""Java's archive is made once, whole or not at all, and a failure to make it never stops the broker."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from streams.broker.distribution import Distribution
from streams.broker.errors import BrokerFailedError
from streams.broker.faststart import archive_path, ensure_archive

SILENT = Console(quiet=True)


def test_it_is_made_once_and_then_used(tmp_path: Path) -> None:
    made: list[Path] = []

    def train(partial: Path) -> None:
        made.append(partial)
        partial.write_bytes(b"archive")
        partial.with_name(f"{partial.name}.config").write_bytes(b"left by Java")

    jars = Distribution(tmp_path, ())
    assert ensure_archive(jars, train, SILENT) == archive_path(tmp_path)
    assert ensure_archive(jars, train, SILENT) == archive_path(tmp_path)
    assert len(made) == 1
    assert {path.name for path in tmp_path.iterdir()} == {
        archive_path(tmp_path).with_suffix(".lock").name,
        archive_path(tmp_path).name,
    }


def test_a_failure_leaves_nothing_and_the_broker_starts_without(tmp_path: Path) -> None:
    def fail(partial: Path) -> None:
        partial.write_bytes(b"half")
        raise BrokerFailedError("no memory")

    console = Console(record=True, width=200)
    assert ensure_archive(Distribution(tmp_path, ()), fail, console) is None
    assert "no memory" in console.export_text()
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_training_that_wrote_nothing_is_a_failure(tmp_path: Path) -> None:
    assert ensure_archive(Distribution(tmp_path, ()), lambda _partial: None, SILENT) is None
