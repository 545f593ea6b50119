"""The flags one record calls for: pure functions of the record, what was said of it, and the book.

Thresholds, steps, owners and actions are data (`reference/thresholds.toml`). A threshold or mute whose fact is missing
does not mute its flag: the flag rises with low confidence and names the fact. When an episode begins, changes and ends
is `streams.enrich.episodes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from schemas.fields import Confidence, StockClass
from streams.enrich.exposure import weakest
from streams.enrich.invoice import Expected
from streams.enrich.standing import SaleRestriction
from streams.policy.controls import LicenceStanding
from streams.reference.materials_records import FamilyKind
from streams.reference.thresholds import Threshold

_WEEKS_A_YEAR: Final = 52
_MOST_WHY: Final = 120
MOST_CENTS: Final = 10**14 - 1
"""The largest amount a contract holds: `schemas.fields.SignedUsd`."""


class Candidate(NamedTuple):
    """A flag that a record calls for now. Amounts are cents; `act_by` and the rest follow from record and book alone.

    `raises`: whether it opens an episode; else it only keeps one open, so that what hovers at a threshold doesn't flap.
    `step_cents`: how far the amount must move from the one last published to count as changed; None: never.
    """

    type: str
    severity: str
    owner: str
    action: str
    why: str
    cents_at_stake: int | None
    act_by: date | None
    confidence: Confidence
    top_missing_fact: str | None
    would_change_cents: int | None
    measure: str | None
    raises: bool = True
    step_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Stock:
    """What a part record says about its stock; cover is counted on hand, since an order may wait for a licence."""

    qty_on_hand: float | None
    demand_12m: float | None
    days_supply: float | None
    cost_cents: int | None


def whole_dollars(cents: int) -> str:
    """An amount as a person reads it, without its sign."""
    return f"{(abs(cents) + 50) // 100:,} USD"


def candidate(rule: Threshold, why: str, confidence: Confidence) -> Candidate:
    """A flag as its rule has it, without amount, day or measure; `why` is cut to what a flag may hold."""
    return Candidate(
        type=rule.id,
        severity=rule.severity,
        owner=rule.owner,
        action=rule.action,
        why=why if len(why) <= _MOST_WHY else why[: _MOST_WHY - 1] + "…",
        cents_at_stake=None,
        act_by=None,
        confidence=confidence,
        top_missing_fact=None,
        would_change_cents=None,
        measure=None,
        step_cents=rule.step_cents,
    )


def origin_unknown(rule: Threshold) -> Candidate:
    """The country of origin is neither on record nor to be found: no duty can be said."""
    why = "No country of origin: duty can't be said; ask for it"
    return candidate(rule, why, rule.confidence)._replace(top_missing_fact="country_of_origin")


def replacement_cost_up(
    rule: Threshold,
    expected: Expected,
    *,
    msrp_cents: int | None,
    stock_class: StockClass | None,
    market_days_supply: float | None,
    act_by: date | None,
    range_facts: Sequence[str],
) -> Candidate | None:
    """The unit that replaces this one is likely to be invoiced at enough more to hold the discount.

    `range_facts`: the facts that open the range of the expected change, the weightiest first.
    """
    usd = expected.usd_cents
    if usd is None or usd[0] <= 0 or usd[1] <= 0:
        return None
    low, central, _ = usd
    need = max(rule.at_least_cents, (msrp_cents or 0) * rule.at_least_ten_thousandths // 10_000)
    if central * 100 < need * rule.keep_percent:
        return None
    if stock_class is not None and stock_class not in (rule.stock_classes or ()):
        return None
    raises = central >= need
    if market_days_supply is not None:
        assert rule.days_supply_below is not None
        assert rule.mute_above_days_supply is not None
        if market_days_supply > rule.mute_above_days_supply:
            return None
        raises = raises and market_days_supply < rule.days_supply_below
    missing = "stock_class" if stock_class is None else "market_days_supply" if market_days_supply is None else None
    why = f"Next invoice about {whole_dollars(central)} higher{_by(expected)}; hold the discount, keep the order"
    return _cost_up(rule, expected, why, central, missing, range_facts, sure=low >= need)._replace(
        act_by=act_by, raises=raises
    )


def part_cost_up(
    rule: Threshold,
    expected: Expected,
    stock: Stock,
    *,
    act_by: date | None,
    range_facts: Sequence[str],
) -> Candidate | None:
    """The part's next receipt is likely to cost enough more to reprice it, and perhaps to buy ahead."""
    usd, cost = expected.usd_cents, stock.cost_cents
    if usd is None or cost is None or usd[1] <= 0:
        return None
    low, central, _ = usd
    keep = rule.keep_percent
    need = max(rule.at_least_cents, cost * rule.at_least_ten_thousandths // 10_000)
    if central * 100 < need * keep:
        return None
    raises = central >= need
    assert rule.demand_at_least is not None
    if stock.demand_12m is not None and stock.demand_12m < rule.demand_at_least:
        return None
    extended: int | None = None
    if stock.qty_on_hand is not None:
        extended = int(central * stock.qty_on_hand + 0.5)
        if extended * 100 < rule.extended_at_least_cents * keep:
            return None
        raises = raises and extended >= rule.extended_at_least_cents
        if extended > MOST_CENTS:
            extended = None
    missing = "qty_on_hand" if stock.qty_on_hand is None else "demand_12m" if stock.demand_12m is None else None
    unit = f"{central / 100:,.2f}"
    why = f"Next cost about {unit} USD a unit higher{_by(expected)}; reprice, {_buy_ahead(rule, stock)}"
    return _cost_up(rule, expected, why, extended, missing, range_facts, sure=low >= need)._replace(
        act_by=act_by, raises=raises
    )


def _by(expected: Expected) -> str:
    measures = expected.passed.measures if expected.passed is not None else ()
    return f" ({measures[0]})" if measures else ""


def _buy_ahead(rule: Threshold, stock: Stock) -> str:
    assert rule.buy_ahead_days is not None
    assert rule.most_days_supply is not None
    cover = weeks_of_cover(stock)
    if cover is None:
        return f"buy ahead {rule.buy_ahead_days} days at most"
    days = int(min(rule.buy_ahead_days, rule.most_days_supply - cover * 7))
    return f"buy ahead {days} days" if days > 0 else "stock suffices"


def _cost_up(
    rule: Threshold,
    expected: Expected,
    why: str,
    at_stake: int | None,
    mute_fact: str | None,
    range_facts: Sequence[str],
    *,
    sure: bool,
) -> Candidate:
    """What both cost flags say. `sure`: even the low end of the expected change meets the threshold.

    A missing fact that would mute the flag comes before those that open the range: with it, all at stake may go.
    """
    assert expected.usd_cents is not None
    low, central, high = expected.usd_cents
    measures = expected.passed.measures if expected.passed is not None else ()
    would: int | None = None
    if mute_fact is not None:
        would = None if at_stake is None else -at_stake
    elif range_facts:
        would = high - central if high - central >= central - low else low - central
    confidence: Confidence = "M" if sure and mute_fact is None and expected.cost_confidence != "L" else "L"
    return candidate(rule, why, confidence)._replace(
        cents_at_stake=at_stake,
        top_missing_fact=mute_fact or (range_facts[0] if range_facts else None),
        would_change_cents=would,
        measure=measures[0] if measures else None,
    )


def weeks_of_cover(stock: Stock) -> float | None:
    """Weeks that the quantity on hand lasts at the last 12 months' demand, else the DMS's own days' supply.

    None: a fact is missing. Without any demand the cover is infinite.
    """
    if stock.qty_on_hand is not None and stock.demand_12m is not None:
        if stock.demand_12m == 0:
            return float("inf")
        return stock.qty_on_hand / stock.demand_12m * _WEEKS_A_YEAR
    return stock.days_supply / 7 if stock.days_supply is not None else None


def stockout_before_supply(
    rule: Threshold,
    kind: FamilyKind,
    sureness: Confidence,
    stock: Stock,
    licence: LicenceStanding | None,
    controls: Sequence[str],
    under_review: Sequence[str],
    event: str | None,
    counted_on: date | None,
) -> Candidate | None:
    """Less stock than a new supply takes to be licensed; None where there is enough, or the family isn't one of those.

    `sureness`: how sure the part's family is. `controls`: the measures that control what the part holds, and those
    `under_review`, which may; `event`: the supply event that stands for it. `counted_on`: the record's day. At stake:
    the pieces missing until then, at cost.
    """
    if kind not in (rule.family_kinds or ()):
        return None
    measure = event or next(iter((*controls, *under_review)), None)
    assert rule.weeks_of_cover_below is not None
    assert rule.critical_weeks_below is not None
    limit, critical, confidence = rule.weeks_of_cover_below, rule.critical_weeks_below, rule.confidence
    if (controls or under_review) and licence is not None and licence.lead_weeks is not None:
        critical, _, limit = licence.lead_weeks
        confidence = "M"
    cover = weeks_of_cover(stock)
    severity = rule.severity if measure is not None else rule.severity_without_measure or rule.severity
    takes = f"{kind} supply may take {limit:g} weeks"
    if cover is None:
        missing = "qty_on_hand" if stock.qty_on_hand is None else "demand_12m"
        return candidate(rule, f"Weeks of cover not known; {takes}", "L")._replace(
            severity=severity, top_missing_fact=missing, measure=measure
        )
    if cover >= limit:
        return None
    at_stake: int | None = None
    if stock.demand_12m is not None and stock.cost_cents is not None:
        at_stake = round((limit - cover) * stock.demand_12m / _WEEKS_A_YEAR * stock.cost_cents)
        if at_stake > MOST_CENTS:
            at_stake = None
    flag = candidate(rule, f"{cover:.1f} weeks of cover; {takes}", weakest((confidence, sureness)))
    if measure in under_review:
        flag = flag._replace(
            confidence="L",
            top_missing_fact="operator_confirmed_status",
            would_change_cents=None if at_stake is None else -at_stake,
        )
    return flag._replace(
        severity="critical" if cover < critical and measure is not None else severity,
        cents_at_stake=at_stake,
        act_by=counted_on + timedelta(weeks=cover) if counted_on is not None else None,
        measure=measure,
    )


def not_saleable(
    rule: Threshold,
    restrictions: Iterable[SaleRestriction],
    prohibited: Sequence[str],
    *,
    make: str | None,
    model_year: int | None,
    origin: str | None,
    stock_class: StockClass | None,
    cost_cents: int | None,
) -> Candidate | None:
    """No more of these may be imported or sold as new. Another reading of the rule, by maker, is a fact to ask for."""
    if stock_class is not None and stock_class not in (rule.stock_classes or ()):
        return None
    if prohibited:
        return _saleable_facts(import_banned(rule, prohibited[0], cost_cents), stock_class, cost_cents)
    hits = [one for one in restrictions if one.hits(make, model_year, origin)]
    if not hits:
        return None
    hit = next((one for one in hits if one.certain), hits[0])
    if hit.certain:
        why = f"Model year {model_year} may not be sold ({hit.measure}); stop ordering and sale"
        return _saleable_facts(
            candidate(rule, why, rule.confidence)._replace(measure=hit.measure), stock_class, cost_cents
        )
    why = f"Model year {model_year} may fall under {hit.measure}; ask the maker before ordering"
    return (
        candidate(rule, why, "L")
        ._replace(severity="warning", action="hold", top_missing_fact=hit.missing_fact, measure=hit.measure)
        ._replace(cents_at_stake=cost_cents, would_change_cents=None if cost_cents is None else -cost_cents)
    )


def import_banned(rule: Threshold, measure: str, at_stake_cents: int | None) -> Candidate:
    """No more of these may be imported."""
    why = f"Import banned ({measure}); stop ordering, sell through"
    return candidate(rule, why, rule.confidence)._replace(measure=measure, cents_at_stake=at_stake_cents)


def _saleable_facts(flag: Candidate, stock_class: StockClass | None, cost_cents: int | None) -> Candidate:
    if stock_class is None:
        flag = flag._replace(
            confidence="L",
            top_missing_fact="stock_class",
            would_change_cents=None if cost_cents is None else -cost_cents,
        )
    return flag._replace(cents_at_stake=cost_cents)
