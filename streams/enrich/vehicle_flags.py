"""The flags that one vehicle calls for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from schemas.vehicle import Vehicle
from streams.enrich.cents import price_cents
from streams.enrich.classify import VehicleClass
from streams.enrich.context import Context
from streams.enrich.flags import Candidate, not_saleable, origin_unknown, replacement_cost_up
from streams.enrich.invoice import Expected
from streams.enrich.standing import SaleRestriction, sale_restrictions
from streams.policy.duty import rates
from streams.reference.dealer import plain

_RANGE_FACTS: Final = ("maker_tariff_code_meaning", "cost_as_of", "usmca", "us_content_share", "hts")
"""Facts that open the range of the expected change, the weightiest first."""
LAST_FACT: Final = "maker_price_bulletin"
"""What is always missing: how much the maker itself will pass on."""


class SaleRules:
    """What forbids the sale or the import of vehicles of one make, model year, origin and line, under one book."""

    __slots__ = ("prohibited", "restrictions")

    def __init__(self, restrictions: tuple[SaleRestriction, ...], prohibited: tuple[str, ...]) -> None:
        self.restrictions = restrictions
        self.prohibited = prohibited

    def __bool__(self) -> bool:
        return bool(self.restrictions or self.prohibited)


def sale_rules(what: VehicleClass, model_year: int | None, origin: str | None, context: Context) -> SaleRules:
    """What forbids sale or import of such vehicles on the book's day."""
    memo = context.memo("sale_restrictions")
    standing = memo.get("all")
    if standing is None:
        standing = memo.keep("all", sale_restrictions(context.book, context.reference.dealer))
    assert isinstance(standing, tuple)
    make = what.identity.make
    named = plain(make) if make is not None else None
    return SaleRules(
        tuple(one for one in standing if one.hits(named, model_year, origin)),
        import_bans(what.candidates, origin, context),
    )


def import_bans(lines: Sequence[str], origin: str | None, context: Context) -> tuple[str, ...]:
    """The prohibitions that stand on the book's day for each of the candidate lines from an origin."""
    if origin is None or not lines:
        return ()
    banned = [rates(context.book, line, origin, context.book.day).prohibited for line in lines]
    return banned[0] if all(banned) else ()


def vehicle_flags(
    record: Vehicle,
    origin: str | None,
    make: str | None,
    model_year: int | None,
    sale: SaleRules,
    expected: Expected,
    missing_facts: Sequence[str],
    context: Context,
) -> tuple[Candidate, ...]:
    """The vehicle's flags, at most one a type. `missing_facts`: those of the duty and the cost date."""
    usd = expected.usd_cents
    rises = usd is not None and usd[0] > 0
    if origin is not None and not rises and not sale:
        return ()
    found: list[Candidate | None] = []
    rules = context.reference.materials.thresholds
    if origin is None:
        found.append(origin_unknown(rules["origin_unknown"]))
    if sale:
        found.append(
            not_saleable(
                rules["not_saleable"],
                sale.restrictions,
                sale.prohibited,
                make=plain(make) if make is not None else None,
                model_year=model_year,
                origin=origin,
                stock_class=record.stock_class,
                cost_cents=price_cents(record.invoice_usd) or price_cents(record.msrp_usd),
            )
        )
    if rises:
        found.append(
            replacement_cost_up(
                rules["replacement_cost_up"],
                expected,
                msrp_cents=price_cents(record.msrp_usd),
                stock_class=record.stock_class,
                market_days_supply=record.market_days_supply,
                act_by=still_to_come(record.price_protected_until, context.book.number.regime),
                range_facts=[*(fact for fact in _RANGE_FACTS if fact in missing_facts), LAST_FACT],
            )
        )
    return tuple(flag for flag in found if flag is not None)


def still_to_come(day: date | None, today: date) -> date | None:
    """The day, unless it has passed."""
    return day if day is not None and day >= today else None
