"""What a realistic lot is made of: shares of models, stock classes, model years and part families, and VIN patterns.

Weights are relative; every table says where it comes from. `lotrisk lot` draws from it, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Confidence, Country, PartKind, StockClass
from streams.reference.loading import ROOT, read_csv

_DATA = ROOT / "lot_data"

Weight = Annotated[float, Field(gt=0)]
Share01 = Annotated[float, Field(ge=0, le=1)]
Powertrain = Literal["ICE", "MHEV", "HEV", "PHEV", "BEV", "FCEV"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    confidence: Confidence


class LotModel(_Row):
    """A model as it is built in one country with one powertrain; `weight` is its part of US sales, in thousands a year.

    `decoded` is the model's name in vPIC, `wmis` its world manufacturer identifiers, prices are MSRP in dollars.
    """

    make: str
    model: str
    decoded: str
    wmis: str
    country: Country
    powertrain: Powertrain
    weight: Weight
    msrp_low: int
    msrp_high: int
    first_year: int = 0
    last_year: int = 9999


class LotMake(_Row):
    """A make: who holds its franchise (None: it sells direct, dealers have it used only), how a DMS spells it, its
    destination charge in dollars, and the dealer's invoice as a share of MSRP."""

    make: str
    franchise: str | None = None
    dms_name: str
    destination: int
    invoice_low: Share01
    invoice_high: Share01
    stock_prefix: str


class StockShare(_Row):
    """The share of a stock class, its days in stock, its asking price as a share of the MSRP (used: of the age), miles
    at delivery (used: a year)."""

    stock_class: StockClass
    share: Share01
    days_low: int
    days_typical: int
    days_high: int
    price_to_msrp_low: float
    price_to_msrp_high: float
    miles_low: int
    miles_high: int


class ModelYearShare(_Row):
    """The share of a model year in a stock class, in years after the calendar year."""

    stock_class: StockClass
    years_after: int
    share: Share01


class VinPattern(_Row):
    """Positions 1 to 11 of a VIN, `*` for the check digit, of one model and year, and what vPIC says of it."""

    make: str
    model: str
    country: Country
    powertrain: Powertrain
    year: int
    pattern: Annotated[str, Field(pattern=r"^[A-HJ-NPR-Z0-9]{8}\*[A-HJ-NPR-Z0-9]{2}$")]
    trim: str | None = None
    body: str | None = None
    drivetrain: str | None = None
    engine: str | None = None
    fuel: str | None = None


class LotPart(_Row):
    """A kind of part as parts masters write it: description, dealer cost in dollars, stock and demand, and origins.

    `hts` and `origins` are what the maker's or supplier's data file says for the share `documented` of parts.
    """

    family: str
    weight: Weight
    description: str
    cost_low: Decimal
    cost_high: Decimal
    core_share: Share01 = 0.0
    qty_typical: float
    demand_typical: float
    hts: str | None = None
    origins: str | None = None


class PartBrand(_Row):
    """How a maker writes part numbers: `d` a digit, `l` a letter, `{base}` the family's base or `base_digits` digits.

    `documented` is the share of its parts whose tariff number and origin the dealer knows; `source_code` is the DMS's.
    `bought_ahead` is the share of which the dealer laid in months of stock before prices rose (fact sheet 8.15).
    """

    brand: str
    franchise: str | None = None
    kind: PartKind
    weight: Weight
    pattern: str
    base_digits: int
    source_code: str
    documented: Share01
    bought_ahead: Share01


class PartBase(_Row):
    """The base number a brand uses for a family: Ford's middle group, Toyota's or Honda's first five digits."""

    brands: str
    family: str
    base: str


class SlotWords(_Row):
    """Words, separated by `|`, for a slot of a description, or of a colour or dealer name."""

    slot: str
    words: str


@dataclass(frozen=True, slots=True)
class LotReference:
    """All tables of the lot."""

    models: tuple[LotModel, ...]
    makes: tuple[LotMake, ...]
    stock_classes: tuple[StockShare, ...]
    model_years: tuple[ModelYearShare, ...]
    patterns: tuple[VinPattern, ...]
    parts: tuple[LotPart, ...]
    brands: tuple[PartBrand, ...]
    bases: tuple[PartBase, ...]
    words: Mapping[str, tuple[str, ...]]


@cache
def load_lot() -> LotReference:
    """The lot's tables.

    Raises:
        ReferenceError: a table can't be used.
    """
    return LotReference(
        models=load_models(),
        makes=read_csv(_DATA / "makes.csv", LotMake),
        stock_classes=read_csv(_DATA / "stock_classes.csv", StockShare),
        model_years=read_csv(_DATA / "model_years.csv", ModelYearShare),
        patterns=read_csv(_DATA / "vin_patterns.csv", VinPattern),
        parts=read_csv(_DATA / "parts.csv", LotPart),
        brands=read_csv(_DATA / "part_brands.csv", PartBrand),
        bases=read_csv(_DATA / "part_bases.csv", PartBase),
        words={row.slot: tuple(row.words.split("|")) for row in read_csv(_DATA / "words.csv", SlotWords)},
    )


def load_models() -> tuple[LotModel, ...]:
    """The models alone, which is what VIN patterns are looked for by."""
    return read_csv(_DATA / "models.csv", LotModel)
