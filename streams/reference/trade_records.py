"""The shapes of the trade policy's records: one model a file kind, each field with its unit and meaning.

Dates are days of US Eastern time; `effective_to` is the last day, inclusive. Rates are percent of customs value.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from schemas.fields import Confidence
from schemas.measure import APPLIES as APPLIES
from schemas.measure import Kind as Kind
from schemas.measure import MeasureId as MeasureId
from schemas.measure import MeasureRecord as MeasureRecord
from schemas.measure import Percent as Percent
from schemas.measure import RateStep as RateStep
from schemas.measure import RateType as RateType
from schemas.measure import Record
from schemas.measure import ScopeEntry as ScopeEntry
from schemas.measure import Source as Source
from schemas.measure import Status as Status


class StackingRule(Record):
    """One row of the stacking table: where a `when` measure is charged, the `off` measures are not."""

    id: str = Field(pattern=r"^ST-[0-9]+[a-z]?$")
    statement: str
    when: tuple[str, ...] = Field((), description="Measure ids, authorities or `heading:PREFIX`; empty: a note only.")
    trigger: Literal["owed", "applies"] = "owed"
    off: tuple[str, ...] = ()
    effect: Literal["whole", "metal_content"] = "whole"
    effective_from: date | None = None
    effective_to: date | None = None
    recorded_at: date | None = None
    confidence: Confidence
    source: Source

    @model_validator(mode="after")
    def _consistent(self) -> StackingRule:
        if bool(self.when) != bool(self.off):
            raise ValueError("when and off go together")
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise ValueError(f"effective_to {self.effective_to} is before effective_from {self.effective_from}")
        return self


class FactKind(StrEnum):
    """Where the value of a fact comes from."""

    USMCA = "usmca"
    CLAIM = "claim"
    USE = "use"
    SHARE = "share"
    SHARE_AT_LEAST = "share_at_least"
    DATE_BEFORE = "date_before"
    HTS98 = "hts98"
    UNSETTLED = "unsettled"


class FactRecord(Record):
    """A fact that a measure's `requires` may name: where its value comes from, and what stands in for it if unknown."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    kind: FactKind
    claims: tuple[str, ...] = Field((), description="Claims that make it true.")
    denied_by: tuple[str, ...] = Field((), description="Claims that make it false.")
    field: Literal["us_content", "metal_share", "us_metal_share"] | None = None
    at_least: Decimal | None = None
    before: date | None = None
    default: bool | str | Decimal | None = Field(None, description="Stands in for central; null: no answer without it.")
    values: tuple[str, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    opens: bool = Field(True, description="Whether not knowing it widens the range.")
    election: bool = Field(False, description="The importer's choice: taken only where it lowers the duty.")
    origins: tuple[str, ...] = Field((), description="Origins where it can hold; empty: all.")
    statement: str
    confidence: Confidence
    source: Source


class HtsLine(Record):
    """A line of the tariff schedule with its column-1 general rate and its China Section 301 list."""

    hts: str = Field(pattern=r"^[0-9]{4}(\.[0-9]{2}){1,2}([0-9]{2})?$|^[0-9]{4}\.[0-9]{2}\.[0-9]{4}$")
    name: str
    mfn: Percent
    s301: Literal["L1", "L2", "L3", "L4A", "none", "unknown"]
    default_suffix: str | None = Field(None, description="10-digit line that stands in where the suffix is not given.")
    suffixes: Literal["all"] | None = Field(None, description="all: each of its suffixes is on some list of the book.")
    confidence: Confidence
    source: Source

    @property
    def digits(self) -> str:
        """The number without dots."""
        return self.hts.replace(".", "")


class ListStem(Record):
    """One entry of a printed HTS list."""

    list: str = Field(pattern=r"^[a-z0-9-]+$")
    stem: ScopeEntry
    confidence: Confidence
    source: Source


class ChapterRange(Record):
    """What can still be said of a line outside the book: the span of column-1 rates in its chapter or heading."""

    prefix: str = Field(pattern=r"^[0-9]{2,6}$")
    low: Percent
    high: Percent
    confidence: Confidence
    source: Source


class Country(Record):
    """A country of origin by ISO 3166-1."""

    alpha2: str = Field(pattern=r"^[A-Z]{2}$")
    alpha3: str = Field(pattern=r"^[A-Z]{3}$")
    name: str
    other_names: str | None = None
    group: Literal["EU"] | None = None
    column: Literal["1", "2"] = "1"


class Coverage(Record):
    """The days the book covers, and when its facts were last checked."""

    first_day: date
    last_day: date
    verified: date
    confidence: Confidence
    source: Source


class SourceRow(Record):
    """A row of the source table."""

    key: str
    title: str


_RANGE = re.compile(r"^(?P<stem>[0-9.]+)-(?P<last>[0-9]{4})$")


def scope_span(entry: str) -> tuple[str, str]:
    """First and last number, without dots, of a scope entry: equal but for a range of suffixes."""
    found = _RANGE.match(entry)
    if found is None:
        digits = entry.replace(".", "")
        return digits, digits
    first = found["stem"].replace(".", "")
    return first, first[:-4] + found["last"]


class LicencePeriod(Record):
    """How Chinese export licences stood in a period; lead weeks from application to licence, low, central, high."""

    elements: tuple[str, ...] = ()
    effective_from: date
    effective_to: date | None = None
    status: str
    lead_weeks: tuple[float, float, float] | None = None
    confidence: Confidence
    source: Source
    note: str | None = None


class ContentRuleRecord(Record):
    """A content rule of an export control: what is divided by what, and the threshold that catches."""

    measure: MeasureId
    threshold_percent: Decimal
    basis: Literal["value"]
    operator: Literal["at_or_above"]
    numerator: str
    denominator: str
    part_1: tuple[str, ...]
    part_2: tuple[str, ...]
    finished_goods: bool = Field(description="Assumption: whether finished goods count as Part 2.")
    confidence: Confidence
    source: Source


class ScopeLimit(Record):
    """Whether a product group is normally inside MOFCOM No. 18."""

    group: str
    inside: bool
    confidence: Confidence
    source: Source


class ControlCode(Record):
    """The Chinese control code of an element."""

    element: str
    code: str
    confidence: Confidence
    source: Source
