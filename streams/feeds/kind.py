"""The two inputs a feed can hold."""

from __future__ import annotations

from enum import StrEnum

from streams.topics import PARTS, VEHICLES, Topic


class Kind(StrEnum):
    """Which of the two inputs a record belongs to."""

    VEHICLES = "vehicles"
    PARTS = "parts"

    @property
    def topic(self) -> Topic:
        """The input topic of this kind."""
        return VEHICLES if self is Kind.VEHICLES else PARTS

    @property
    def id_field(self) -> str:
        """The field that follows `dealer_id` in the key."""
        return "vin" if self is Kind.VEHICLES else "part_number"
