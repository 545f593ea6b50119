"""The flags that stand in an enriched record: which rise, how sure they are, and the fact that would settle them.

Thresholds, owners and actions are data (`reference/thresholds.toml`). A threshold whose fact is missing does not mute
its flag: the flag rises with low confidence and names the fact. `since` is the record's own time, never a clock's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.fields import Confidence
from streams.enrich.exposure import weakest
from streams.enrich.tariff import usd
from streams.reference.materials_records import FamilyKind
from streams.reference.thresholds import Threshold

Flag = dict[str, str]
"""As `schemas.flag.Flag`, fields without a value left out."""

_WEEKS_A_YEAR: Final = 52
MOST_CENTS: Final = 10**14 - 1
"""The largest amount a contract holds: `schemas.fields.SignedUsd`."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What a part record says about its stock; cover is counted on hand, since an order may wait for a licence."""

    qty_on_hand: float | None
    demand_12m: float | None
    days_supply: float | None
    cost_cents: int | None


def weeks_of_cover(stock: Stock) -> float | None:
    """Weeks that the quantity on hand lasts at the last 12 months' demand, else the DMS's own days' supply.

    None: a fact is missing. Without any demand the cover is infinite.
    """
    if stock.qty_on_hand is not None and stock.demand_12m is not None:
        if stock.demand_12m == 0:
            return float("inf")
        return stock.qty_on_hand / stock.demand_12m * _WEEKS_A_YEAR
    return stock.days_supply / 7 if stock.days_supply is not None else None


def origin_unknown(rule: Threshold, since: datetime | None) -> Flag:
    """The country of origin is neither on record nor to be found: no duty can be said."""
    flag = _flag(rule, "No country of origin: duty can't be said; ask for it", rule.confidence, since)
    flag["top_missing_fact"] = "country_of_origin"
    return flag


def stockout_before_supply(
    rule: Threshold, kind: FamilyKind, sureness: Confidence, stock: Stock, since: datetime | None
) -> Flag | None:
    """Less stock than a new supply takes to be licensed; None where there is enough, or the family isn't one of those.

    `sureness`: how sure the part's family is. Dollars at stake: the pieces missing until then, at cost.
    """
    if rule.weeks_of_cover_below is None or kind not in (rule.family_kinds or ()):
        return None
    cover = weeks_of_cover(stock)
    limit = f"{rule.weeks_of_cover_below:g}"
    if cover is None:
        missing = "qty_on_hand" if stock.qty_on_hand is None else "demand_12m"
        flag = _flag(rule, f"Weeks of cover not known; {kind} supply may take {limit} weeks", "L", since)
        flag["top_missing_fact"] = missing
        return flag
    if cover >= rule.weeks_of_cover_below:
        return None
    why = f"{cover:.1f} weeks of cover; {kind} supply may take {limit} weeks"
    flag = _flag(rule, why, weakest((rule.confidence, sureness)), since)
    if stock.demand_12m is not None and stock.cost_cents is not None:
        pieces = (rule.weeks_of_cover_below - cover) * stock.demand_12m / _WEEKS_A_YEAR
        at_stake = round(pieces * stock.cost_cents)
        if at_stake <= MOST_CENTS:
            flag["dollars_at_stake"] = usd(at_stake)
    if since is not None:
        flag["act_by"] = (since + timedelta(weeks=cover)).date().isoformat()
    return flag


def _flag(rule: Threshold, why: str, confidence: Confidence, since: datetime | None) -> Flag:
    flag = {
        "type": rule.id,
        "severity": rule.severity,
        "owner": rule.owner,
        "action": rule.action,
        "why": why,
        "confidence": confidence,
    }
    if since is not None:
        flag["since"] = since.isoformat().replace("+00:00", "Z")
    return flag
