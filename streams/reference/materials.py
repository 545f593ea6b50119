"""Rare earths in vehicles and parts: component masses, prices, China's shares and part families, read and validated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MaterialReference:
    """What the exposure estimate and the part families rest on."""


def load_materials() -> MaterialReference:
    """Read and validate the files of materials and part families.

    Raises:
        ReferenceError: a file can't be used; the message names file, record and field.
    """
    return MaterialReference()
