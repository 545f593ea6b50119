"""An estimate as a JSON document: decimal strings for dollars, numbers for percent, words for what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from streams.policy.book import Book
from streams.policy.duty import Component, DutyEstimate, rates
from streams.policy.shipment import Shipment, typed_line
from streams.policy.walk import rate_fact
from streams.reference.trade_records import MeasureRecord, RateType

Json = dict[str, object]


def dollars(cents: int | None) -> str | None:
    """Cents as a decimal string with two decimals."""
    return None if cents is None else f"{cents // 100}.{cents % 100:02d}"


def estimate_document(book: Book, shipment: Shipment, found: DutyEstimate) -> Json:
    """What `lotrisk estimate --json` prints for one shipment."""
    low, central, high = found.low, found.central, found.high
    shown = central or low
    return {
        "hts": typed_line(shipment),
        "origin": shipment.origin,
        "entry_date": shipment.entry_date.isoformat(),
        "value": dollars(shipment.value_cents),
        "status": status(found),
        "total_rate_percent": None if central is None else float(central.total_rate_percent),
        "total_rate_percent_low": None if low is None else float(low.total_rate_percent),
        "total_rate_percent_high": None if high is None else float(high.total_rate_percent),
        "total_duty": None if central is None else dollars(central.total_cents),
        "total_duty_low": None if low is None else dollars(low.total_cents),
        "total_duty_high": None if high is None else dollars(high.total_cents),
        "components": [component_document(component) for component in (central.components if central else ())],
        "components_low": [component_document(one) for one in (shown.components if shown and not central else ())],
        "reported_at_zero": [
            {"measure": component.measure, "heading": component.heading} for component in found.rates.at_zero
        ],
        "not_applied": [
            {
                "measure": item.measure,
                "authority": item.authority,
                "heading": item.heading,
                "rule": item.rule,
                "reason": item.reason,
            }
            for item in found.not_applied
        ],
        "missing_facts": list(found.missing_facts),
        "prohibited_by": list(found.rates.prohibited),
        "changes_on": None if found.changes_on is None else found.changes_on.isoformat(),
        "warnings": warnings(book, shipment, found),
        "book": str(book.number),
        "verified": book.trade.verified.isoformat(),
    }


def component_document(component: Component) -> Json:
    """One component; `refundable` marks duty that was held void and goes back to the importer of record."""
    return {
        "measure": component.measure,
        "authority": component.authority,
        "heading": component.heading,
        "rate_type": component.rate_type,
        "rate_percent": float(component.rate_percent),
        "amount": dollars(component.amount_cents),
        "refundable": component.refundable,
    }


def percent(rate: Decimal) -> str:
    """A rate without trailing zeros: `12.5`."""
    return f"{rate.normalize():f}"


_STATEMENTS = {
    "stat_suffix": "The 10-digit number: a list names some of the statistical suffixes of this line.",
    "hts_digits": "The 8-digit number: what was given is more than one line.",
    "line_not_in_book": "The book does not hold this line: its column-1 rate is taken as a range by chapter.",
    "column_1_rate": "The column-1 rate of a line that the book does not hold.",
}


def reckoning(record: MeasureRecord, day: date, part: Component, column_1: Decimal) -> str | None:
    """How a component's rate follows from the measure's own on that day, where it is not that rate itself."""
    steps = [step.rate for step in record.steps if step.from_ <= day]
    own = steps[-1] if steps else record.rate
    if own is None or record.rate_type is RateType.COLUMN_1:
        return None
    text = f"{percent(own)}%"
    if record.rate_type is RateType.COMBINED_TO:
        text, own = f"{text} less column 1", max(Decimal(0), own - column_1)
    elif part.rate_percent == own:
        return None
    if part.rate_percent == own:
        return text
    on = "the value outside the metal"
    if record.rate_type is RateType.CONTENT_SHARE:
        on = "the content from outside the US" if record.content == "non_us" else "the metal"
    return f"{text}, on {on}: a share of {_share(part.rate_percent / own)}"


def _share(number: Decimal) -> str:
    return f"{number.normalize():f}"


def missing_statement(book: Book, name: str) -> str:
    """What a missing fact is, in a sentence."""
    for fact in book.trade.facts:
        if fact.name == name:
            return fact.statement
    if name.startswith("rate_of_"):
        for record in book.measures:
            if name == rate_fact(record):
                return record.title
    return _STATEMENTS[name]


def status(found: DutyEstimate) -> str:
    """`estimated`, `indeterminate`, `line not in the book`, or `not importable`."""
    if found.rates.prohibited:
        return "not importable"
    if not found.rates.in_book:
        return "line not in the book"
    return "indeterminate" if found.central is None else "estimated"


def warnings(book: Book, shipment: Shipment, found: DutyEstimate) -> list[str]:
    """What the reader should know and could overlook: void duty, a day past the last check, claims without effect."""
    notes = []
    if not found.rates.in_book:
        notes.append(
            f"line not in the book: {typed_line(shipment)}; the range rests on the column-1 rates of its chapter"
            if found.low is not None
            else f"line not in the book: {typed_line(shipment)}; nothing can be said of its chapter"
        )
        if found.central is not None:
            notes.append(
                "column 1 is not held: the total is known, how it divides between column 1 and the rest is not"
            )
    if found.rates.prohibited:
        notes.append(f"not importable: {', '.join(found.rates.prohibited)}")
    shown = found.central or found.low
    if shown is not None and any(component.refundable for component in shown.components):
        notes.append(
            "void: IEEPA duty was held unlawful; it may be refunded to the importer of record, not to a dealer"
        )
    if shipment.entry_date > book.trade.verified:
        notes.append(f"the book was last verified on {book.trade.verified}; later changes are not in it")
    notes.extend(_idle_claims(book, shipment, found))
    return notes


def _idle_claims(book: Book, shipment: Shipment, found: DutyEstimate) -> list[str]:
    facts = shipment.facts
    without = {f"claim {claim}": replace(facts, claims=facts.claims - {claim}) for claim in sorted(facts.claims)}
    if facts.usmca is not None:
        without["usmca"] = replace(facts, usmca=None)
    if facts.us_content is not None:
        without["us_content"] = replace(facts, us_content=None)
    if facts.in_transit_date is not None:
        without["in_transit_date"] = replace(facts, in_transit_date=None)
    if facts.metal_share is not None:
        without["metal_share"] = replace(facts, metal_share=None)
    if facts.us_metal_share is not None:
        without["us_metal_share"] = replace(facts, us_metal_share=None)
    notes = []
    for name, fewer in without.items():
        other = rates(book, shipment.line, shipment.origin, shipment.entry_date, fewer, shipment.known_at)
        if other.signature == found.rates.signature:
            notes.append(f"{name} changes nothing on this line, origin and day")
    return notes
