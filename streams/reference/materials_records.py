"""The shapes of the materials' records: one model a file, each field with its unit and meaning.

Ranges are (low, central, high). Section numbers are those of the domain facts.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.enriched import Powertrain
from schemas.fields import Confidence

Range = tuple[float, float, float]
Market = Literal["china", "outside_china"]
Stage = Literal["mine", "refine", "magnet"]
Material = Literal["ndfeb", "smco"]
FamilyKind = Literal["magnet", "yttrium", "chip", "catalyst", "battery", "none"]
Condition = Literal["pm", "petrol", "diesel", "nimh", "liion"]


def _ordered(value: Range) -> Range:
    low, central, high = value
    if not 0 <= low <= central <= high:
        raise ValueError(f"{list(value)} must rise from low over central to high, none below 0")
    return value


OrderedRange = Annotated[Range, AfterValidator(_ordered)]


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


Expression = Annotated[str, AfterValidator(_compiles)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1)
    confidence: Confidence


class _RangeRow(_Row):
    low: float
    central: float
    high: float

    @property
    def range(self) -> Range:
        """The three columns."""
        return (self.low, self.central, self.high)

    def model_post_init(self, _context: object) -> None:
        """Refuse columns out of order."""
        _ordered(self.range)


class Element(_Row):
    """A rare earth; `oxide_factor` is kilograms of oxide in which a kilogram of metal stands (fact sheet 3.6)."""

    element: str
    name: str
    oxide: str
    oxide_factor: Annotated[float, Field(gt=1)]
    magnet: bool


class OxidePrice(_RangeRow):
    """USD a kilogram of the element's oxide, on a date, in a market (4.1)."""

    element: str
    market: Market
    date: date


class MagnetPrice(_RangeRow):
    """USD a kilogram of magnet material, on a date."""

    material: Material
    date: date


class ChinaShare(_RangeRow):
    """China's share of a stage in percent; `of` is an element, for magnets the material (4.2)."""

    stage: Stage
    of: str
    goods_origin: str | None = None
    year: int


class MagnetGrade(_Row):
    """What a kind of magnet holds, percent of its mass (3.1)."""

    id: str
    name: str
    material: Material
    rare_earth_percent: OrderedRange
    percent: dict[str, OrderedRange]


class Machine(_Row):
    """A traction or generator machine: its magnets, and grams of element in them (3.2)."""

    id: str
    name: str
    magnet: str | None = None
    magnet_kg: OrderedRange
    grams: dict[str, OrderedRange]


class SinglePart(_Row):
    """Grams of rare earth in one part, and how they divide over the elements (3.4)."""

    id: str
    name: str
    rare_earth_g: OrderedRange
    split_percent: dict[str, OrderedRange]
    magnet: str | None = None


class VehicleBillRow(_Row):
    """How many of a component a group of powertrains holds, and under which condition."""

    powertrain: Literal["all", "combustion", "full_hybrid", "electric"]
    condition: Condition | None = None
    component: str
    qty_low: float
    qty_central: float
    qty_high: float


class TractionRow(_Row):
    """Traction machines with magnets by powertrain and total power; no power: it is not known."""

    powertrain: Powertrain
    magnets: Literal["yes", "mixed", "any"]
    kw_from: float | None = None
    kw_to: float | None = None
    machine: str
    qty_low: float
    qty_central: float
    qty_high: float


class ConditionShare(_Row):
    """Share of a powertrain's fleet for which a condition holds: the central value where the unit's own is unknown."""

    powertrain: Powertrain
    condition: Condition
    central_share: Annotated[float, Field(ge=0, le=1)]


class FamilyItem(BaseModel):
    """A component in a part of a family."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    component: str
    quantity: OrderedRange


class PartFamily(_Row):
    """Parts that hold the same things and fall under the same lines; see the head of `parts/families.toml`."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    name: str
    kind: FamilyKind
    items: tuple[FamilyItem, ...] = Field(min_length=1)
    lines: tuple[Annotated[str, Field(pattern=r"^[0-9]{4}\.[0-9]{2}\.[0-9]{2}$")], ...]
    hts: tuple[Annotated[str, Field(pattern=r"^[0-9]{4}(\.[0-9]{2})?$")], ...] = ()
    words: tuple[Annotated[str, Field(pattern=r"^[A-Z0-9]+( \+?[A-Z0-9]+)*$")], ...] = Field(min_length=1)
    rank: int = 0
    bare_magnet: bool = Field(False, description="The part is the magnet itself: its origin is the magnet's.")


class CustomsValueShare(_RangeRow):
    """Customs value as a share of the dealer's cost of a new part (2.8)."""

    part_kind: Literal["oe", "aftermarket", "unknown"]

    @cached_property
    def ten_thousandths(self) -> tuple[int, int, int]:
        """The shares as integers, so that cents stay cents."""
        return (round(self.low * 10_000), round(self.central * 10_000), round(self.high * 10_000))


class EntryDateRow(_Row):
    """A date of the record, and how many days before it the part was entered; the first row whose field is there."""

    part_kind: Literal["oe", "aftermarket", "unknown"]
    field: Literal["entry_date", "last_received", "invoice_date", "in_stock_date"]
    days_before_from: Annotated[int, Field(ge=0)]
    days_before_to: Annotated[int, Field(ge=0)]


class Abbreviation(_Row):
    """A parts master's short form; `meant` empty: a word that says nothing."""

    written: str
    meant: str = ""


class NumberPattern(_Row):
    """The part of a maker's number that names the thing; both are regular expressions on capital letters."""

    brands: Expression
    pattern: Expression
    family: str
