"""Reference data about vehicles: plants, VIN corrections, powertrains, drives, batteries, lines, customs-value shares.

Tables are read in order and the first row that fits decides, so special cases stand above general ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.enriched import BatteryChemistry, Powertrain, TractionMagnets
from schemas.fields import Confidence, StockClass
from streams.reference.loading import ROOT, ReferenceError, read_csv, read_toml

FOLDER = ROOT / "data_vehicles"

Alpha2 = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Line = Annotated[str, Field(pattern=r"^[0-9]{4}\.[0-9]{2}\.[0-9]{2}$")]
Weight = Literal["le5t", "gt5t"]
Kind = Literal[
    "passenger",
    "goods",
    "goods_or_passenger",
    "passenger_or_bus",
    "bus",
    "heavy",
    "motorcycle",
    "trailer",
    "low_speed",
    "off_road",
    "incomplete",
    "special",
]


def _split(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]


class Decoded(Protocol):
    """What the tables look at in a decoded VIN."""

    @property
    def pattern(self) -> str: ...
    @property
    def make(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def model_year(self) -> int | None: ...
    @property
    def text(self) -> str: ...


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    confidence: Confidence


class _VehicleRow(_Row):
    """A row for some vehicles. Empty cells fit everything; `vin` and `model` take `?`, `*` and `[..]`.

    `vin` is matched from position 1; `text` is whole words anywhere in series, trim and engine.
    """

    make: str | None = None
    model: str | None = None
    first_year: int | None = None
    last_year: int | None = None
    vin: str | None = None
    text: str | None = None
    note: str | None = None

    def fits(self, vehicle: Decoded) -> bool:
        """Whether make, model, year, VIN and text of `vehicle` are those of the row."""
        if self.make is not None and self.make != vehicle.make:
            return False
        if self.model is not None and not fnmatchcase(vehicle.model or "", self.model):
            return False
        year = vehicle.model_year
        if self.first_year is not None and (year is None or year < self.first_year):
            return False
        if self.last_year is not None and (year is None or year > self.last_year):
            return False
        if self.vin is not None and not fnmatchcase(vehicle.pattern, self.vin + "*"):
            return False
        return self.text is None or re.search(rf"\b{re.escape(self.text)}\b", vehicle.text) is not None


class _Country(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    country: Alpha2


class PlantCorrection(_Row):
    """A plant country that vPIC gets wrong; an empty `country` says that neither city nor country is sure."""

    city: str
    decoded: str
    make: str | None = None
    country: Alpha2 | None = None
    note: str


class WmiPlant(_Row):
    """A WMI vPIC doesn't know and whose maker builds in one plant."""

    wmi: str
    country: Alpha2
    make: str
    powertrain: Powertrain
    note: str


class WmiModel(_Row):
    """The model behind such a WMI, by VIN position."""

    wmi: str
    vin: str
    model: str


class _SerialWmi(_Row):
    wmi: str


class _Fuel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    ignition: Literal["petrol", "diesel", "electric", "hydrogen"]


class IgnitionRow(_VehicleRow):
    """What an engine burns where vPIC names no fuel."""

    ignition: Literal["petrol", "diesel"]


class PowertrainRow(_VehicleRow):
    """A powertrain vPIC leaves out or gets wrong."""

    level: str | None = None
    fuel: str | None = None
    powertrain: Powertrain
    missing_fact: str | None = None


class DriveRow(_VehicleRow):
    """Whether the traction machines hold magnets."""

    powertrain: Powertrain
    all_wheel_drive: bool | None = None
    traction_magnets: TractionMagnets


class BatteryRow(_VehicleRow):
    """Chemistry of the traction battery; `decoded` is matched against vPIC's own battery type."""

    powertrain: Powertrain | None = None
    all_wheel_drive: bool | None = None
    decoded: str | None = None
    battery_chemistry: BatteryChemistry


class KindRow(_VehicleRow):
    """What a vehicle is to the tariff schedule."""

    vehicle_type: str | None = None
    body: str | None = None
    kind: Kind


class LineRow(_Row):
    """A tariff line and the vehicles it is for; displacement in cm3, over and up to and including."""

    kind: Literal["passenger", "goods"]
    powertrain: Powertrain
    ignition: Literal["petrol", "diesel"] | None = None
    over_cc: int | None = None
    to_cc: int | None = None
    weight: Weight | None = None
    hts: Line


class PowerRow(_VehicleRow):
    """All traction motors of a vehicle together, where vPIC gives no power; `drive_unit` as vPIC says it."""

    drive_unit: str
    kw: float


class WeightRow(_VehicleRow):
    """Gross weight where vPIC gives none."""

    weight: Weight


class _GvwrClass(_Row):
    prefix: str
    weight: Literal["le5t", "either", "heavy"]


class DriveWord(_Row):
    """How the driven axles are told; `word` is matched as a pattern."""

    make: str | None = None
    field: Literal["drive_type", "drive_unit", "engine", "trim"]
    word: str
    all_wheel_drive: bool


class BuildRow(_VehicleRow):
    """The countries a model is built in; another decoded country is a warning."""

    countries: Words


class CustomsValueShare(_Row):
    """Customs value as a share of MSRP, by origin and entry date; an empty origin is any other."""

    origin: Alpha2 | None = None
    first: date | None = Field(None, alias="from")
    last: date | None = Field(None, alias="to")
    low: Decimal
    central: Decimal
    high: Decimal
    note: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> CustomsValueShare:
        if not 0 < self.low <= self.central <= self.high:
            raise ValueError("low, central and high must be positive and in order")
        return self


class EntryDateBasisRow(_Row):
    """A date of the record and the days around it in which the unit entered; rows in order of trust."""

    basis: Literal[
        "entry_date",
        "port_arrival_date",
        "first_wholesale_date",
        "in_stock_date",
        "updated_at",
        "invoice_date",
        "build_date",
    ]
    earliest_days: int
    latest_days: int
    stock_classes: Words

    def fits(self, stock_class: StockClass | None) -> bool:
        """Whether the date means an entry for a unit of this stock class."""
        return (stock_class.value if stock_class else "unknown") in self.stock_classes


class Decoder(_Row):
    """The decoder's clock and data."""

    id: str
    now: date
    data_month: str


class UsContent(_Row):
    """US content of vehicles under USMCA where Commerce's approval isn't known."""

    id: str
    origins: tuple[Alpha2, ...]
    low: Decimal
    central: Decimal
    high: Decimal


class UsBuilt(_Row):
    """Duty in the imported parts of a US-assembled vehicle, as shares of its MSRP."""

    id: str
    first: date = Field(alias="from")
    parts_measure: str
    parts_share_low: Decimal
    parts_share_central: Decimal
    parts_share_high: Decimal
    parts_rate_percent_low: Decimal
    parts_rate_percent_central: Decimal
    parts_rate_percent_high: Decimal
    offset_measure: str
    offset_percent: Decimal
    offset_last: date = Field(alias="offset_to")


@dataclass(frozen=True, slots=True)
class VehicleReference:
    """Everything the vehicle side of the core reads."""

    countries: dict[str, str]
    plants: dict[tuple[str, str], tuple[PlantCorrection, ...]]
    wmi_plants: dict[str, WmiPlant]
    wmi_models: tuple[WmiModel, ...]
    serial_wmis: frozenset[str]
    fuels: dict[str, str]
    ignitions: tuple[IgnitionRow, ...]
    powertrains: tuple[PowertrainRow, ...]
    drives: tuple[DriveRow, ...]
    batteries: tuple[BatteryRow, ...]
    kinds: tuple[KindRow, ...]
    lines: tuple[LineRow, ...]
    powers: tuple[PowerRow, ...]
    weights: tuple[WeightRow, ...]
    gvwr_classes: tuple[tuple[str, str], ...]
    drive_words: tuple[DriveWord, ...]
    builds: tuple[BuildRow, ...]
    customs_value: tuple[CustomsValueShare, ...]
    entry_dates: tuple[EntryDateBasisRow, ...]
    decoder: Decoder
    us_content: tuple[UsContent, ...]
    us_built: UsBuilt


T = TypeVar("T", bound=BaseModel)


def _only(rows: tuple[T, ...], what: str) -> T:
    if len(rows) != 1:
        raise ReferenceError(f"assumptions.toml: [[{what}]]: {len(rows)} records; write exactly one")
    return rows[0]


def load_vehicles() -> VehicleReference:
    """Read and validate the vehicle reference files.

    Raises:
        ReferenceError: a file can't be used; the message names file, record and field.
    """
    plants: dict[tuple[str, str], tuple[PlantCorrection, ...]] = {}
    for row in read_csv(FOLDER / "plants.csv", PlantCorrection):
        key = (row.city, row.decoded)
        plants[key] = (*plants.get(key, ()), row)
    assumptions = FOLDER / "assumptions.toml"
    return VehicleReference(
        countries={row.name: row.country for row in read_csv(FOLDER / "countries.csv", _Country)},
        plants=plants,
        wmi_plants={row.wmi: row for row in read_csv(FOLDER / "wmi_plants.csv", WmiPlant)},
        wmi_models=read_csv(FOLDER / "wmi_models.csv", WmiModel),
        serial_wmis=frozenset(row.wmi for row in read_csv(FOLDER / "serial_wmis.csv", _SerialWmi)),
        fuels={row.name: row.ignition for row in read_csv(FOLDER / "fuels.csv", _Fuel)},
        ignitions=read_csv(FOLDER / "ignitions.csv", IgnitionRow),
        powertrains=read_csv(FOLDER / "powertrains.csv", PowertrainRow),
        drives=read_csv(FOLDER / "drives.csv", DriveRow),
        batteries=read_csv(FOLDER / "batteries.csv", BatteryRow),
        kinds=read_csv(FOLDER / "kinds.csv", KindRow),
        lines=read_csv(FOLDER / "lines.csv", LineRow),
        powers=read_csv(FOLDER / "powers.csv", PowerRow),
        weights=read_csv(FOLDER / "weights.csv", WeightRow),
        gvwr_classes=tuple((row.prefix, row.weight) for row in read_csv(FOLDER / "gvwr_classes.csv", _GvwrClass)),
        drive_words=read_csv(FOLDER / "drive_words.csv", DriveWord),
        builds=read_csv(FOLDER / "builds.csv", BuildRow),
        customs_value=read_csv(FOLDER / "customs_value.csv", CustomsValueShare),
        entry_dates=read_csv(FOLDER / "entry_dates.csv", EntryDateBasisRow),
        decoder=_only(read_toml(assumptions, "decoder", Decoder), "decoder"),
        us_content=read_toml(assumptions, "us_content", UsContent),
        us_built=_only(read_toml(assumptions, "us_built", UsBuilt), "us_built"),
    )
