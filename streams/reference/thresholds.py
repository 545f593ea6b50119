"""When a risk flag rises: thresholds, severities, owners and actions from `thresholds.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Confidence
from streams.reference.loading import ROOT, ReferenceError, read_toml

FILE = ROOT / "thresholds.toml"
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "origin_unknown": (),
    "stockout_before_supply": ("weeks_of_cover_below", "family_kinds"),
}
"""Flag types the program raises, and the numbers each of them needs."""


class Threshold(BaseModel):
    """One flag type. `weeks_of_cover_below` is weeks of stock at the last 12 months' demand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    severity: Literal["info", "warning", "critical"]
    owner: Literal["parts", "new", "used", "policy"]
    action: Literal["hold", "reprice", "reorder", "move", "stop_sale", "none"]
    weeks_of_cover_below: Annotated[float, Field(gt=0)] | None = None
    family_kinds: tuple[Literal["magnet", "yttrium", "chip", "catalyst", "battery"], ...] | None = None
    source: str = Field(min_length=1)
    confidence: Confidence


def load_thresholds() -> Mapping[str, Threshold]:
    """Read and validate the thresholds, by flag type.

    Raises:
        ReferenceError: the file can't be used, or a flag type or one of its numbers is missing.
    """
    found = {row.id: row for row in read_toml(FILE, "threshold", Threshold)}
    for flag, numbers in REQUIRED.items():
        if flag not in found:
            raise ReferenceError(f"{FILE.name}: no [[threshold]] for {flag}; write one")
        for number in numbers:
            if getattr(found[flag], number) is None:
                raise ReferenceError(f"{FILE.name}: {flag}: {number} is missing; give it a value")
    return MappingProxyType(found)
