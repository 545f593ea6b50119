"""The shapes of the trade policy's records: one model a file kind, each field with its unit and meaning.

Dates are days of US Eastern time; `effective_to` is the last day, inclusive. Rates are percent of customs value.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.fields import Confidence

Source = Annotated[str, StringConstraints(min_length=2)]
"""Keys of the source table (`sources.csv`) separated by blanks."""

MeasureId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,63}$")]
Percent = Annotated[Decimal, Field(ge=0, le=1000)]
ScopeEntry = Annotated[
    str, StringConstraints(pattern=r"^(\*|list:[a-z0-9-]+|[0-9]{2}(?:[0-9.]*[0-9])?(?:-[0-9]{4})?)$")
]
"""`*`, `list:NAME`, an HTS prefix at its printed length, or a range of statistical suffixes: `8482.10.5004-5036`."""


class RateType(StrEnum):
    """How a measure's rate turns into duty (fact sheet 2.1)."""

    COLUMN_1 = "column_1"
    ADD = "add"
    COMBINED_TO = "combined_to"
    FLAT_IN_LIEU = "flat_in_lieu"
    CONTENT_SHARE = "content_share"
    QUOTA = "quota"
    EXEMPT = "exempt"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What a measure is; only `duty` is ever part of a rate."""

    DUTY = "duty"
    OFFSET = "offset"
    PROHIBITION = "prohibition"
    EXPORT_CONTROL = "export_control"
    ENTITY_BAN = "entity_ban"
    SALE_RESTRICTION = "sale_restriction"
    SUPPLY_EVENT = "supply_event"
    NOTICE = "notice"


class Status(StrEnum):
    """Where a measure stands; see `APPLIES`."""

    ANNOUNCED = "announced"
    OPEN = "open"
    SIGNED = "signed"
    IN_FORCE = "in_force"
    SUSPENDED = "suspended"
    SUPERSEDED = "superseded"
    VOID = "void"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    NOT_IMPLEMENTED = "not_implemented"


APPLIES = frozenset({Status.SIGNED, Status.IN_FORCE, Status.SUPERSEDED, Status.VOID, Status.EXPIRED, Status.WITHDRAWN})
"""Statuses under which a measure is law from `effective_from` to its end. The others never were, or are not yet."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RateStep(_Record):
    """The rate from one day on, until the next step or the measure's end."""

    from_: date = Field(alias="from")
    rate: Percent
    heading: str | None = Field(None, description="Where a step moved to another heading.")
    recorded_at: date | None = Field(None, description="When the step was published; else its first day.")


class MeasureRecord(_Record):
    """One measure of one authority: who owes how much on what, from when to when, and how we know."""

    id: MeasureId
    kind: Kind = Kind.DUTY
    authority: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    instrument: str
    heading: str | None = Field(None, description="Chapter 99 heading.")
    heading_at_cap: str | None = Field(None, description="combined_to: heading where column 1 reaches the cap.")
    relief_heading: str | None = Field(None, description="Reported at 0% where a stacking rule switches it off.")
    origins: tuple[str, ...] = ("*",)
    except_origins: tuple[str, ...] = ()
    scope: tuple[ScopeEntry, ...] = ()
    exclude: tuple[ScopeEntry, ...] = ()
    rate_type: RateType = RateType.ADD
    content: Literal["non_us", "metal"] | None = Field(None, description="content_share: whose share the rate is on.")
    rate: Percent | None = None
    rate_low: Percent | None = None
    rate_high: Percent | None = None
    steps: tuple[RateStep, ...] = ()
    requires: tuple[str, ...] = Field((), description="Facts, all of which must hold: `usmca`, `!usmca`, `use=auto`.")
    replaces: tuple[MeasureId, ...] = Field((), description="Measures not applied where this one is.")
    replaces_authorities: tuple[str, ...] = ()
    subject: Literal["owed", "always", "never"] = Field(
        "owed", description="Whether goods count as charged under it: if more than 0% is owed, always, or never."
    )
    announced_at: date | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    recorded_at: date | None = None
    end_recorded_at: date | None = Field(None, description="When the end was published; else known from the start.")
    withdrawn_at: date | None = None
    status: Status
    refundable: bool = False
    elements: tuple[str, ...] = Field((), description="export_control: controlled elements.")
    item_classes: tuple[str, ...] = ()
    suspended_from: date | None = None
    suspended_until: date | None = Field(None, description="Last day of the suspension by the legal text.")
    reported_extension_until: date | None = None
    operator_confirmed_status: str | None = None
    parties: tuple[str, ...] = Field((), description="entity_ban: listed parties, where known.")
    makers: tuple[str, ...] = ()
    model_years_from: int | None = None
    part_families: tuple[str, ...] = ()
    confidence: Confidence
    source: Source
    note: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> MeasureRecord:
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise ValueError(f"effective_to {self.effective_to} is before effective_from {self.effective_from}")
        if self.withdrawn_at and self.announced_at and self.withdrawn_at < self.announced_at:
            raise ValueError(f"withdrawn_at {self.withdrawn_at} is before announced_at {self.announced_at}")
        if self.kind is not Kind.DUTY:
            return self
        if self.status in APPLIES and self.effective_from is None and self.withdrawn_at is None:
            raise ValueError(f"a duty with status {self.status} needs effective_from")
        if self.steps:
            if self.rate is not None:
                raise ValueError("give either rate or steps, not both")
            starts = [step.from_ for step in self.steps]
            if starts != sorted(set(starts)):
                raise ValueError("steps must be in order of date, one a day")
            if self.effective_from and starts[0] != self.effective_from:
                raise ValueError(f"the first step must start on effective_from {self.effective_from}")
            if self.effective_to and starts[-1] > self.effective_to:
                raise ValueError(f"the last step starts after effective_to {self.effective_to}")
        elif self.rate_type is RateType.UNKNOWN:
            if self.rate_low is None or self.rate_high is None or self.rate_low > self.rate_high:
                raise ValueError("rate_type unknown needs rate_low and rate_high, in order")
        elif self.rate is None and self.rate_type not in (RateType.EXEMPT, RateType.COLUMN_1):
            raise ValueError(f"rate_type {self.rate_type} needs rate or steps")
        if (self.content is not None) != (self.rate_type is RateType.CONTENT_SHARE):
            raise ValueError("content goes with rate_type content_share, and only with it")
        return self


class StackingRule(_Record):
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


class FactRecord(_Record):
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


class HtsLine(_Record):
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


class ListStem(_Record):
    """One entry of a printed HTS list."""

    list: str = Field(pattern=r"^[a-z0-9-]+$")
    stem: ScopeEntry
    confidence: Confidence
    source: Source


class ChapterRange(_Record):
    """What can still be said of a line outside the book: the span of column-1 rates in its chapter or heading."""

    prefix: str = Field(pattern=r"^[0-9]{2,6}$")
    low: Percent
    high: Percent
    confidence: Confidence
    source: Source


class Country(_Record):
    """A country of origin by ISO 3166-1."""

    alpha2: str = Field(pattern=r"^[A-Z]{2}$")
    alpha3: str = Field(pattern=r"^[A-Z]{3}$")
    name: str
    other_names: str | None = None
    group: Literal["EU"] | None = None
    column: Literal["1", "2"] = "1"


class Coverage(_Record):
    """The days the book covers, and when its facts were last checked."""

    first_day: date
    last_day: date
    verified: date
    confidence: Confidence
    source: Source


class SourceRow(_Record):
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


class LicencePeriod(_Record):
    """How Chinese export licences stood in a period; lead weeks from application to licence, low, central, high."""

    elements: tuple[str, ...] = ()
    effective_from: date
    effective_to: date | None = None
    status: str
    lead_weeks: tuple[float, float, float] | None = None
    confidence: Confidence
    source: Source
    note: str | None = None


class ContentRuleRecord(_Record):
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


class ScopeLimit(_Record):
    """Whether a product group is normally inside MOFCOM No. 18."""

    group: str
    inside: bool
    confidence: Confidence
    source: Source


class ControlCode(_Record):
    """The Chinese control code of an element."""

    element: str
    code: str
    confidence: Confidence
    source: Source
