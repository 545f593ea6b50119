"""Reference data about vehicles: plants, VIN corrections, drives, batteries, lines, customs-value ratios."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VehicleReference:
    """Everything the vehicle side of the core reads."""


def load_vehicles() -> VehicleReference:
    """Read and validate the vehicle reference files.

    Raises:
        ReferenceError: a file can't be used; the message names file, record and field.
    """
    return VehicleReference()
