"""A canonical part record in, an enriched part record out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

import orjson

from schemas.enriched import OWNED_FIELDS_PART
from schemas.fields import Confidence, PartKind
from schemas.part import Part
from streams.enrich.bill import part_bill
from streams.enrich.cents import Cents, price_cents, usd
from streams.enrich.context import Context, Memo
from streams.enrich.cost import NOTHING, UNKNOWN, change_json, part_change, part_cost_date, part_goods_kind
from streams.enrich.exposure import Exposure, exposure, weakest
from streams.enrich.flags import MOST_CENTS, Candidate
from streams.enrich.invoice import Expected, invoice
from streams.enrich.outcome import Enriched, Outcome, Rejected, Removed
from streams.enrich.part_family import FamilyFound, FamilyRules, candidate_lines, import_line
from streams.enrich.part_flags import PartRisk, part_flags, part_risk
from streams.enrich.part_totals import part_contribution
from streams.enrich.record import read_record, splice
from streams.enrich.tariff import Goods, Rated, View, entered_between, rate_goods, schedule
from streams.enrich.threats import Added, Threatened, threatened_json
from streams.policy.facts import NO_FACTS, Claim, Facts, contradiction
from streams.reference.dealer import plain

_KEPT_CELLS: Final = 64
_USED_KINDS: Final = frozenset({PartKind.REMAN, PartKind.RECYCLED})
DOMESTIC: Final = "US"
"""Made here, a part is not entered: it owes no duty, whatever else is unknown."""
_NOTHING: Final = '["0.00","0.00","0.00"]'
_NO_ENTRY: Final = f'{{"total_usd":{_NOTHING},"rate_percent":[0,0,0],"components":{{}}}}'
_KIND: Final = {PartKind.OE: "oe", PartKind.AFTERMARKET: "aftermarket", None: "unknown"}


@dataclass(frozen=True, slots=True)
class PartProfile:
    """What follows from a part's family, line, origin and claims, whatever its price and stock.

    `encoded`: the JSON members origin, classification, exposure, family, warnings and confidence, without braces.
    """

    family: FamilyFound
    lines: tuple[str, ...]
    origin: str | None
    facts: Facts
    exposure: Exposure
    risk: PartRisk
    confidence: Confidence
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    encoded: str
    cells: Memo[tuple[tuple[str, ...], bool], bytes] = field(default_factory=lambda: Memo(_KEPT_CELLS))


def family_rules(context: Context) -> FamilyRules:
    """The rules for finding a family, made once for reference data."""
    memo = context.lasting("family_rules")
    found = memo.get("rules")
    if found is None:
        found = memo.keep("rules", FamilyRules(context.reference.materials))
    assert isinstance(found, FamilyRules)
    return found


def find_family(part: Part, context: Context) -> FamilyFound:
    """The part's family; what a description says is remembered."""
    rules = family_rules(context)
    if part.part_family is None and part.description is not None:
        memo = context.lasting("families")
        found = memo.get(part.description)
        if found is None:
            found = memo.keep(part.description, rules.by_description(part.description))
        assert isinstance(found, FamilyFound)
        if found.family is not None:
            return found
    return rules.find(part.part_family, part.description, part.part_number, part.brand, part.hts)


def profile(part: Part, found: FamilyFound, context: Context) -> PartProfile:
    """The part's profile. Memoised by family, line, origin and claims."""
    name = found.family.id if found.family is not None else None
    asked = part.part_family if found.basis != "record" else None
    key = (name, found.basis, found.confidence, asked, part.hts, part.country_of_origin, part.usmca, part.tariff_claims)
    memo = context.memo("part_profiles")
    known = memo.get(key)
    if known is None:
        known = memo.keep(key, _profile(part, found, context))
    assert isinstance(known, PartProfile)
    return known


def _profile(part: Part, found: FamilyFound, context: Context) -> PartProfile:
    family = found.family
    origin = part.country_of_origin
    line = import_line(part.hts)
    lines = candidate_lines(line, family)
    facts, contradicts = part_facts(part)
    warnings = []
    if part.hts is not None and line is None:
        warnings.append("hts_not_a_line")
    if part.part_family is not None and found.basis != "record":
        warnings.append("part_family_not_known")
    if line is not None and family is not None and family.lines and not _agrees(line, family.lines):
        warnings.append("hts_and_family_differ")
    if contradicts:
        warnings.append("claims_contradict_origin")
    missing = [] if origin is not None else ["country_of_origin"]
    exposed = Exposure(None, ("part_family",), "L")
    if family is not None:
        materials = context.reference.materials
        bill = part_bill(family, materials)
        exposed = exposure(bill, origin, context.book, materials, bare_magnet=family.bare_magnet)
    line_confidence: Confidence = "M" if line is not None and len(lines) == 1 else "L"
    origin_confidence: Confidence = "M" if origin is not None else "L"
    confidence = weakest((origin_confidence, line_confidence, found.confidence, exposed.confidence))
    members = {
        "origin": {
            "country": origin,
            "basis": "record" if origin is not None else "none",
            "confidence": origin_confidence,
        },
        "classification": {
            "hts": lines[0] if len(lines) == 1 else None,
            "candidates": lines if len(lines) > 1 else (),
            "basis": "record" if line is not None else "family" if lines else "none",
            "confidence": line_confidence,
        },
        "exposure": exposed.block,
        "family": family.id if family is not None else None,
        "warnings": warnings,
        "confidence": confidence,
    }
    notes = [*warnings]
    if origin is None:
        notes.append("origin_unknown")
    if family is None:
        notes.append("family_unknown")
    return PartProfile(
        family=found,
        lines=lines,
        origin=origin,
        facts=facts,
        exposure=exposed,
        risk=part_risk(family, lines, origin, exposed, context),
        confidence=confidence,
        missing_facts=(*missing, *exposed.missing_facts),
        warnings=tuple(warnings),
        notes=tuple(notes),
        encoded=orjson.dumps(members)[1:-1].decode(),
    )


def part_facts(part: Part) -> tuple[Facts, bool]:
    """What the record says about the entry; where its claims can't be true of its origin none is taken, and True."""
    known = {claim.value: claim for claim in Claim}
    claims = frozenset(known[name] for name in part.tariff_claims or () if name in known)
    facts = Facts(usmca=part.usmca, claims=claims)
    if part.country_of_origin is not None and contradiction(facts, part.country_of_origin) is not None:
        return (NO_FACTS, True)
    return (facts, False)


def _agrees(line: str, hints: tuple[str, ...]) -> bool:
    return any(hint[:4] == line[:4] for hint in hints)


def entry_dates(part: Part, context: Context) -> tuple[date | None, date | None]:
    """The likely dates of entry, inclusive, by the most telling date on record.

    (None, None): the record has none of the dates, the part is rebuilt or used, or the book doesn't reach so far.
    """
    kind = _KIND.get(part.part_kind)
    if kind is None:
        return (None, None)
    for row in context.reference.materials.part_entry_dates[kind]:
        day: date | None = getattr(part, row.field)
        if day is not None:
            first = day.toordinal() - row.days_before_to
            last = day.toordinal() - row.days_before_from
            trade = context.book.trade
            if first < trade.first_day.toordinal() or last > trade.last_day.toordinal():
                return (None, None)
            return (date.fromordinal(first), date.fromordinal(last))
    return (None, None)


def customs_value(part: Part, context: Context) -> Cents | None:
    """Customs value of one unit in cents, from the dealer's cost and the part's kind; a core deposit is no price."""
    kind = _KIND.get(part.part_kind)
    cost = price_cents(part.cost_usd)
    if kind is None or cost is None or part.country_of_origin == DOMESTIC:
        return None
    low, central, high = context.reference.materials.part_value_shares[kind].ten_thousandths
    return ((cost * low + 5_000) // 10_000, (cost * central + 5_000) // 10_000, (cost * high + 5_000) // 10_000)


def rate_part(part: Part, what: PartProfile, context: Context) -> Rated:
    """The part's duty in both views: none where it was made here, or is rebuilt or used: no fresh entry is known."""
    if part.country_of_origin == DOMESTIC:
        return Rated(None, None, ())
    if part.part_kind in _USED_KINDS:
        return Rated(None, None, ("entry_of_used_goods",))
    first, last = entry_dates(part, context)
    return rate_goods(Goods(what.lines, what.origin, first, last, is_new=True, facts=(what.facts,)), context)


def expected_change(part: Part, what: PartProfile, amount: Cents | None, context: Context) -> Expected:
    """How the cost of one more such part is likely to differ; unknown for rebuilt and used parts."""
    if part.country_of_origin == DOMESTIC:
        return NOTHING
    kind = part_goods_kind(part)
    if kind is None:
        return UNKNOWN
    cost = part_cost_date(part, context)
    if cost is None or what.origin is None or not what.lines:
        return part_change(cost, None, amount)
    first = max(min(cost.first, context.book.day), context.book.trade.first_day)
    known = schedule(what.lines, what.origin, (what.facts,), first, context)
    make = plain(part.brand) if part.brand is not None else None
    return part_change(cost, invoice(known, kind, make, what.origin, part.importer_of_record, context), amount)


def _priced(view: View | None, amount: Cents | None, quantity: float | None, dates: str) -> tuple[str, Cents | None]:
    """A view as JSON, and its total times the quantity; None where the product is too large for the contract."""
    if view is None:
        return ("null", None)
    if amount is None:
        return (view.rates.encode(None, dates), None)
    found = view.rates.amounts(amount)
    shown = view.rates.fill(found, dates)
    if quantity is None:
        return (shown, None)
    low, central, high = (int(total * quantity + 0.5) for total in found[:3])
    return (shown, (low, central, high) if high <= MOST_CENTS else None)


def _dollars(value: Cents | None) -> str:
    if value is None:
        return "null"
    return f'["{usd(value[0])}","{usd(value[1])}","{usd(value[2])}"]'


def duty_facts(part: Part, rated: Rated) -> list[str]:
    """The facts whose absence opens or empties the part's amounts."""
    missing = [*rated.missing_facts]
    if part.qty_on_hand is None:
        missing.append("qty_on_hand")
    if part.country_of_origin != DOMESTIC:
        if price_cents(part.cost_usd) is None:
            missing.append("cost_usd")
        if part.part_kind is None:
            missing.append("part_kind")
    return missing


class PartDuty(NamedTuple):
    """The members tariff and extended, the facts whose absence opens or empties them, and what they hold in cents."""

    json: str
    missing: list[str]
    landed: Cents | None
    replacement: Cents | None
    threats: tuple[Threatened, ...] = ()
    added: tuple[Added, ...] = ()


def _duty(part: Part, what: PartProfile, amount: Cents | None, context: Context) -> PartDuty:
    quantity = part.qty_on_hand
    rated = rate_part(part, what, context)
    if part.country_of_origin == DOMESTIC:
        extended = "null" if quantity is None else f'{{"landed":{_NOTHING},"replacement":{_NOTHING}}}'
        duty = f'"landed":{_NO_ENTRY},"replacement":{_NO_ENTRY}'
        none = None if quantity is None else (0, 0, 0)
        json = f'"tariff":{{"customs_value_usd":null,"importer_duty":{{{duty}}}}},"extended":{extended}'
        return PartDuty(json, duty_facts(part, rated), none, none)
    entered = "" if rated.landed is None else entered_between(rated.landed.first, rated.landed.last)
    landed, landed_extended = _priced(rated.landed, amount, quantity, entered)
    # Goods entered today carry no dates: a day that passes, or a new book, must not change what is said of them.
    replacement, replacement_extended = _priced(rated.replacement, amount, quantity, "")
    extended = "null"
    if quantity is not None:
        extended = f'{{"landed":{_dollars(landed_extended)},"replacement":{_dollars(replacement_extended)}}}'
    value = _dollars(amount)
    added = tuple([one.added(amount) for one in rated.threats]) if rated.threats and amount is not None else ()
    hanging = threatened_json(rated.threats, added) if rated.threats else ""
    json = (
        f'"tariff":{{"customs_value_usd":{value},"importer_duty":{{"landed":{landed},'
        f'"replacement":{replacement}{hanging}}}}},"extended":{extended}'
    )
    return PartDuty(json, duty_facts(part, rated), landed_extended, replacement_extended, rated.threats, added)


def cost_facts(part: Part, expected: Expected) -> tuple[str, ...]:
    """The facts whose absence opens or empties the expected change of cost."""
    if expected is NOTHING or part_goods_kind(part) is None:
        return ()
    if expected.cost_date is None or (expected.passed is not None and expected.passed.already_in_cost == "unknown"):
        return ("cost_as_of",)
    return ()


def called_for(
    part: Part, what: PartProfile, expected: Expected, missing: list[str], context: Context
) -> tuple[Candidate, ...]:
    """The flags that the part calls for."""
    family = what.family.family
    kind = family.kind if family is not None else "none"
    return part_flags(part, what.origin, kind, what.family.confidence, what.risk, expected, missing, context)


def _extended(amounts: Cents | None, quantity: float | None) -> Cents | None:
    """A change of cost times the quantity; None where it is too large for the contract."""
    if amounts is None or quantity is None:
        return None
    low, central, high = (round(amount * quantity) for amount in amounts)
    return (low, central, high) if max(abs(low), abs(high)) <= MOST_CENTS else None


def enrich_part(key: bytes | None, value: bytes | None, context: Context) -> Outcome:
    """An input record of `dms.parts` to its enriched record, a tombstone, or a rejection with its reason.

    Dollars are per unit; `extended` is times the quantity on hand. A core deposit is no part of any amount.
    """
    part = read_record(key, value, Part, "part_number")
    if isinstance(part, Removed | Rejected):
        return part
    assert key is not None
    assert value is not None
    what = profile(part, find_family(part, context), context)
    amount = customs_value(part, context)
    duty = _duty(part, what, amount, context)
    expected = expected_change(part, what, amount, context)
    change = _extended(expected.usd_cents, part.qty_on_hand)
    missing = [*duty.missing, *cost_facts(part, expected)]
    flags = called_for(part, what, expected, missing, context)
    facts = orjson.dumps(list(dict.fromkeys((*what.missing_facts, *missing)))).decode()
    changes = change_json(expected, change, by_quantity=True)
    members = f'{what.encoded},{duty.json}{changes},"missing_facts":{facts},"customer_facing_ok":false'
    body, canonical_end = splice(value, part.model_extra, OWNED_FIELDS_PART, members.encode())
    adds = part_contribution(part, what, duty, change)
    return Enriched(key, body, context.book_text, tuple(flags), what.notes, canonical_end, part.updated_at, adds)
