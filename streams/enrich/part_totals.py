"""What one part number adds to the totals of its family and origin, and of the lot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.part import Part
from streams.enrich.cents import Cents, price_cents
from streams.enrich.contribution import UNITS, UNKNOWN, Contribution, Threat, amounts, encode_cell

if TYPE_CHECKING:
    from streams.enrich.part import PartDuty, PartProfile


def part_contribution(part: Part, what: PartProfile, duty: PartDuty, change: Cents | None) -> Contribution:
    """All pieces on hand, at cost, to the totals of their family and origin, and of the lot."""
    quantity = part.qty_on_hand
    threats: tuple[Threat, ...] = ()
    if duty.added and quantity is not None:
        threats = tuple(
            [_times(one.measure, added, quantity) for one, added in zip(duty.threats, duty.added, strict=True)]
        )
    measures = tuple(threat[0] for threat in threats)
    cell = what.cells.get((measures, quantity is None))
    if cell is None:
        cell = what.cells.keep((measures, quantity is None), _cell(what, measures, counted=quantity is not None))
    value = None
    cost = price_cents(part.cost_usd)
    if quantity is not None and cost is not None:
        value = round(cost * quantity)
    return Contribution(
        cell,
        amounts(
            round((quantity or 0) * UNITS),
            value,
            duty.landed,
            duty.replacement,
            change,
            threats=threats,
        ),
    )


def _times(measure: str, added: tuple[int, int | None, int], quantity: float) -> Threat:
    low, central, high = added
    middle = None if central is None else round(central * quantity)
    return (measure, round(low * quantity), middle, round(high * quantity))


def _cell(what: PartProfile, measures: tuple[str, ...], *, counted: bool) -> bytes:
    family = what.family.family
    groups = (f"family:{family.id if family is not None else UNKNOWN}", f"origin:part/{what.origin or UNKNOWN}")
    return encode_cell(groups, "part", what.origin, "none", what.exposure.block, measures, counted=counted)
