"""Field types that several contracts share.

Money is a decimal string in USD, masses are grams, rates are percent, countries are ISO 3166-1 alpha-2, and a range is
the array `[low, central, high]`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

VIN_PATTERN = r"^[A-HJ-NPR-Z0-9]{17}$"

Vin = Annotated[str, StringConstraints(pattern=VIN_PATTERN)]
"""17 characters, capital letters and digits, never I, O or Q (49 CFR 565.15)."""

DealerId = Annotated[
    str, StringConstraints(pattern=r"^[^:\s\x00-\x1f\x7f](?:[^:\x00-\x1f\x7f]{0,62}[^:\s\x00-\x1f\x7f])?$")
]
"""1 to 64 characters without `:`, which separates the parts of a record key."""

PartNumber = Annotated[
    str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,62}[^\s\x00-\x1f\x7f])?$")
]
"""1 to 64 printable characters; the maker's own spelling is kept."""

Usd = Annotated[str, StringConstraints(pattern=r"^(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,2})?$")]
"""Dollars as a decimal string with at most two decimals, never negative: `"38990.00"`."""

SignedUsd = Annotated[str, StringConstraints(pattern=r"^-?(?:0|[1-9][0-9]{0,11})\.[0-9]{2}$")]
"""Computed dollars, always with two decimals; a change of cost may be negative."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A fraction from 0 to 1."""

Percent = Annotated[float, Field(ge=0)]
"""A percentage: 27.5 is 27.5%."""

HtsNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(?:\.?[0-9]{2}(?:\.?[0-9]{2}(?:\.?[0-9]{2})?)?)?$")]
"""4, 6, 8 or 10 digits of the Harmonized Tariff Schedule of the United States, dotted or not."""


def _alias_country(code: str) -> str:
    return "GB" if code == "UK" else code


Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), AfterValidator(_alias_country)]
"""ISO 3166-1 alpha-2. `UK` is accepted and read as `GB`."""

GramsRange = tuple[float, float, float]
"""Grams of element metal as [low, central, high]."""

PercentRange = tuple[float, float, float]
"""Percent as [low, central, high]."""

UsdRange = tuple[SignedUsd, SignedUsd, SignedUsd]
"""Dollars as [low, central, high]."""

Confidence = Literal["H", "M", "L"]
"""H: official text; M: reputable secondary source, or two that agree; L: one weak source, or an estimate."""


class StockClass(StrEnum):
    """How a unit stands in the dealer's stock; only new goods have a replacement duty."""

    NEW = "new"
    DEMO = "demo"
    LOANER = "loaner"
    USED = "used"
    CPO = "cpo"
    IN_TRANSIT = "in_transit"


class PartKind(StrEnum):
    """Where a part comes from in the trade."""

    OE = "oe"
    AFTERMARKET = "aftermarket"
    REMAN = "reman"
    RECYCLED = "recycled"


class Importer(StrEnum):
    """Who is the importer of record, and so owes the duty."""

    MAKER = "maker"
    DISTRIBUTOR = "distributor"
    DEALER = "dealer"
    UNKNOWN = "unknown"


class EntryDateBasis(StrEnum):
    """How the date of entry was found."""

    MAKER_CODE = "maker_code"
    PORT = "port"
    DERIVED = "derived"
