"""Dollars as whole cents, rates as whole millionths of a percent: the arithmetic of every amount."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

RATE_STEP: Final = 1_000_000
"""Rates are kept as integers, millionths of a percent."""
WHOLE: Final = 100 * RATE_STEP
HALF: Final = WHOLE // 2
"""A value in cents times a rate, plus HALF, over WHOLE (`//`) is the duty in cents, rounded half up."""

Cents = tuple[int, int, int]
"""An amount as low, central, high."""


_POINT: Final = tuple(f".{cents:02d}" for cents in range(100))


def usd(cents: int) -> str:
    """Cents as a decimal string of dollars."""
    if cents >= 0:
        return str(cents // 100) + _POINT[cents % 100]
    return "-" + usd(-cents)


def cents(dollars: str) -> int:
    """A contract's decimal string of dollars, not negative, as cents."""
    whole, _, part = dollars.partition(".")
    return int(whole) * 100 + (int(part.ljust(2, "0")) if part else 0)


def price_cents(dollars: str | None) -> int | None:
    """A price in cents; None without one. Systems write 0 where they have no price: a car or part that costs nothing
    is not taken for one that owes nothing."""
    return (cents(dollars) or None) if dollars is not None else None


def scaled(rate_percent: Decimal) -> int:
    """Percent as millionths of a percent, half up."""
    return int((rate_percent * RATE_STEP + Decimal("0.5")) // 1)
