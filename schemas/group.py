"""`lotrisk.totals` and `groups.enriched`: what is on the lot of one model, family, origin or drive, and of all of it.

A group's key is its kind, a colon, and its name: `model:TOYOTA/RAV4`, `family:eps_motor`, `origin:vehicle/JP`,
`origin:part/CN`, `powertrain:HEV`, `book:all`; a name may be `unknown`. What can't be said of a record is in no sum and
is counted beside it as unknown.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.enriched import Licence
from schemas.fields import Day, GramsRange, LegalStatus
from schemas.flag import Flag

GroupKey = Annotated[
    str, StringConstraints(pattern=r"^(?:model|family|origin|powertrain|book):[^\x00-\x1f\x7f]{1,200}$")
]
"""Kind and name of a group."""

TotalUsd = Annotated[str, StringConstraints(pattern=r"^-?(?:0|[1-9][0-9]{0,21})\.[0-9]{2}$")]
"""Summed dollars, always with two decimals."""

TotalUsdRange = tuple[TotalUsd, TotalUsd, TotalUsd]
"""Summed dollars as [low, central, high]."""

_Count = Annotated[int, Field(ge=0)]
_Cents = tuple[int, int, int]
_Grams = dict[str, tuple[int, int, int]]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PartialShare(_Block):
    """A part of the whole lot within a partial: cents, and central tenths of a milligram by element."""

    value_cents: int
    grams_e4: dict[str, int]


class GroupPartial(_Block):
    """The value of `lotrisk.totals`: the sums of one input partition for one group, as of a place in its enriched log.

    Key: group, `|`, input topic, `|`, partition; the partition it stands in is by the group alone. Between lotrisk's
    own agents: whole numbers, in cents, thousandths of a unit and tenths of a milligram, as [low, central, high].
    """

    model_config = ConfigDict(extra="forbid", frozen=True, title="GroupPartial")

    group: GroupKey
    topic_id: str = Field(description="Kafka's id of the enriched topic.")
    position: _Count = Field(description="Next offset of the enriched partition that is not in the sums.")
    book: str = Field(description="Number of the policy book in use when it was written.")
    records: Annotated[int, Field(ge=1)]
    units_e3: int
    value_cents: int
    value_unknown: _Count
    landed_cents: _Cents
    landed_unknown: _Count
    replacement_cents: _Cents
    replacement_unknown: _Count
    change_cents: _Cents
    change_unknown: _Count
    grams_e4: _Grams
    grams_unknown: _Count
    threatened: dict[str, tuple[int, int, int, int, int]] = Field(
        default_factory=dict, description="Records, low, central, high, and records whose central can't be said."
    )
    verdicts: dict[str, int] = Field(default_factory=dict, description="Records by verdict of the 0.1% rule.")
    open_flags: dict[str, tuple[int, int]] = Field(
        default_factory=dict, description="Records and cents at stake by flag type and severity, `type/severity`."
    )
    origins: dict[str, PartialShare] | None = Field(None, description="Of the whole lot: its origins.")
    models: dict[str, PartialShare] | None = Field(
        None, description="Of the whole lot: the models and part families with the most rare earths."
    )


class TotalDollars(_Block):
    """Summed over the records where it can be said."""

    usd: TotalUsdRange
    unknown: _Count = Field(description="Records where it can't be said, and which are not in the sum.")


class GroupDuty(_Block):
    """Importer's duty on all units, in both views."""

    landed: TotalDollars
    replacement: TotalDollars = Field(description="Of new goods only.")


class GroupThreat(_Block):
    """What a measure that is not law would add on all units it would reach."""

    legal_status: LegalStatus | None = Field(description="As the group's own book has it.")
    effective_from: Day | None = None
    added_usd: tuple[TotalUsd, TotalUsd | None, TotalUsd]
    records: _Count


class GroupFlags(_Block):
    """Open flags of the group's vehicles and parts."""

    type: str
    severity: Literal["info", "warning", "critical"]
    records: _Count
    dollars_at_stake: TotalUsd


class GroupShare(_Block):
    """A part of the whole lot: value, and central grams by element."""

    value_usd: TotalUsd
    elements_g: dict[str, float]


class GroupTotals(_Block):
    """Summed over all partitions."""

    records: _Count
    units: float = Field(description="Vehicles, or pieces on hand.")
    value_usd: TotalUsd = Field(description="At cost: vehicles by invoice, else MSRP.")
    value_unknown: _Count
    importer_duty: GroupDuty
    expected_invoice_change: TotalDollars
    threatened: dict[str, GroupThreat] = Field(default_factory=dict)
    elements_g: dict[str, GramsRange]
    grams_unknown: _Count
    content_rule: dict[Literal["below", "at_or_above", "indeterminate"], int]
    open_flags: tuple[GroupFlags, ...] = ()
    origins: dict[str, GroupShare] | None = Field(None, description="Of the whole lot: its origins.")
    models: dict[str, GroupShare] | None = Field(
        None,
        description="Of the whole lot: models and part families with the most rare earths; lower bounds where one is "
        "not among the first ten of every partition.",
    )


class GroupControls(_Block):
    """China's export controls on the elements in the group, under the group's own book."""

    controlled_by: dict[str, tuple[str, ...]] = Field(description="Measure in force to its elements that are present.")
    under_review: tuple[str, ...] = ()
    licence: Licence | None = None


class EnrichedGroup(BaseModel):
    """A group: the sums of each input partition, all of them together, and the group's open flags."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="EnrichedGroup")

    group: GroupKey
    partials: dict[str, GroupPartial] = Field(description="By input topic and partition, `topic/partition`; lotrisk's.")
    kind: Literal["model", "family", "origin", "powertrain", "book"]
    totals: GroupTotals
    controls: GroupControls
    flags: tuple[Flag, ...] = ()
    behind: tuple[str, ...] | None = Field(
        None,
        description="Input partitions, `topic/partition`, whose records were not all right under the book yet when the "
        "group was judged, a minute after the book came. Its flags are then of low confidence.",
    )
    book: str = Field(description="Number of the policy book the group was rated under.")
    customer_facing_ok: Literal[False] = False


OWNED_FIELDS_GROUP = frozenset(EnrichedGroup.model_fields) - {"group", "partials"}
