"""The flags that one part calls for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from schemas.fields import Confidence
from schemas.part import Part
from streams.enrich.cents import price_cents
from streams.enrich.context import Context
from streams.enrich.exposure import Exposure
from streams.enrich.flags import (
    MOST_CENTS,
    Candidate,
    Stock,
    import_banned,
    origin_unknown,
    part_cost_up,
    stockout_before_supply,
)
from streams.enrich.invoice import Expected
from streams.enrich.standing import supply_event, supply_events
from streams.enrich.vehicle_flags import LAST_FACT, import_bans
from streams.policy.controls import LicenceStanding, licence
from streams.reference.materials_records import FamilyKind, PartFamily

_RANGE_FACTS: Final = ("cost_as_of", "part_kind", "hts", "usmca")
"""Facts that open the range of the expected change, the weightiest first."""


@dataclass(frozen=True, slots=True)
class PartRisk:
    """What holds up the supply of a part, or bans its import, on the book's day."""

    controls: tuple[str, ...] = ()
    under_review: tuple[str, ...] = ()
    licence: LicenceStanding | None = None
    event: str | None = None
    bans: tuple[str, ...] = ()


def part_risk(
    family: PartFamily | None, lines: Sequence[str], origin: str | None, exposed: Exposure, context: Context
) -> PartRisk:
    """The measures of the book that touch parts of this family, line and origin."""
    bans = import_bans(lines, origin, context)
    if family is None or exposed.block is None:
        return PartRisk(bans=bans)
    controlled = cast("Mapping[str, tuple[str, ...]]", exposed.block["controlled_by"])
    under_review = cast("tuple[str, ...]", exposed.block.get("under_review", ()))
    present = frozenset(element for elements in controlled.values() for element in elements)
    memo = context.memo("supply_events")
    events = memo.get("all")
    if events is None:
        events = memo.keep("all", supply_events(context.book))
    assert isinstance(events, tuple)
    return PartRisk(
        controls=tuple(controlled),
        under_review=under_review,
        licence=licence(context.book, present),
        event=supply_event(events, family.kind, family.id, origin, context.book),
        bans=bans,
    )


def part_flags(
    part: Part,
    origin: str | None,
    kind: FamilyKind,
    sureness: Confidence,
    risk: PartRisk,
    expected: Expected,
    missing_facts: Sequence[str],
    context: Context,
) -> tuple[Candidate, ...]:
    """The part's flags, at most one a type. `missing_facts`: those of duty and cost date."""
    rules = context.reference.materials.thresholds
    stock = Stock(part.qty_on_hand, part.demand_12m, part.days_supply, price_cents(part.cost_usd))
    found: list[Candidate | None] = []
    if origin is None:
        found.append(origin_unknown(rules["origin_unknown"]))
    if risk.bans:
        found.append(import_banned(rules["not_saleable"], risk.bans[0], stock_cents(stock))._replace(owner="parts"))
    counted_on = part.updated_at.date() if part.updated_at is not None else None
    found.append(
        stockout_before_supply(
            rules["stockout_before_supply"],
            kind,
            sureness,
            stock,
            risk.licence,
            risk.controls,
            risk.under_review,
            risk.event,
            counted_on,
        )
    )
    usd = expected.usd_cents
    if usd is not None and usd[1] > 0:
        facts = [*(fact for fact in _RANGE_FACTS if fact in missing_facts), LAST_FACT]
        found.append(part_cost_up(rules["part_cost_up"], expected, stock, act_by=None, range_facts=facts))
    return tuple(flag for flag in found if flag is not None)


def stock_cents(stock: Stock) -> int | None:
    """What is on hand at cost, None where it can't be said."""
    if stock.qty_on_hand is None or stock.cost_cents is None:
        return None
    value = round(stock.qty_on_hand * stock.cost_cents)
    return value if value <= MOST_CENTS else None
