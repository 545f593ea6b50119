"""The column names, words and date formats dealers' files use: data in `columns/`, read once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.fields import Confidence
from streams.feeds.kind import Kind
from streams.reference.loading import ROOT, read_csv, read_toml
from streams.reference.trade_records import Country

_ROOT = Path(__file__).parent / "columns"

CellKind = Literal[
    "text", "vin", "part_number", "time", "date", "stock_class", "certified", "year", "miles", "count", "price",
    "number", "quantity", "country", "flag", "word", "words", "hts", "part_kind", "departed",
]  # fmt: skip


class Column(BaseModel):
    """One canonical field: how its cells read and what its column may be called, best name first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str
    kind: CellKind
    aliases: tuple[str, ...]
    source: str
    confidence: Confidence


class Word(BaseModel):
    """What words in a cell of one kind mean; kind `blank` holds for every column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    means: str
    kind: Literal["blank", "price", "date", "stock_class", "flag", "country", "part_kind", "departed"]
    words: tuple[str, ...]
    source: str
    confidence: Confidence


class DateFormat(BaseModel):
    """One way to write a date, as `strptime` names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    source: str
    confidence: Confidence


def folded(header: str) -> str:
    """A header without case, blanks and punctuation: `Stock #` and `STOCK` are the same. `%` and `#` alone stay."""
    return re.sub(r"[\W_]+", "", header.lower()) or header.strip()


@dataclass(frozen=True, slots=True)
class ColumnSet:
    """The columns of one kind of file. `by_name`: folded header -> column and its rank among its field's names."""

    kind: Kind
    columns: tuple[Column, ...]
    by_name: Mapping[str, tuple[Column, int]]


@cache
def column_set(kind: Kind) -> ColumnSet:
    """The columns of vehicle or parts files; a field's own name is its last alias.

    Raises:
        ReferenceError: a file can't be used, or one name stands for two fields.
    """
    name = "vehicle" if kind is Kind.VEHICLES else "part"
    columns = read_toml(_ROOT / f"{name}.toml", "column", Column)
    by_name: dict[str, tuple[Column, int]] = {}
    for column in columns:
        for rank, alias in enumerate(column.aliases):
            taken = by_name.setdefault(folded(alias), (column, rank))
            if taken[0] is not column:
                raise ValueError(f"{name}.toml: {alias!r} stands for {taken[0].field} and for {column.field}")
    for column in columns:
        by_name.setdefault(folded(column.field), (column, len(column.aliases)))
    return ColumnSet(kind, columns, by_name)


@cache
def words(kind: str) -> Mapping[str, str]:
    """What each word of a kind of cell means; blanks apart."""
    return {text: word.means for word in read_toml(_ROOT / "words.toml", "word", Word) if word.kind == kind
            for text in word.words}  # fmt: skip


@cache
def countries() -> Mapping[str, str]:
    """ISO alpha-2 by name and code in lower case; UK is in the words, as it came."""
    found: dict[str, str] = {}
    for row in read_csv(ROOT / "hts" / "countries.csv", Country):
        for name in (row.name, row.alpha2, row.alpha3, *(row.other_names or "").split(";")):
            if name:
                found[name.strip().lower()] = row.alpha2
    return found


@cache
def date_formats() -> tuple[str, ...]:
    """The date formats, in the order they are tried."""
    return tuple(row.pattern for row in read_toml(_ROOT / "formats.toml", "format", DateFormat))
