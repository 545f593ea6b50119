"""What a vehicle is to a customs broker and a magnet buyer: line, powertrain, traction magnets, battery chemistry."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.enriched import BatteryChemistry, Powertrain, TractionMagnets


@dataclass(frozen=True, slots=True)
class VehicleIdentity:
    """What the component bill depends on. Hashable: it keys memories.

    `motors`: traction machines, where the drive says how many; `all_wheel_drive`: None where the VIN doesn't say.
    """

    make: str | None
    model: str | None
    model_year: int | None
    powertrain: Powertrain
    traction_magnets: TractionMagnets
    battery_chemistry: BatteryChemistry
    motor_kw: float | None = None
    diesel: bool | None = None
    motors: int | None = None
    all_wheel_drive: bool | None = None
