"""Rare earths in vehicles and parts: component masses, prices, China's shares and part families, read and validated.

The files stand in `data_materials/` and `parts/`; each record carries `source` and `confidence`. Masses are grams of
element metal in the part, ranges are (low, central, high), prices USD a kilogram without Chinese value added tax.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from schemas.fields import Confidence
from streams.reference.loading import ROOT, ReferenceError, read_csv, read_toml
from streams.reference.materials_records import (
    Abbreviation,
    ChinaShare,
    ConditionShare,
    CustomsValueShare,
    Element,
    EntryDateRow,
    Machine,
    MagnetGrade,
    MagnetPrice,
    NumberPattern,
    OxidePrice,
    PartFamily,
    Range,
    SinglePart,
    TractionRow,
    VehicleBillRow,
)
from streams.reference.thresholds import Threshold, load_thresholds


@dataclass(frozen=True, slots=True)
class Component:
    """What one component holds.

    `grams` by element and `total_g` are element metal. The columns of `grams` sum to those of `total_g` at central; a
    total's bounds may be narrower, since the elements stand in for one another. `magnet_g` is the mass of the magnets.
    """

    id: str
    name: str
    grams: Mapping[str, Range]
    total_g: Range
    grade: MagnetGrade | None
    magnet_g: Range
    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class MaterialReference:
    """What the exposure estimate and the part families rest on."""

    elements: Mapping[str, Element]
    oxide_prices: tuple[OxidePrice, ...]
    magnet_prices: tuple[MagnetPrice, ...]
    china_shares: tuple[ChinaShare, ...]
    grades: Mapping[str, MagnetGrade]
    components: Mapping[str, Component]
    vehicle_bill: tuple[VehicleBillRow, ...]
    traction: tuple[TractionRow, ...]
    condition_shares: Mapping[tuple[str, str], float]
    families: Mapping[str, PartFamily]
    abbreviations: Mapping[str, tuple[str, ...]]
    number_patterns: tuple[NumberPattern, ...]
    part_value_shares: Mapping[str, CustomsValueShare]
    part_entry_dates: Mapping[str, tuple[EntryDateRow, ...]]
    thresholds: Mapping[str, Threshold]


DATA = ROOT / "data_materials"
PARTS = ROOT / "parts"

R = TypeVar("R", MagnetGrade, Machine, SinglePart, PartFamily)


def _by_id(path: Path, rows: Iterable[R]) -> dict[str, R]:
    found: dict[str, R] = {}
    for row in rows:
        if row.id in found:
            raise ReferenceError(f"{path.name}: {row.id}: stands twice; ids must differ")
        found[row.id] = row
    return found


def _known(path: Path, where: str, names: Iterable[str], known: Iterable[str], what: str) -> None:
    strange = sorted(set(names) - set(known))
    if strange:
        raise ReferenceError(f"{path.name}: {where}: unknown {what} {', '.join(strange)}; add it or correct the name")


def _grade(path: Path, row: Machine | SinglePart, grades: Mapping[str, MagnetGrade]) -> MagnetGrade | None:
    if row.magnet is None:
        return None
    _known(path, row.id, [row.magnet], grades, "magnet grade")
    return grades[row.magnet]


def _of_machine(path: Path, row: Machine, grades: Mapping[str, MagnetGrade]) -> Component:
    grade = _grade(path, row, grades)
    low, central, high = (sum(grams[column] for grams in row.grams.values()) for column in range(3))
    if grade is not None:
        high = min(high, row.magnet_kg[2] * 10 * grade.rare_earth_percent[2])
    if not low <= central <= high:
        raise ReferenceError(f"{path.name}: {row.id}: grams exceed what {row.magnet_kg[2]} kg of {row.magnet} can hold")
    mass = (row.magnet_kg[0] * 1000, row.magnet_kg[1] * 1000, row.magnet_kg[2] * 1000)
    total = (float(low), float(central), float(high))
    return Component(row.id, row.name, row.grams, total, grade, mass, row.source, row.confidence)


def _of_part(path: Path, row: SinglePart, grades: Mapping[str, MagnetGrade]) -> Component:
    grade = _grade(path, row, grades)
    low, central, high = row.rare_earth_g
    shares = sum(split[1] for split in row.split_percent.values())
    if abs(shares - 100) > 0.01 and high > 0:
        raise ReferenceError(f"{path.name}: {row.id}: central split_percent sums to {shares}; it must be 100")
    grams = {
        element: (low * split[0] / 100, central * split[1] / 100, high * split[2] / 100)
        for element, split in row.split_percent.items()
    }
    mass: Range = (0.0, 0.0, 0.0)
    if grade is not None:
        poor, usual, rich = grade.rare_earth_percent
        mass = (low * 100 / rich, central * 100 / usual, high * 100 / poor)
    return Component(row.id, row.name, grams, row.rare_earth_g, grade, mass, row.source, row.confidence)


def _read_components(elements: Mapping[str, Element], grades: Mapping[str, MagnetGrade]) -> dict[str, Component]:
    machines, parts = DATA / "machines.toml", DATA / "components.toml"
    found = {row.id: _of_machine(machines, row, grades) for row in read_toml(machines, "machine", Machine)}
    for row in read_toml(parts, "component", SinglePart):
        if row.id in found:
            raise ReferenceError(f"{parts.name}: {row.id}: stands twice; ids must differ")
        found[row.id] = _of_part(parts, row, grades)
    for component in found.values():
        _known(parts, component.id, component.grams, elements, "element")
    return found


def _read_families(components: Mapping[str, Component]) -> dict[str, PartFamily]:
    path = PARTS / "families.toml"
    families = _by_id(path, read_toml(path, "family", PartFamily))
    for family in families.values():
        _known(path, family.id, (item.component for item in family.items), components, "component")
    return families


def _check_coverage(
    elements: Mapping[str, Element], prices: tuple[OxidePrice, ...], shares: tuple[ChinaShare, ...]
) -> None:
    _known(DATA / "oxide_prices.csv", "element", (row.element for row in prices), elements, "element")
    for element in elements:
        for market in ("china", "outside_china"):
            if not any(row.element == element and row.market == market for row in prices):
                raise ReferenceError(f"oxide_prices.csv: {element}: no price for market {market}; add a dated one")
        for stage in ("mine", "refine"):
            if not any(row.of == element and row.stage == stage for row in shares):
                raise ReferenceError(f"china_shares.csv: {element}: no share for stage {stage}; add one")


def _by_kind(rows: Iterable[EntryDateRow]) -> dict[str, tuple[EntryDateRow, ...]]:
    kinds: dict[str, tuple[EntryDateRow, ...]] = {}
    for row in rows:
        kinds[row.part_kind] = (*kinds.get(row.part_kind, ()), row)
    return kinds


def load_materials() -> MaterialReference:
    """Read and validate the files of materials and part families.

    Raises:
        ReferenceError: a file can't be used; the message names file, record and field.
    """
    elements = {row.element: row for row in read_csv(DATA / "elements.csv", Element)}
    prices = read_csv(DATA / "oxide_prices.csv", OxidePrice)
    shares = read_csv(DATA / "china_shares.csv", ChinaShare)
    _check_coverage(elements, prices, shares)
    grades_file = DATA / "magnet_grades.toml"
    grades = _by_id(grades_file, read_toml(grades_file, "grade", MagnetGrade))
    for grade in grades.values():
        _known(grades_file, grade.id, grade.percent, elements, "element")
    components = _read_components(elements, grades)
    bill = read_csv(DATA / "vehicle_bill.csv", VehicleBillRow)
    _known(DATA / "vehicle_bill.csv", "component", (row.component for row in bill), components, "component")
    traction = read_csv(DATA / "traction.csv", TractionRow)
    _known(DATA / "traction.csv", "machine", (row.machine for row in traction), components, "machine")
    families = _read_families(components)
    patterns = read_csv(PARTS / "number_patterns.csv", NumberPattern)
    _known(PARTS / "number_patterns.csv", "family", (row.family for row in patterns), families, "family")
    return MaterialReference(
        elements=MappingProxyType(elements),
        oxide_prices=prices,
        magnet_prices=read_csv(DATA / "magnet_prices.csv", MagnetPrice),
        china_shares=shares,
        grades=MappingProxyType(grades),
        components=MappingProxyType(components),
        vehicle_bill=bill,
        traction=traction,
        condition_shares=MappingProxyType(
            {
                (row.powertrain, row.condition): row.central_share
                for row in read_csv(DATA / "conditions.csv", ConditionShare)
            }
        ),
        families=MappingProxyType(families),
        abbreviations=MappingProxyType(
            {row.written: tuple(row.meant.split()) for row in read_csv(PARTS / "abbreviations.csv", Abbreviation)}
        ),
        number_patterns=patterns,
        part_value_shares=MappingProxyType(
            {row.part_kind: row for row in read_csv(PARTS / "customs_value.csv", CustomsValueShare)}
        ),
        part_entry_dates=MappingProxyType(_by_kind(read_csv(PARTS / "entry_dates.csv", EntryDateRow))),
        thresholds=load_thresholds(),
    )
