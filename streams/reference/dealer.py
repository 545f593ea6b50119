"""What turns a measure into a dealer's figure: pass-through, cost dates, makers' codes, transit, sale restrictions.

Tables are read in order and the first row that fits decides, so special cases stand above general ones.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby, pairwise
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.fields import Confidence
from streams.reference.loading import ROOT, ReferenceError, read_csv, read_toml

FOLDER: Final = ROOT / "data_dealer"
SHARE_STEP: Final = 10_000
"""Shares are kept as integers, ten-thousandths."""

GoodsKind = Literal["vehicle", "oe", "aftermarket", "unknown"]
"""A vehicle, or a part by its kind."""
Direction = Literal["up", "down"]
Shares = tuple[int, int, int]
"""Low, central, high in ten-thousandths."""

Alpha2 = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Capitals = Annotated[str, Field(pattern=r"^[A-Z0-9]+(?: [A-Z0-9]+)*$")]
"""Words in capitals, one blank between them, as `plain` writes them."""
Share = Annotated[Decimal, Field(ge=0, le=1)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1)
    confidence: Confidence


class PassThroughRow(_Row):
    """One step of a curve: the share of a change of duty that the dealer's next invoice is expected to hold.

    `after_days`: from this many days after the change took effect. `from`, `to`: for changes that took effect then.
    """

    kind: GoodsKind
    direction: Direction
    make: Capitals | None = None
    origin: Alpha2 | None = None
    first: date | None = Field(None, alias="from")
    last: date | None = Field(None, alias="to")
    after_days: Annotated[int, Field(ge=0)]
    low: Share
    central: Share
    high: Share
    note: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> PassThroughRow:
        if not self.low <= self.central <= self.high:
            raise ValueError("low, central and high must be in order")
        return self


class TariffCode(_Row):
    """What a maker's own code on the invoice says: the duty is in the cost, or is not, as of the day `as_of`."""

    make: Capitals | None = Field(None, description="Empty: any maker, where it has no row of its own.")
    code: Capitals
    means: Literal["in_cost", "not_in_cost"]
    as_of: date | None = None
    note: str | None = None

    @model_validator(mode="after")
    def _dated(self) -> TariffCode:
        if (self.means == "not_in_cost") != (self.as_of is not None):
            raise ValueError("as_of goes with not_in_cost: the last day whose duty the cost holds")
        return self


class TransitRow(_Row):
    """Days from the maker's invoice to the dealer's stock, by origin and plant."""

    origin: Alpha2 | None = None
    city: Capitals | None = None
    low: Annotated[int, Field(ge=0)]
    central: int
    high: int
    note: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> TransitRow:
        if not self.low <= self.central <= self.high:
            raise ValueError("low, central and high must be in order")
        return self


class CostDateField(NamedTuple):
    """A date of the record that says as of when its cost is, whether less the way to the dealer, and how sure."""

    name: str
    less_transit: bool
    confidence: Confidence


class _CostDateRow(_Row):
    kind: Literal["vehicle", "part"]
    field: Literal[
        "invoice_date", "first_wholesale_date", "in_stock_date", "updated_at", "price_tape_date", "last_received"
    ]
    less_transit: bool


class CostBearer(_Row):
    """Who bears a change of cost, by the words of the record."""

    word: Capitals
    bearer: Literal["maker", "dealer"]


class RestrictionReading(_Row):
    """How a sale restriction of the book is read, and the notices that lift it for the makers they name."""

    measure: str
    certain: bool
    missing_fact: str | None = None
    lifted_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Curve:
    """Shares passed on by the age of a change in days; `ages` begin at 0."""

    kind: GoodsKind
    direction: Direction
    make: str | None
    origin: str | None
    first: date
    last: date
    ages: tuple[int, ...]
    shares: tuple[Shares, ...]
    confidence: Confidence

    def at(self, age_days: int) -> Shares:
        """The shares of a change that took effect so many days ago, at least 0."""
        return self.shares[bisect_right(self.ages, age_days) - 1]


@dataclass(frozen=True, slots=True)
class DealerReference:
    """Everything that turns duty into what a dealer pays."""

    curves: Mapping[tuple[GoodsKind, Direction], tuple[Curve, ...]]
    codes: Mapping[tuple[str | None, str], TariffCode]
    transit: tuple[TransitRow, ...]
    vehicle_cost_dates: tuple[CostDateField, ...]
    part_cost_dates: tuple[CostDateField, ...]
    bearers: Mapping[str, str]
    restrictions: Mapping[str, RestrictionReading]

    def curve(self, kind: GoodsKind, direction: Direction, make: str | None, origin: str | None, day: date) -> Curve:
        """The curve of a change of duty that took effect on `day`; `make` in capitals."""
        for curve in self.curves[kind, direction]:
            if (
                (curve.make is None or curve.make == make)
                and (curve.origin is None or curve.origin == origin)
                and curve.first <= day <= curve.last
            ):
                return curve
        raise AssertionError("pass_through.csv has a curve for every kind and direction, checked at load")

    def code(self, make: str | None, text: str) -> TariffCode | None:
        """What a maker's code says; None where nobody knows it."""
        name = plain(text)
        return self.codes.get((make, name)) or self.codes.get((None, name))

    def days_in_transit(self, origin: str | None, city: str | None) -> TransitRow:
        """Days from the maker's invoice to stock; `city` in capitals."""
        for row in self.transit:
            if (row.origin is None or row.origin == origin) and (row.city is None or row.city == city):
                return row
        raise AssertionError("transit.csv has a row for any origin, checked at load")


def plain(text: str) -> str:
    """Letters and digits of a text in capitals, one blank between words: how codes and words are compared."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.upper()).split())


def load_dealer() -> DealerReference:
    """Read and validate the dealer's reference files.

    Raises:
        ReferenceError: a file can't be used; the message names file, record and field.
    """
    transit = read_csv(FOLDER / "transit.csv", TransitRow)
    if not transit or transit[-1].origin is not None or transit[-1].city is not None:
        raise ReferenceError("transit.csv: the last row must be for any origin and city: leave both empty")
    dates = read_csv(FOLDER / "cost_dates.csv", _CostDateRow)
    codes = read_csv(FOLDER / "tariff_codes.csv", TariffCode)
    return DealerReference(
        curves=_curves(read_csv(FOLDER / "pass_through.csv", PassThroughRow)),
        codes=MappingProxyType({(row.make, row.code): row for row in codes}),
        transit=transit,
        vehicle_cost_dates=_cost_dates(dates, "vehicle"),
        part_cost_dates=_cost_dates(dates, "part"),
        bearers=MappingProxyType({row.word: row.bearer for row in read_csv(FOLDER / "cost_bearers.csv", CostBearer)}),
        restrictions=MappingProxyType(
            {
                row.measure: row
                for row in read_toml(FOLDER / "sale_restrictions.toml", "restriction", RestrictionReading)
            }
        ),
    )


def _cost_dates(rows: Iterable[_CostDateRow], kind: str) -> tuple[CostDateField, ...]:
    return tuple(CostDateField(row.field, row.less_transit, row.confidence) for row in rows if row.kind == kind)


def _curves(rows: Iterable[PassThroughRow]) -> Mapping[tuple[GoodsKind, Direction], tuple[Curve, ...]]:
    found: dict[tuple[GoodsKind, Direction], list[Curve]] = {}
    for _, steps in groupby(rows, key=lambda row: (row.kind, row.direction, row.make, row.origin, row.first, row.last)):
        curve = _curve(list(steps))
        found.setdefault((curve.kind, curve.direction), []).append(curve)
    kinds: tuple[GoodsKind, ...] = ("vehicle", "oe", "aftermarket", "unknown")
    directions: tuple[Direction, ...] = ("up", "down")
    for kind in kinds:
        for direction in directions:
            last = found.get((kind, direction), [None])[-1]
            if last is None or last.make or last.origin or last.first != date.min or last.last != date.max:
                raise ReferenceError(
                    f"pass_through.csv: {kind}, {direction}: the last curve must be for any make, origin and date"
                )
    return MappingProxyType({key: tuple(curves) for key, curves in found.items()})


def _curve(steps: list[PassThroughRow]) -> Curve:
    head = steps[0]
    name = ", ".join(filter(None, (head.kind, head.direction, head.make, head.origin)))
    ages = tuple(step.after_days for step in steps)
    shares = tuple(
        (int(step.low * SHARE_STEP), int(step.central * SHARE_STEP), int(step.high * SHARE_STEP)) for step in steps
    )
    if ages[0] != 0 or list(ages) != sorted(set(ages)):
        raise ReferenceError(f"pass_through.csv: {name}: after_days must begin at 0 and rise")
    if any(later[column] < earlier[column] for earlier, later in pairwise(shares) for column in range(3)):
        raise ReferenceError(f"pass_through.csv: {name}: a share must not fall as days pass")
    return Curve(
        head.kind, head.direction, head.make, head.origin, head.first or date.min, head.last or date.max, ages, shares,
        min((step.confidence for step in steps), key="LMH".index),
    )  # fmt: skip
