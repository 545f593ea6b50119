"""`trade.policy`: one version of one measure, in the hand of the policy desk.

The same record stands in the reference files as `[[measure]]`. Dates are days of US Eastern time; `effective_to` is the
last day, inclusive. Rates are percent of customs value, as decimal strings. A withdrawal is a version with
`withdrawn_at`, never a tombstone. The key is the measure's `id`.
"""

from __future__ import annotations

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


class Record(BaseModel):
    """A record of the trade policy: no field it doesn't know, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RateStep(Record):
    """The rate from one day on, until the next step or the measure's end."""

    from_: date = Field(alias="from")
    rate: Percent
    heading: str | None = Field(None, description="Where a step moved to another heading.")
    recorded_at: date | None = Field(None, description="When the step was published; else its first day.")


class MeasureRecord(Record):
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
