"""Field types that several contracts share.

Money is a decimal string in USD, masses are grams, rates are percent, countries are ISO 3166-1 alpha-2, and a range is
the array `[low, central, high]`.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

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

Text = Annotated[str, StringConstraints(max_length=4000)]
"""Text of the feed, as it came."""

Usd = Annotated[str, StringConstraints(pattern=r"^(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,2})?$")]
"""Dollars as a decimal string with at most two decimals, never negative: `"38990.00"`."""

SignedUsd = Annotated[str, StringConstraints(pattern=r"^-?(?:0|[1-9][0-9]{0,11})\.[0-9]{2}$")]
"""Computed dollars, always with two decimals; a change of cost may be negative."""

Share = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)]
"""A fraction from 0 to 1; a JSON number, not text."""

Measured = Annotated[float, Field(ge=0, le=10_000_000, strict=True, allow_inf_nan=False)]
"""A quantity, a number of days or weeks, a percentage (27.5 is 27.5%): a JSON number, not text."""


class _TextOf:
    """In JSON a calendar value is text of one form only; without this, pydantic also reads numbers as Unix time.

    In Python a `date` or `datetime` object passes too.
    """

    def __init__(self, pattern: str, form: str) -> None:
        self.pattern = pattern
        self.form = form

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        parsed = handler(source)
        text = core_schema.chain_schema([core_schema.str_schema(pattern=self.pattern), parsed])
        return core_schema.json_or_python_schema(json_schema=text, python_schema=parsed)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        del schema, handler
        return {"type": "string", "format": self.form, "pattern": self.pattern}


class _FromNumber:
    """In JSON a whole number may be written `2025.0`, as encoders of floats do; text and true are no numbers."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        parsed = handler(source)
        number = core_schema.chain_schema([core_schema.float_schema(strict=True, allow_inf_nan=False), parsed])
        return core_schema.json_or_python_schema(json_schema=number, python_schema=parsed)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        assert schema["type"] == "json-or-python"
        return handler(schema["python_schema"])


ModelYear = Annotated[int, Field(ge=1900, le=2100), _FromNumber()]
"""A model year: a JSON number, not text."""

Count = Annotated[int, Field(ge=0, le=9_999_999), _FromNumber()]
"""Whole miles or days: a JSON number, not text."""

Day = Annotated[date, _TextOf(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "date")]
"""A calendar day: `"2026-09-29"`."""

Moment = Annotated[
    AwareDatetime,
    _TextOf(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})$",
        "date-time",
    ),
]
"""An instant by RFC 3339, with its offset from UTC: `"2026-09-29T14:05:00Z"`."""

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

LegalStatus = Literal["announced", "signed", "in_force", "withdrawn"]
"""Where a measure stands on a day: said, law from a later day, law, or taken back."""


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
