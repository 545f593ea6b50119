"""What is published of a feed, and the count of the rest."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from streams.cli import load as command
from streams.feeds.homenet import read_vehicles
from streams.feeds.kind import Kind
from streams.feeds.load import Tally, held, passing
from streams.feeds.records import FeedRecord, Problem
from streams.feeds.source import Reading, _opened, open_feed
from streams.feeds.table import FeedError, header_of

VIN, OTHER = "1HGCM82633A004352", "1M8GDM9AXKP042788"


def record(line: int, ident: str, value: bytes | None = b"{}", dealer: str = "a") -> FeedRecord:
    return FeedRecord(Kind.VEHICLES, line, dealer, ident, value)


def test_of_a_key_that_comes_twice_the_last_is_published_and_the_first_reported() -> None:
    told: list[Problem] = []
    tally = Tally()
    whole = held([record(2, "x", b"1"), record(3, "y"), record(4, "x", b"2")], tally, told.append, [Kind.VEHICLES])
    assert [(r.line, r.value) for r in whole.records] == [(4, b"2"), (3, b"{}")]
    assert (tally.read, tally.duplicates, tally.bad) == (3, 1, 0)
    assert [str(problem) for problem in told] == ["line 2: vin: x again on line 4, which wins"]


def test_a_line_with_three_faults_is_one_bad_line() -> None:
    tally = Tally()
    problems = [
        Problem(2, "vin", "?"),
        Problem(2, "msrp_usd", "?"),
        Problem(3, "vin", "?"),
        Problem(4, "x", "?", False),
    ]
    assert list(passing([*problems, record(4, "x")], tally, lambda _: None)) == [record(4, "x")]
    assert (tally.read, tally.bad) == (3, 2)


def test_a_bad_line_is_listed_but_does_not_make_its_dealer_a_dealer_of_the_snapshot() -> None:
    whole = held([Problem(2, "msrp_usd", "?", key=b"b:x")], Tally(), lambda _: None, [Kind.VEHICLES])
    assert whole.snapshots[Kind.VEHICLES].listed == {b"b:x"}
    assert whole.snapshots[Kind.VEHICLES].dealers == frozenset()


def test_a_deletion_in_the_file_is_not_removed_twice() -> None:
    whole = held([record(1, "x", None), record(2, "y")], Tally(), lambda _: None, [Kind.VEHICLES])
    assert whole.snapshots[Kind.VEHICLES].listed == {b"a:x", b"a:y"}


@given(st.lists(st.one_of(st.sampled_from("xyz"), st.none()), max_size=30))
def test_every_line_is_published_or_counted(idents: list[str | None]) -> None:
    items = [
        Problem(line, "vin", "?") if ident is None else record(line, ident)
        for line, ident in enumerate(idents, start=1)
    ]
    tally = Tally()
    whole = held(items, tally, lambda _: None, [Kind.VEHICLES])
    assert tally.read == len(idents) == len(whole.records) + tally.duplicates + tally.bad


def test_gzip_is_told_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "lot.csv"
    path.write_bytes(gzip.compress(f"VIN\n{VIN}\n".encode("utf-8-sig")))
    with open_feed(str(path)) as feed:
        (found,) = feed.items(Reading(dealer="a"))
    assert found == FeedRecord(Kind.VEHICLES, 2, "a", VIN, b'{"dealer_id":"a","vin":"%s"}' % VIN.encode())


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b'[{"vin":1}]', "a JSON array"),
        (b"\x1f\x8b\x08broken", "can't be read"),
        (b"PK\x03\x04\x14\x00", "an Excel workbook; unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an Excel workbook; save it"),
        (b'<?xml version="1.0"?><adf/>', "XML or HTML"),
        (b"sep=;\n", "empty"),
    ],
)
def test_a_file_that_cannot_be_a_feed_says_why(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "feed"
    path.write_bytes(content)
    with pytest.raises(FeedError, match=what), open_feed(str(path)):
        pass


def test_a_file_that_ends_in_the_middle_says_so_after_what_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "lot.jsonl.gz"
    lines = b"".join(b'{"dealer_id":"a","part_number":"%d"}\n' % number for number in range(100_000))
    path.write_bytes(gzip.compress(lines)[:-50_000])
    with open_feed(str(path)) as feed, pytest.raises(FeedError, match="to the end"):
        for _ in feed.items(Reading()):
            pass


def test_a_file_that_is_not_there_says_so() -> None:
    with pytest.raises(FeedError, match="No such file"), open_feed("/nowhere/lot.csv"):
        pass


def run(*arguments: str, standard_input: bytes | None = None) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    command.register(app)
    return CliRunner().invoke(app, ["load", *arguments, "--dry-run"], input=standard_input)


def test_a_file_that_does_not_say_whose_it_is_is_refused_at_once() -> None:
    result = run("-", standard_input=f"VIN\n{VIN}\n{OTHER}\n".encode())
    assert result.exit_code == 1
    assert result.stderr.count("add --dealer ID") == 1


def test_a_snapshot_of_a_file_that_was_cut_off_is_refused() -> None:
    cut = f"VIN,Type\n{VIN},N\n{OTHER}".encode()
    assert "cut off" in run("-", "--dealer", "a", standard_input=cut).stderr
    refused = run("-", "--dealer", "a", "--snapshot", standard_input=cut)
    assert refused.exit_code == 1
    assert "nothing was published" in refused.stderr
    assert not refused.stdout


@pytest.mark.parametrize("content", [b"VIN,Type\n", b"VIN,Type\n\n,\n"])
def test_a_header_with_nothing_under_it_is_no_success(content: bytes) -> None:
    result = run("-", "--dealer", "a", standard_input=content)
    assert result.exit_code == 1
    assert "no records in the file" in result.stderr


def test_excels_unicode_text_is_read() -> None:
    text = f"Stock #\tVIN\tType\tMSRP\tDateInStock\nA1\t{VIN}\tNew\t$32,495.00\t45931\n"
    result = run("-", "--dealer", "a", standard_input=text.encode("utf-16"))
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "dealer_id": "a", "vin": VIN, "stock_number": "A1", "stock_class": "new", "msrp_usd": "32495.00",
        "in_stock_date": "2025-10-01",
    }  # fmt: skip


def test_a_dry_run_turns_a_csv_into_canonical_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "lot.csv"
    path.write_text(f"VIN,Type\n{VIN},N\n{OTHER},U\n")
    result = run(str(path), "--dealer", "a", "--updated-at", "2026-10-01T09:30:00-04:00")
    assert result.exit_code == 0, result.output
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"dealer_id": "a", "vin": VIN, "stock_class": "new", "updated_at": "2026-10-01T13:30:00Z"},
        {"dealer_id": "a", "vin": OTHER, "stock_class": "used", "updated_at": "2026-10-01T13:30:00Z"},
    ]


def test_bad_lines_are_all_listed_and_notes_of_one_kind_only_at_first() -> None:
    rows = "".join(f"{VIN},Excellent,\n" for _ in range(30)) + "".join(f"{VIN},New,x\n" for _ in range(30))
    result = run("-", "--dealer", "a", standard_input=f"VIN,Condition,MSRP\n{rows}".encode())
    assert result.exit_code == 1
    assert result.stderr.count("note: line") == 20 + 20
    assert "10 more notes on stock_class" in result.stderr
    assert "9 more notes on vin" in result.stderr
    assert result.stderr.count("msrp_usd: 'x' is not a price") == 30


def test_options_that_would_change_a_record_are_refused_for_json_lines() -> None:
    line = b'{"dealer_id":"a","part_number":"1"}\n'
    assert run("-", standard_input=line).exit_code == 0
    assert run("-", "--dealer", "b", standard_input=line).exit_code == 2


def test_lines_that_end_in_carriage_returns_alone_are_read() -> None:
    result = run("-", "--dealer", "a", standard_input=f"VIN,Type\r{VIN},N\r{OTHER},U\r".encode())
    assert len(result.stdout.splitlines()) == 2


def test_what_a_dry_run_prints_loads_as_it_is() -> None:
    first = run("-", "--dealer", "a", standard_input=f"VIN,Type\n{VIN},N\n".encode())
    assert run("-", standard_input=first.stdout_bytes).stdout_bytes == first.stdout_bytes


def test_windows_text_is_read_and_reported() -> None:
    result = run("-", "--dealer", "a", standard_input=f"VIN,Color\n{VIN},Café\n".encode("cp1252"))
    assert json.loads(result.stdout)["exterior_color"] == "Café"
    assert "not UTF-8; read as Windows cp1252" in result.stderr


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--updated-at", "yesterday"), "not a time"),
        (("--updated-at", "2026-10-01T00:00:00"), "no zone"),
        (("--time-zone", "Mars/Olympus"), "no time zone"),
    ],
)
def test_an_option_that_cannot_be_used_is_a_usage_error(options: tuple[str, str], what: str) -> None:
    result = run("-", *options, standard_input=b"VIN\n")
    assert result.exit_code == 2
    assert what in result.output.replace("\n", " ")


def test_a_pipe_that_gives_byte_by_byte_and_cannot_seek_is_read_all_the_same() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self._rest = gzip.compress(b'\xef\xbb\xbf{"dealer_id":"a","part_number":"1"}\n')

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece, self._rest = self._rest[:1], self._rest[1:]
            buffer[: len(piece)] = piece
            return len(piece)

    (found,) = _opened(io.BufferedReader(Pipe()), None).items(Reading())
    assert isinstance(found, FeedRecord)
    assert found.ident == "1"


def test_a_record_that_is_held_takes_little_more_than_its_bytes() -> None:
    text = "DealerID,VIN,MSRP\n" + f"d1,{VIN},30000\n" * 1_000
    header = header_of(text)
    tracemalloc.start()
    try:
        records = [item for item in read_vehicles(text, header) if isinstance(item, FeedRecord)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    written = sum(len(found.value or b"") for found in records)
    assert len(records) == 1_000
    assert taken < written + 1_000 * 600
