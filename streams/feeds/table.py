"""Delimited files: their encoding, delimiter, header and rows, and a row's cells as canonical fields."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo

from streams.feeds import cells
from streams.feeds.cells import CellValue
from streams.feeds.columns import Column, ColumnSet, column_set, folded
from streams.feeds.kind import Kind
from streams.feeds.records import Problem

_DELIMITERS = (",", "\t", "|", ";")
csv.field_size_limit(16 * 1024 * 1024)  # photo lists and descriptions outgrow Python's default of 128 KiB


class FeedError(ValueError):
    """A file that can't be read at all; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text and the encoding it was in: `utf-8` or `cp1252`."""

    text: str
    encoding: str


def decode(content: bytes) -> Text:
    """UTF-8 with or without a byte-order mark; what isn't UTF-8 is read as Windows cp1252.

    Raises:
        FeedError: UTF-16, or bytes that are neither.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FeedError("the file is UTF-16; save it as CSV UTF-8")
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
    """A file's header: its delimiter, and its columns in the order they are read (best name of a field first)."""

    kind: Kind
    delimiter: str
    places: tuple[Place, ...]
    width: int

    @property
    def fields(self) -> frozenset[str]:
        """The canonical fields the file has columns for."""
        return frozenset(place.column.field for place in self.places if place.column)

    @property
    def extras(self) -> tuple[str, ...]:
        """The headers no canonical field answers to, in the file's order."""
        return tuple(place.header for place in sorted(self.places, key=lambda p: p.index) if place.column is None)


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
        raise FeedError(f"the first line names no {wanted} column; it reads: {seen[:300]}")
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


def rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows under the header with the line each begins on; empty lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    next(reader, None)
    began = reader.line_num + 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield began, row
            began = reader.line_num + 1
    except csv.Error as error:
        raise FeedError(f"line {began}: {error}; check the quotes of that line") from error


@dataclass(slots=True)
class RowReading:
    """What one row says: canonical fields, extra fields, and what is wrong."""

    fields: dict[str, CellValue]
    extras: dict[str, CellValue]
    problems: list[Problem]


def read_row(header: Header, line: int, row: list[str], zone: tzinfo = UTC) -> RowReading:
    """A row's cells as canonical fields; columns nothing is known of become extra fields, verbatim.

    A value that can't be read makes the row bad, except a stock class in words nobody knows, which stays an extra.
    """
    reading = RowReading({}, {}, [])
    if len(row) > header.width and any(cell.strip() for cell in row[header.width :]):
        what = f"{len(row)} cells under {header.width} columns; quote cells that hold {header.delimiter!r}"
        reading.problems.append(Problem(line, "row", what))
        return reading
    for place in header.places:
        cell = row[place.index] if place.index < len(row) else ""
        if cells.is_blank(cell):
            continue
        column = place.column
        if column is None or column.field in reading.fields:
            reading.extras[place.extra_name] = cell.strip()
            continue
        try:
            value = cells.time(cell, zone) if column.kind == "time" else cells.READERS[column.kind](cell)
        except ValueError as error:
            fatal = column.kind != "stock_class"
            if not fatal:
                reading.extras[place.extra_name] = cell.strip()
            shown = cell.strip() if len(cell) <= 60 else cell.strip()[:57] + "..."
            reading.problems.append(Problem(line, column.field, f"{shown!r} is {error}", fatal))
            continue
        if value is not None:
            reading.fields[column.field] = value
    return reading


def header_of(text: str, kind: Kind | None = None) -> Header:
    """The header of a file's text, which is its first line.

    Raises:
        FeedError: an empty file, or a first line that names no columns lotrisk knows.
    """
    first = re.split(r"\r\n|\r|\n", text, maxsplit=1)[0]
    if not first.strip():
        raise FeedError("the first line is empty; it must name the columns")
    return read_header(first, kind)
