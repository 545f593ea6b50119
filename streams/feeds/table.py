"""Delimited files: their encoding, delimiter, header and rows, and a row's cells as canonical fields."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from typing import NamedTuple

from streams.feeds import cells
from streams.feeds.cells import CellValue
from streams.feeds.columns import Column, ColumnSet, column_set, folded
from streams.feeds.kind import Kind
from streams.feeds.records import Problem

_END = "\x1eend of the file\x1e"
_FEW_COLUMNS = 4
_KEPT_UNREAD = frozenset({"stock_class", "country", "hts", "part_kind"})
CUT_OFF = "end"
"""The field that the problem of a last row that was cut off is told of."""
_SEPARATOR_LINE = re.compile(r"^\ufeff?sep=.$", re.IGNORECASE)
_DELIMITERS = (",", "\t", "|", ";")
csv.field_size_limit(16 * 1024 * 1024)  # photo lists and descriptions outgrow Python's default of 128 KiB


class FeedError(ValueError):
    """A file that can't be read at all; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text and the encoding it was in: `utf-8`, `utf-16` or `cp1252`."""

    text: str
    encoding: str


def decode(content: bytes) -> Text:
    """UTF-8 and UTF-16, with or without a byte-order mark; what is neither is read as Windows cp1252.

    Raises:
        FeedError: bytes that are none of these.
    """
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise FeedError("UTF-32; save the file as CSV UTF-8")
    wide = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else None
    if b"\0" in content[:2]:  # a header begins in ASCII: without a mark, every second byte of it is 0
        wide = "utf-16-be" if content.startswith(b"\0") else "utf-16-le"
    if wide:
        try:
            return Text(content.decode(wide), "utf-16")
        except UnicodeDecodeError as error:
            raise FeedError(f"damaged UTF-16 at byte {error.start}; save the file as CSV UTF-8") from error
    try:
        return Text(content.decode("utf-8-sig"), "utf-8")
    except UnicodeDecodeError as first:
        try:
            return Text(content.decode("cp1252"), "cp1252")
        except UnicodeDecodeError as error:
            line = content[: first.start].count(b"\n") + 1
            raise FeedError(f"line {line}: neither UTF-8 nor Windows cp1252; save the file as CSV UTF-8") from error


@dataclass(frozen=True, slots=True)
class Place:
    """Where a column stands in a row and what it means; `column` None is an extra field."""

    index: int
    header: str
    extra_name: str
    column: Column | None
    rank: int


@dataclass(frozen=True, slots=True)
class Header:
    """A file's header: its delimiter, and its columns in the order they are read (best name of a field first).

    `line`: how many lines it ends behind, blank ones and Excel's `sep=;` among them.
    """

    kind: Kind
    delimiter: str
    places: tuple[Place, ...]
    width: int
    line: int = 1

    @property
    def fields(self) -> frozenset[str]:
        """The canonical fields the file has columns for."""
        return frozenset(place.column.field for place in self.places if place.column)

    @property
    def extras(self) -> tuple[str, ...]:
        """The headers no canonical field answers to, in the file's order."""
        ordered = sorted(self.places, key=lambda place: place.index)
        return tuple(place.header for place in ordered if place.column is None and place.header)

    def is_again(self, row: list[str]) -> bool:
        """Whether a row says what the header says."""
        return len(row) == self.width and all(row[place.index].strip() == place.header for place in self.places)


def _snake(header: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", header.strip())
    return re.sub(r"[\W_]+", "_", spaced).strip("_").lower()


def read_header(line: str, kind: Kind | None = None) -> Header:
    """The delimiter and columns a header line names; `kind` None is told by a VIN or part-number column.

    Raises:
        FeedError: no VIN and no part-number column; the message shows the columns found.
    """
    best: Header | None = None
    seen = ""
    for delimiter in _DELIMITERS:
        names = next(csv.reader([line], delimiter=delimiter), [])
        for candidate in (kind,) if kind else tuple(Kind):
            columns = column_set(candidate)
            header = Header(candidate, delimiter, _places(names, columns), len(names))
            if candidate.id_field in header.fields and (best is None or len(header.fields) > len(best.fields)):
                best = header
        if len(names) > 1 or not seen:
            seen = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    if best is None:
        wanted = "VIN" if kind is Kind.VEHICLES else "part number" if kind is Kind.PARTS else "VIN or part number"
        remedy = "name one, and take out lines above the header"
        raise FeedError(f"the first line names no {wanted} column; it reads: {seen[:300]}; {remedy}")
    return best


def _places(names: list[str], columns: ColumnSet) -> tuple[Place, ...]:
    taken: dict[str, int] = {}
    own = {column.field for column in columns.columns}
    places = []
    for index, name in enumerate(names):
        column, rank = columns.by_name.get(folded(name), (None, 0))
        extra = _snake(name) or f"column_{index + 1}"
        if extra in own:
            extra = f"feed_{extra}"
        taken[extra] = taken.get(extra, 0) + 1
        if taken[extra] > 1:
            extra = f"{extra}_{taken[extra]}"
        places.append(Place(index, name.strip(), extra, column, rank))
    return tuple(sorted(places, key=lambda place: (place.rank, place.index)))


class Row(NamedTuple):
    """A row's cells with the line it begins on; `problem` where they can't be trusted."""

    line: int
    cells: list[str]
    problem: Problem | None = None


def rows(text: str, header: Header) -> Iterator[Row]:
    """The rows under the header; empty lines are left out.

    A quote that is opened and never closed, or closed only in a later row, would swallow the rows between: such a row
    is given as its first line alone, with the problem, and reading goes on with the next. A last row that was cut off
    has a problem too.
    """
    lines = io.StringIO(text, newline="").readlines()
    at = header.line
    while at < len(lines):
        reader = csv.reader(itertools.chain(itertools.islice(lines, at, None), [_END]), delimiter=header.delimiter)
        start, began, problem = at, at, None
        try:
            for cells_of_row in reader:
                after = start + reader.line_num
                if cells_of_row == [_END]:
                    return
                if after > began + 1 and _swallows(lines[began + 1 : after], header, after > len(lines)):
                    problem = Problem(began + 1, "row", "a quote is opened and not closed in this row")
                    break
                if after == len(lines) and len(cells_of_row) < header.width and not lines[-1].endswith(("\n", "\r")):
                    what = f"{len(cells_of_row)} of {header.width} cells and no line end: the file is cut off here"
                    yield Row(began + 1, cells_of_row, Problem(began + 1, CUT_OFF, what))
                elif any(cell.strip() for cell in cells_of_row):
                    yield Row(began + 1, cells_of_row)
                began = after
        except csv.Error as error:
            problem = Problem(began + 1, "row", str(error))
        if problem is not None:
            yield Row(began + 1, _cells(lines[began], header.delimiter), problem)
        at = began + 1


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _swallows(inside: list[str], header: Header, open_at_end: bool) -> bool:
    """Whether the lines inside one row are rows of their own, or the row never ends."""
    if open_at_end:
        return True
    index = next(place.index for place in header.places if place.column and place.column.field == header.kind.id_field)
    for line in inside:
        row = _cells(line, header.delimiter)
        if len(row) == header.width > _FEW_COLUMNS and row[index].strip():
            return True
        if (
            header.kind is Kind.VEHICLES
            and len(row) > index
            and len(row[index].strip()) == 17
            and " " not in row[index].strip()
        ):
            return True
    return False


@dataclass(slots=True)
class RowReading:
    """What one row says: canonical fields, extra fields, and what is wrong."""

    fields: dict[str, CellValue]
    extras: dict[str, CellValue]
    problems: list[Problem]


def read_row(header: Header, read: Row, zone: tzinfo = UTC) -> RowReading:
    """A row's cells as canonical fields; columns nothing is known of become extra fields, verbatim.

    A value that can't be read makes the row bad, except one that is better not known than the unit lost: a stock class,
    country, tariff number or part kind in words nobody knows stays an extra.
    """
    line, row, problem = read
    reading = RowReading({}, {}, [problem] if problem is not None else [])
    if header.is_again(row):
        reading.problems.append(Problem(line, "row", "the header again, as where files were joined; take it out"))
        return reading
    if len(row) > header.width and any(cell.strip() for cell in row[header.width :]):
        what = f"{len(row)} cells under {header.width} columns; quote cells that hold {header.delimiter!r}"
        reading.problems.append(Problem(line, "row", what))
        return reading
    if len(row) < header.width and problem is None:
        what = f"{len(row)} of {header.width} cells; the others are taken for empty"
        reading.problems.append(Problem(line, "row", what, fatal=False))
    for place in header.places:
        cell = cells.plain(row[place.index]) if place.index < len(row) else ""
        if cells.is_blank(cell):
            continue
        column = place.column
        if column is None or column.field in reading.fields:
            reading.extras[place.extra_name] = cell.strip()
            continue
        try:
            value = cells.time(cell, zone) if column.kind == "time" else cells.READERS[column.kind](cell)
        except ValueError as error:
            fatal = column.kind not in _KEPT_UNREAD
            if not fatal:
                reading.extras[place.extra_name] = cell.strip()
            shown = cell.strip() if len(cell) <= 60 else cell.strip()[:57] + "..."
            reading.problems.append(Problem(line, column.field, f"{shown!r} is {error}", fatal))
            continue
        if value is not None:
            reading.fields[column.field] = value
        elif column.kind == "departed":
            reading.extras[place.extra_name] = cell.strip()
    return reading


def header_of(text: str, kind: Kind | None = None) -> Header:
    """The header of a file's text: its first line but for blank ones and Excel's `sep=;`.

    Raises:
        FeedError: an empty file, or a first line that names no columns lotrisk knows.
    """
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if line.strip() and not _SEPARATOR_LINE.match(line.strip()):
            return replace(read_header(line.rstrip("\r\n"), kind), line=number)
    raise FeedError("the file is empty")
