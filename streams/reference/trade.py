"""The trade policy's reference data: measures, HTS lines, stacking rules, and `load_trade()` that reads them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TradeReference:
    """All of the trade policy's data at one revision."""

    revision: int


def load_trade() -> TradeReference:
    """Read and validate the trade reference files."""
    return TradeReference(revision=1)
