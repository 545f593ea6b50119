"""Country of origin of a vehicle: the country of its plant, never that of its WMI.

The WMI names the maker's registration. vPIC's plant country is checked against the plant's city. A WMI that vPIC
doesn't know gets a country only where its maker has said that all its VINs come from one plant.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.fields import Confidence
from streams.enrich.vin import VinFacts
from streams.reference.vehicles import VehicleReference


@dataclass(frozen=True, slots=True)
class VehicleOrigin:
    """ISO alpha-2 country or None; `basis` is plant, plant_source, record or none; `why` is one sentence."""

    country: str | None
    basis: str
    confidence: Confidence
    why: str
    warnings: tuple[str, ...] = ()
    missing_facts: tuple[str, ...] = ()


def vehicle_origin(facts: VinFacts, stated: str | None, vehicles: VehicleReference) -> VehicleOrigin:
    """The origin by the VIN, else as `stated` by the record (`country_of_assembly`)."""
    by_vin = _by_plant(facts, vehicles)
    if by_vin.country is None:
        if stated is None:
            return by_vin
        return VehicleOrigin(stated, "record", "M", "the record states the country of assembly", by_vin.warnings)
    warnings = list(by_vin.warnings)
    if stated is not None and stated != by_vin.country:
        warnings.append(f"origin_conflict: the record says {stated}, the VIN's plant is in {by_vin.country}")
    for row in vehicles.builds:
        if row.fits(facts):
            if by_vin.country not in row.countries:
                warnings.append(
                    f"plant_unlikely: {facts.make} {facts.model} of {facts.model_year} is known to be built in "
                    f"{', '.join(row.countries)}, the VIN's plant is in {by_vin.country}"
                )
            break
    return VehicleOrigin(by_vin.country, by_vin.basis, by_vin.confidence, by_vin.why, tuple(warnings))


def _by_plant(facts: VinFacts, vehicles: VehicleReference) -> VehicleOrigin:
    known = vehicles.wmi_plants.get(facts.wmi)
    if known is not None and facts.plant_country is None:
        return VehicleOrigin(known.country, "plant_source", known.confidence, f"WMI {known.wmi}: {known.note}")
    missing = ("country_of_assembly",)
    if facts.plant_country is None:
        return VehicleOrigin(None, "none", "L", "vPIC names no plant country for this VIN", missing_facts=missing)
    where = f"{facts.plant_city or 'no city'}, {facts.plant_country}"
    if facts.plant_city is not None:
        for row in vehicles.plants.get((facts.plant_city, facts.plant_country), ()):
            if row.make is not None and row.make != facts.make:
                continue
            if row.country is None:
                warning = f"plant_conflict: decoded as {where}: {row.note}"
                return VehicleOrigin(None, "none", "L", warning, (warning,), missing)
            warning = f"plant_corrected: decoded as {where}: {row.note}"
            return VehicleOrigin(row.country, "plant", row.confidence, warning, (warning,))
    country = vehicles.countries.get(facts.plant_country)
    if country is None:
        warning = f"plant_country_unknown: {facts.plant_country} is not in countries.csv"
        return VehicleOrigin(None, "none", "L", warning, (warning,), missing)
    return VehicleOrigin(country, "plant", "H", f"vPIC plant: {where}")
