"""The reference data: every rule and number lotrisk uses, dated and sourced, and `load()` that reads it."""

from __future__ import annotations

from dataclasses import dataclass

from streams.reference.dealer import DealerReference, load_dealer
from streams.reference.materials import MaterialReference, load_materials
from streams.reference.trade import TradeReference, load_trade
from streams.reference.vehicles import VehicleReference, load_vehicles


@dataclass(frozen=True, slots=True)
class Reference:
    """All reference data, by the module of the core that uses it."""

    trade: TradeReference
    vehicles: VehicleReference
    materials: MaterialReference
    dealer: DealerReference


def load() -> Reference:
    """Read and validate every reference file that ships with lotrisk.

    Raises:
        ReferenceError: a file can't be used; the message names file, record and field.
    """
    return Reference(trade=load_trade(), vehicles=load_vehicles(), materials=load_materials(), dealer=load_dealer())
