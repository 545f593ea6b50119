"""Rare-earth exposure of a bill: grams, value, dependence on China, controls, and the 0.1% verdict.

Ranges are (low, central, high): the low is every component at its low, the high every component at its high. Value is
grams of element times oxide factor times the oxide's price, the latest quoted on or before the book's day. Shares of
mining and refining are weighted by grams of element, the share of magnets by magnet mass, both at their central values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Final

from schemas.fields import Confidence
from streams.enrich.bill import NOTHING, Bill, BillItem
from streams.policy.book import Book
from streams.policy.controls import (
    IN_FORCE,
    REVIEW_REQUIRED,
    LicenceStanding,
    content_rule,
    content_verdict,
    controlled,
    licence,
)
from streams.reference.materials import MaterialReference
from streams.reference.materials_records import MagnetPrice, Market, Material, OxidePrice, Range, Stage
from streams.reference.trade_records import ContentRuleRecord

Number = int | float
Grams = tuple[Number, Number, Number]
Dollars = tuple[str, str, str]

_TRACE: Final = 0.001
"""An element under this share of the total at the high end is not listed: phosphors' traces in a whole vehicle."""
_MOST: Final = 0.9
_RANK: Final[Mapping[Confidence, int]] = {"L": 0, "M": 1, "H": 2}


@dataclass(frozen=True, slots=True)
class Controls:
    """What a book says about China's controls: the part of it that exposure needs.

    `elements`: controlled elements by measure id, of the measures in force; `under_review` the same of those whose
    standing nobody has confirmed since their suspension lapsed. Suspended and announced ones are left out.
    `licence`: how licences stand for goods that hold the given elements.
    `rule`: the 0.1% rule, and `tested` the elements it counts, whether its measure is suspended or not.
    """

    elements: Mapping[str, frozenset[str]]
    under_review: Mapping[str, frozenset[str]]
    licence: Callable[[Collection[str]], LicenceStanding | None]
    rule: ContentRuleRecord
    tested: frozenset[str]


@dataclass(frozen=True, slots=True)
class Exposure:
    """The block of the enriched record; None where nothing can be said, with the fact that is missing.

    `block` has the shape of `schemas.enriched.RareEarthExposure`.
    """

    block: Mapping[str, object] | None
    missing_facts: tuple[str, ...]
    confidence: Confidence


def total(ranges: Iterable[Range]) -> Range:
    """Column by column sum."""
    low = central = high = 0.0
    for one in ranges:
        low, central, high = low + one[0], central + one[1], high + one[2]
    return (low, central, high)


def weakest(confidences: Iterable[Confidence]) -> Confidence:
    """The lowest confidence, H where there is none."""
    return min(confidences, key=_RANK.__getitem__, default="H")


def _latest(quotes: Iterable[OxidePrice | MagnetPrice], day: date) -> Range:
    """The latest quote on or before `day`, else the earliest there is."""
    by_date = sorted(quotes, key=lambda row: row.date)
    return next((row for row in reversed(by_date) if row.date <= day), by_date[0]).range


def oxide_price(element: str, market: Market, day: date, materials: MaterialReference) -> Range:
    """USD a kilogram of oxide, as last quoted by `day`; before the first quote, that one."""
    return _latest((row for row in materials.oxide_prices if row.element == element and row.market == market), day)


def _magnet_price(material: Material | None, day: date, materials: MaterialReference) -> Range:
    return _latest((row for row in materials.magnet_prices if row.material == material), day)


def value_usd(grams: Mapping[str, Range], market: Market, day: date, materials: MaterialReference) -> Range:
    """Dollars of the oxide from which the elements come, at that market's price."""
    parts = []
    for element, mass in grams.items():
        price = oxide_price(element, market, day, materials)
        factor = materials.elements[element].oxide_factor / 1000
        parts.append((mass[0] * price[0] * factor, mass[1] * price[1] * factor, mass[2] * price[2] * factor))
    return total(parts)


def _share(stage: Stage, of: str, origin: str | None, materials: MaterialReference) -> Range:
    rows = [row for row in materials.china_shares if row.stage == stage and row.of == of]
    own = [row for row in rows if row.goods_origin is not None and row.goods_origin == origin]
    return (own or [row for row in rows if row.goods_origin is None])[0].range


def _weighted(weights: Mapping[str, Range], stage: Stage, origin: str | None, materials: MaterialReference) -> Range:
    column = 1 if any(weight[1] for weight in weights.values()) else 2
    whole = sum(weight[column] for weight in weights.values())
    shares = []
    for of, weight in weights.items():
        low, central, high = _share(stage, of, origin, materials)
        part = weight[column] / whole
        shares.append((low * part, central * part, high * part))
    return total(shares)


def _china_shares(
    grams: Mapping[str, Range],
    magnets: Mapping[str, Range],
    origin: str | None,
    materials: MaterialReference,
    magnet_origin: str | None,
) -> dict[str, Grams]:
    shares: dict[str, Grams] = {}
    if any(mass[2] for mass in grams.values()):
        shares["mine"] = percents(_weighted(grams, "mine", origin, materials))
        shares["refine"] = percents(_weighted(grams, "refine", origin, materials))
    if any(mass[2] for mass in magnets.values()):
        if magnet_origin is None:
            shares["magnet"] = percents(_weighted(magnets, "magnet", origin, materials))
        else:
            shares["magnet"] = (100, 100, 100) if magnet_origin == "CN" else (0, 0, 0)
    return shares


def _content_rule(
    items: Sequence[BillItem], controls: Controls, day: date, materials: MaterialReference, magnet_origin: str | None
) -> dict[str, object]:
    """The rule on the magnets in the goods. Whether one magnet's heavy rare earths are Chinese is not on record: the
    low is none of them, central and high take China's share of refining. Those of a magnet made in China are."""
    magnets = [item for item in items if item.material is not None and item.magnet_g[2] > 0]
    contained = {
        element: grams for element, grams in elements_g(magnets).items() if element in controls.tested and grams[2] > 0
    }
    numerator = NOTHING
    for element, grams in contained.items():
        value = value_usd({element: grams}, "china", day, materials)
        if magnet_origin == "CN":
            numerator = total([numerator, value])
        else:
            share = _share("refine", element, None, materials)
            numerator = total([numerator, (0.0, value[1] * share[1] / 100, value[2] * share[2] / 100)])
    denominator = None
    if magnets and not controls.rule.finished_goods:
        prices = {item.material: _magnet_price(item.material, day, materials) for item in magnets}
        denominator = total(
            (
                item.magnet_g[0] * prices[item.material][0] / 1000,
                item.magnet_g[1] * prices[item.material][1] / 1000,
                item.magnet_g[2] * prices[item.material][2] / 1000,
            )
            for item in magnets
        )
    return {
        "verdict": content_verdict(controls.rule, _bounds(numerator), _bounds(denominator)),
        "numerator_usd": dollars(numerator),
        "denominator_usd": dollars(denominator) if denominator is not None else None,
        "assumption": "finished_goods_too" if controls.rule.finished_goods else "magnets_and_targets_only",
    }


def _bounds(value: Range | None) -> tuple[Decimal, Decimal] | None:
    return None if value is None else (Decimal(repr(value[0])), Decimal(repr(value[2])))


def elements_g(items: Iterable[BillItem]) -> dict[str, Range]:
    """Grams by element over all items, in the order they first appear."""
    grams: dict[str, Range] = {}
    for item in items:
        for element, mass in item.grams.items():
            grams[element] = total([grams.get(element, NOTHING), mass])
    return grams


def _magnet_rare_earths(items: Iterable[BillItem], materials: MaterialReference) -> Range:
    """Nd, Pr, Dy, Tb and Sm, wherever in the goods; an item's never above the item's total."""
    sums = []
    for item in items:
        mass = total(grams for element, grams in item.grams.items() if materials.elements[element].magnet)
        sums.append((min(mass[0], item.total_g[0]), min(mass[1], item.total_g[1]), min(mass[2], item.total_g[2])))
    return total(sums)


def _confidence(items: Sequence[BillItem]) -> Confidence:
    """The weakest among the items that together make up most of the central grams; with none, among all."""
    heaviest = sorted(items, key=lambda item: item.total_g[1], reverse=True)
    whole = sum(item.total_g[1] for item in items)
    if whole == 0:
        return weakest(item.confidence for item in items)
    found: list[Confidence] = []
    reached = 0.0
    for item in heaviest:
        if reached >= _MOST * whole:
            break
        found.append(item.confidence)
        reached += item.total_g[1]
    return weakest(found)


def measure(
    bill: Bill,
    origin: str | None,
    day: date,
    controls: Controls,
    materials: MaterialReference,
    *,
    bare_magnet: bool = False,
) -> Exposure:
    """The exposure of one unit. `origin`: where the goods were made, which says something about their magnets, and all
    if they are a `bare_magnet`."""
    if not bill.items:
        return Exposure(None, bill.missing_facts, "L")
    items = bill.items
    everything = total(item.total_g for item in items)
    all_grams = elements_g(items)
    order = {element: position for position, element in enumerate(materials.elements)}
    listed = {
        element: all_grams[element]
        for element in sorted(all_grams, key=order.__getitem__)
        if all_grams[element][2] > _TRACE * everything[2]
    }
    magnets: dict[str, Range] = {}
    for item in items:
        if item.material is not None:
            magnets[item.material] = total([magnets.get(item.material, NOTHING), item.magnet_g])
    magnet_origin = origin if bare_magnet else None
    rule = _content_rule(items, controls, day, materials, magnet_origin)
    missing = bill.missing_facts
    if rule["verdict"] == "indeterminate":
        missing = (*missing, _unknown_of_magnet(magnet_origin))
    controlled_by = {
        measure_id: tuple(element for element in listed if element in elements)
        for measure_id, elements in controls.elements.items()
        if not elements.isdisjoint(listed)
    }
    under_review = tuple(
        measure_id for measure_id, elements in controls.under_review.items() if not elements.isdisjoint(listed)
    )
    present = frozenset(element for found in controlled_by.values() for element in found)
    standing = controls.licence(present) if present else None
    confidence = _confidence(items)
    block: dict[str, object] = {
        "rare_earth_g": grams_range(everything),
        "magnet_rare_earth_g": grams_range(_magnet_rare_earths(items, materials)),
        "elements_g": {element: grams_range(mass) for element, mass in listed.items()},
        "value_usd": {
            "china": dollars(value_usd(all_grams, "china", day, materials)),
            "outside_china": dollars(value_usd(all_grams, "outside_china", day, materials)),
        },
        "china_share_percent": _china_shares(all_grams, magnets, origin, materials, magnet_origin),
        "controlled_by": controlled_by,
        "content_rule": rule,
        "confidence": confidence,
    }
    if under_review:
        block["under_review"] = under_review
    if standing is not None:
        block["licence"] = {"status": standing.status}
        if standing.lead_weeks is not None:
            block["licence"] = {"status": standing.status, "lead_weeks": standing.lead_weeks}
    return Exposure(block, missing, confidence)


def _unknown_of_magnet(origin: str | None) -> str:
    """What would settle the verdict: where the magnet was made, else what is in it, else where that was refined."""
    if origin is None:
        return "magnet_origin"
    return "magnet_grade" if origin == "CN" else "heavy_rare_earth_origin"


def exposure(
    bill: Bill, origin: str | None, book: Book, materials: MaterialReference, *, bare_magnet: bool = False
) -> Exposure:
    """The exposure of one unit under a book.

    Prices are those of the book's regime date, so that a book number stands for one answer.
    """
    return measure(bill, origin, book.number.regime, book_controls(book), materials, bare_magnet=bare_magnet)


def book_controls(book: Book) -> Controls:
    """What the book says about controls of elements; one that is suspended or only announced controls nothing."""
    rule, _ = content_rule(book)
    standing: dict[str, dict[str, frozenset[str]]] = {IN_FORCE: {}, REVIEW_REQUIRED: {}}
    for control in controlled(book):
        if control.elements and control.status in standing:
            standing[control.status][control.measure_id] = control.elements
    return Controls(
        elements=standing[IN_FORCE],
        under_review=standing[REVIEW_REQUIRED],
        licence=partial(licence, book),
        rule=rule,
        tested=frozenset(
            element for record in book.measures if record.id == rule.measure for element in record.elements
        ),
    )


def significant(value: float) -> Number:
    """Three significant digits, at most to 0.1 mg; a whole number without its point, so that the JSON stays short."""
    rounded = round(float(f"{value:.3g}"), 4)
    return int(rounded) if rounded.is_integer() else rounded


def grams_range(mass: Range) -> Grams:
    """Grams at three significant digits."""
    return (significant(mass[0]), significant(mass[1]), significant(mass[2]))


def percents(share: Range) -> Grams:
    """Percent at one decimal."""
    return (_short(share[0]), _short(share[1]), _short(share[2]))


def _short(percent: float) -> Number:
    rounded = round(percent, 1)
    return int(rounded) if rounded.is_integer() else rounded


def dollars(value: Range) -> Dollars:
    """Dollars as decimal strings."""
    return (f"{value[0]:.2f}", f"{value[1]:.2f}", f"{value[2]:.2f}")
