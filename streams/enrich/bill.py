"""The bill of what holds rare earths: components of a vehicle by powertrain, of a part by its family.

Masses are grams of element metal as (low, central, high). An item that may or may not be there (a magnet-free drive, a
nickel-metal-hydride battery, a diesel's filter) starts at 0; its central value is weighted by the fleet's share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.fields import Confidence
from streams.reference.materials import Component, MaterialReference
from streams.reference.materials_records import Condition, Material, PartFamily, Range

if TYPE_CHECKING:
    from streams.enrich.classify import VehicleIdentity

NOTHING: Range = (0.0, 0.0, 0.0)

_GROUP = {
    "ICE": "combustion",
    "MHEV": "combustion",
    "HEV": "full_hybrid",
    "PHEV": "full_hybrid",
    "BEV": "electric",
    "FCEV": "electric",
}


@dataclass(frozen=True, slots=True)
class BillItem:
    """A component with its number of pieces, and what all pieces together hold.

    `grams` by element, `total_g` over the elements (its bounds may be narrower than the elements' sums, which are never
    reached together), `magnet_g` the mass of its magnets, `material` what they are made of; None: it holds no magnet.
    """

    component: str
    name: str
    quantity: Range
    grams: Mapping[str, Range]
    total_g: Range
    magnet_g: Range
    material: Material | None
    confidence: Confidence
    source: str


@dataclass(frozen=True, slots=True)
class Bill:
    """The items, and the names of facts that would narrow them."""

    items: tuple[BillItem, ...]
    missing_facts: tuple[str, ...] = ()


def times(one: Range, quantity: Range) -> Range:
    """Column by column product of two ranges that start at 0 or above."""
    return (one[0] * quantity[0], one[1] * quantity[1], one[2] * quantity[2])


def _item(component: Component, quantity: Range) -> BillItem:
    return BillItem(
        component=component.id,
        name=component.name,
        quantity=quantity,
        grams={element: times(grams, quantity) for element, grams in component.grams.items()},
        total_g=times(component.total_g, quantity),
        magnet_g=times(component.magnet_g, quantity),
        material=component.grade.material if component.grade else None,
        confidence=component.confidence,
        source=component.source,
    )


def part_bill(family: PartFamily, materials: MaterialReference) -> Bill:
    """The bill of one part of `family`."""
    return Bill(tuple(_item(materials.components[item.component], item.quantity) for item in family.items))


def _weighted(quantity: Range, share: float) -> Range | None:
    """What may be there: from 0, unless the fleet has it always; None where the fleet never has it."""
    if share <= 0:
        return None
    return quantity if share >= 1 else (0.0, quantity[1] * share, quantity[2])


def _conditional(
    identity: VehicleIdentity, condition: Condition, quantity: Range, shares: Mapping[tuple[str, str], float]
) -> Range | None:
    """The pieces of a component that only some vehicles of the powertrain have; None: this one has none."""
    if condition in ("petrol", "diesel"):
        if identity.diesel is not None:
            return quantity if identity.diesel == (condition == "diesel") else None
        share = shares[identity.powertrain, "petrol"]
        return _weighted(quantity, share if condition == "petrol" else 1 - share)
    if identity.battery_chemistry != "unknown":
        return quantity if identity.battery_chemistry == condition else None
    share = shares[identity.powertrain, "nimh"]
    return _weighted(quantity, share if condition == "nimh" else 1 - share)


def _settled(share: float) -> bool:
    return share <= 0 or share >= 1


def _traction(identity: VehicleIdentity, materials: MaterialReference) -> tuple[BillItem, ...]:
    magnets = identity.traction_magnets
    if magnets == "no":
        return (_item(materials.components["magnet_free_machine"], (1.0, 1.0, 1.0)),)
    wanted = "yes" if magnets in ("unknown", "na") else magnets
    rows = [
        row for row in materials.traction if row.powertrain == identity.powertrain and row.magnets in (wanted, "any")
    ]
    power = identity.motor_kw
    sized = [
        row
        for row in rows
        if power is not None and row.kw_from is not None and row.kw_to is not None and row.kw_from <= power < row.kw_to
    ]
    chosen = sized or [row for row in rows if row.kw_from is None]
    items = []
    for row in chosen:
        quantity: Range | None = (row.qty_low, row.qty_central, row.qty_high)
        if magnets == "unknown" and row.magnets != "any" and quantity is not None:
            quantity = _weighted(quantity, materials.condition_shares[identity.powertrain, "pm"])
        if quantity is not None:
            items.append(_item(materials.components[row.machine], quantity))
    return tuple(items)


def vehicle_bill(identity: VehicleIdentity, materials: MaterialReference) -> Bill:
    """The bill of a vehicle; no items where the powertrain is unknown, since then nothing can be said.

    `traction_magnets` "na" on an electrified powertrain is read as yes: the word belongs to vehicles without traction
    machines. Missing facts are named `powertrain`, `traction_magnets`, `battery_chemistry` and `fuel`.
    """
    powertrain = identity.powertrain
    group = _GROUP.get(powertrain)
    if group is None:
        return Bill((), ("powertrain",))
    shares = materials.condition_shares
    missing = []
    if group != "combustion":
        if identity.traction_magnets == "unknown" and not _settled(shares[powertrain, "pm"]):
            missing.append("traction_magnets")
        if identity.battery_chemistry == "unknown" and not _settled(shares[powertrain, "nimh"]):
            missing.append("battery_chemistry")
    if group != "electric" and identity.diesel is None and not _settled(shares[powertrain, "petrol"]):
        missing.append("fuel")
    items = list(_traction(identity, materials))
    for row in materials.vehicle_bill:
        if row.powertrain not in ("all", group):
            continue
        quantity: Range | None = (row.qty_low, row.qty_central, row.qty_high)
        if row.condition is not None and quantity is not None:
            quantity = _conditional(identity, row.condition, quantity, shares)
        if quantity is not None:
            items.append(_item(materials.components[row.component], quantity))
    return Bill(tuple(items), tuple(missing))
