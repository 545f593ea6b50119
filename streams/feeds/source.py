"""Opening a feed: a file, a gzip file or standard input; CSV or JSON Lines told by the first character."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import BinaryIO

from streams.feeds.homenet import read_vehicles
from streams.feeds.jsonl import read_json_lines
from streams.feeds.kind import Kind
from streams.feeds.parts_master import read_parts
from streams.feeds.records import FeedRecord, Problem
from streams.feeds.table import FeedError, Header, decode, header_of

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_NOT_TEXT = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook; unpack it, or save it as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook; save it as CSV UTF-8"),
    (b"<", "XML or HTML; lotrisk reads delimited files with a header, and JSON Lines"),
)
_BUFFER = 1 << 20
_START = 256


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a feed, where the file leaves it open; see `homenet.read_vehicles`."""

    kind: Kind | None = None
    dealer: str | None = None
    updated_at: str | None = None
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Feed:
    """An opened feed: a delimited file with `header`, `text` and `encoding`, or UTF-8 JSON Lines without one."""

    lines: BinaryIO
    header: Header | None = None
    text: str = ""
    encoding: str = "utf-8"

    def items(self, reading: Reading) -> Iterator[FeedRecord | Problem]:
        """The feed's records and problems, in the file's order. Can be read once.

        Raises:
            FeedError: the file ends in the middle, or nothing says whose it is.
        """
        if self.header is None:
            try:
                yield from read_json_lines(self.lines, reading.kind)
            except (OSError, EOFError) as error:
                raise FeedError(f"can't be read to the end: {error}") from error
            return
        if reading.dealer is None and "dealer_id" not in self.header.fields:
            raise FeedError("no dealer column and no --dealer; add --dealer ID")
        read = read_vehicles if self.header.kind is Kind.VEHICLES else read_parts
        yield from read(self.text, self.header, reading.dealer, reading.updated_at, reading.zone)


@contextmanager
def open_feed(name: str, kind: Kind | None = None) -> Iterator[Feed]:
    """Open a file by name, or standard input by `-`; gzip is recognised by its first bytes.

    Raises:
        FeedError: no such file, empty, damaged, a JSON array, or no column lotrisk knows.
    """
    if name == "-":
        yield _opened(sys.stdin.buffer, kind)
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; its failure to open is told apart
    except OSError as error:
        raise FeedError(f"can't be opened: {error.strerror}") from error
    with file:
        yield _opened(file, kind)


def _opened(file: BinaryIO, kind: Kind | None) -> Feed:
    try:
        rest: BinaryIO | gzip.GzipFile = file
        start = rest.read(_START)
        if start.startswith(_GZIP):
            rest = gzip.GzipFile(fileobj=io.BufferedReader(_Rejoined(start, rest), _BUFFER))
            start = rest.read(_START)
        stream = io.BufferedReader(_Rejoined(start, rest), _BUFFER)
        beginning = start.removeprefix(_BOM).lstrip()
        for mark, what in _NOT_TEXT:
            if beginning.startswith(mark):
                raise FeedError(what)
        if beginning.startswith(b"["):
            raise FeedError("a JSON array; write one record a line, for instance with: jq -c '.[]'")
        if beginning.startswith(b"{"):
            return Feed(stream)
        decoded = decode(stream.read())
    except (OSError, EOFError) as error:
        raise FeedError(f"can't be read: {error}") from error
    if not decoded.text.strip():
        raise FeedError("the file is empty")
    text = decoded.text.removesuffix("\x1a")  # DOS ends a text file with it
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return Feed(io.BufferedReader(io.BytesIO(text.encode())), encoding=decoded.encoding)
    return Feed(stream, header_of(text, kind), text, decoded.encoding)


class _Rejoined(io.RawIOBase):
    """The bytes already read from a stream that can't seek, then the rest of it."""

    def __init__(self, start: bytes, rest: BinaryIO | gzip.GzipFile) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than typeshed's Buffer
        chunk = self._start[: len(buffer)] if self._start else self._rest.read(len(buffer))
        self._start = self._start[len(chunk) :] if self._start else b""
        buffer[: len(chunk)] = chunk
        return len(chunk)
