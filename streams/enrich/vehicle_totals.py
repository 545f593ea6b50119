"""What one vehicle adds to the totals of its model, origin and powertrain, and of the lot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.fields import StockClass
from schemas.vehicle import Vehicle
from streams.enrich.cents import price_cents
from streams.enrich.contribution import UNITS, UNKNOWN, Contribution, Threat, amounts, encode_cell
from streams.enrich.vehicle_duty import Priced, VehicleTariff

if TYPE_CHECKING:
    from streams.enrich.vehicle_profile import VehicleProfile


def vehicle_contribution(record: Vehicle, profile: VehicleProfile, duty: VehicleTariff, priced: Priced) -> Contribution:
    """One unit, at its invoice price, else its MSRP."""
    stock = record.stock_class
    threats: tuple[Threat, ...] = ()
    measures: tuple[str, ...] = ()
    if duty.added:
        threats = tuple([(one.measure, *added) for one, added in zip(duty.threats, duty.added, strict=True)])
        measures = tuple(threat[0] for threat in threats)
    cell = profile.cells.get(measures)
    if cell is None:
        cell = profile.cells.keep(measures, _cell(profile, measures))
    return tuple.__new__(
        Contribution,
        (
            cell,
            amounts(
                UNITS,
                price_cents(record.invoice_usd) or price_cents(record.msrp_usd),
                priced.landed,
                priced.replacement,
                duty.expected.usd_cents if duty.expected is not None else None,
                is_new=stock is not StockClass.USED and stock is not StockClass.CPO,
                threats=threats,
            ),
        ),
    )


def _cell(profile: VehicleProfile, measures: tuple[str, ...]) -> bytes:
    what, origin = profile.what.identity, profile.origin.country
    model = f"{what.make or UNKNOWN}/{what.model or UNKNOWN}" if what.make or what.model else UNKNOWN
    groups = (f"model:{model}", f"origin:vehicle/{origin or UNKNOWN}", f"powertrain:{what.powertrain}")
    block = profile.exposure.block if profile.exposure is not None else None
    return encode_cell(groups, "vehicle", origin, what.powertrain, block, measures)
