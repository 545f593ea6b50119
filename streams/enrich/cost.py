"""As of when a record's cost is, and so what its expected invoice change is: the record's side of `invoice`.

The enriched record's block says the range in dollars, whether the duty of today is already in the cost, and on which
date and field that rests.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import orjson

from schemas.fields import Confidence, PartKind
from schemas.part import Part
from schemas.vehicle import Vehicle
from streams.enrich.cents import Cents
from streams.enrich.context import Context
from streams.enrich.invoice import (
    CostDate,
    Days,
    Expected,
    Invoice,
    PassedOn,
    change,
    coded_cost_date,
    derived,
    dollars,
)
from streams.reference.dealer import GoodsKind, plain

_MOVED: Final = "new_counterpart_moved"
_STILL: Final = (0, 0, 0)
_tuple: Final = tuple.__new__
"""Makes a named tuple without its constructor, which takes twice as long."""
_PART_KINDS: Final[dict[PartKind | None, GoodsKind]] = {
    PartKind.OE: "oe",
    PartKind.AFTERMARKET: "aftermarket",
    None: "unknown",
}
UNKNOWN: Final = Expected(None, None, None, "none", "L")
NOTHING: Final = Expected((0, 0, 0), None, None, "domestic", "L")
"""Made here, a part is not entered: no duty moves its cost."""


def vehicle_cost_date(
    record: Vehicle, make: str | None, origin: str | None, city: str | None, context: Context, *, used: bool
) -> tuple[CostDate | None, bool]:
    """As of when the vehicle's cost is; and whether its tariff code, if it has one, is understood.

    A used unit was bought when it came into stock; a new one was invoiced before it was on the way.
    """
    dealer = context.reference.dealer
    fields = record.__dict__
    known: CostDate | None = None
    for name, less_transit, confidence in dealer.vehicle_cost_dates:
        day: date | None = _stocked(record) if name == "updated_at" else fields[name]
        if day is not None:
            if used or not less_transit:
                known = _tuple(CostDate, (day, day, day, name, confidence))
            else:
                known = derived(day, days_in_transit(origin, city, context), name)
            break
    code: str | None = fields["maker_tariff_code"]
    if code is None:
        return (known, True)
    return coded_cost_date(make, code, known, dealer)


def _stocked(record: Vehicle) -> date | None:
    if record.updated_at is None or record.days_in_stock is None:
        return None
    return record.updated_at.date() - timedelta(record.days_in_stock)


def vehicle_change(
    borne_by: str | None,
    cost: CostDate | None,
    invoice: Invoice | None,
    value: Cents | None,
    context: Context,
    *,
    used: bool,
) -> Expected:
    """How the invoice of the unit that replaces this one is likely to differ from this one's.

    `borne_by`: who bears a change of cost, in the record's words. `value`: customs value in cents of a unit entered
    today. For used units no amount is said, only that the new counterpart moved since they were bought.
    """
    if cost is None or invoice is None:
        return Expected(None, None, cost, cost.basis if cost is not None else "none", "L")
    passed = invoice.passed_on(cost)
    if used:
        return Expected(None, passed, cost, _MOVED if passed.already_in_cost == "no" else "used", "L")
    if borne_by is not None and _borne_by_maker(borne_by, context):
        return Expected((0, 0, 0), passed, cost, "borne_by_maker", cost.confidence)
    return _expected(passed, cost, value)


def part_cost_date(part: Part, context: Context) -> CostDate | None:
    """As of when the part's cost is: its invoice, price tape or last receipt, else the day in stock less the way."""
    for name, less_transit, confidence in context.reference.dealer.part_cost_dates:
        day: date | None = getattr(part, name)
        if day is None:
            continue
        if less_transit:
            return derived(day, days_in_transit(part.country_of_origin, None, context), name)
        return CostDate(day, day, day, name, confidence)
    return None


def days_in_transit(origin: str | None, city: str | None, context: Context) -> Days:
    """Low, central and high time from the maker's invoice to stock; `city` as decoded, in capitals."""
    memo = context.lasting("days_in_transit")
    found = memo.get((origin, city))
    if found is None:
        row = context.reference.dealer.days_in_transit(origin, city)
        found = memo.keep((origin, city), (timedelta(row.low), timedelta(row.central), timedelta(row.high)))
    assert isinstance(found, tuple)
    return found


def part_goods_kind(part: Part) -> GoodsKind | None:
    """The kind whose pass-through counts; None for rebuilt and used parts."""
    return _PART_KINDS.get(part.part_kind)


def part_change(cost: CostDate | None, invoice: Invoice | None, value: Cents | None) -> Expected:
    """How the cost of one more such part is likely to differ from this one's, core apart."""
    if cost is None or invoice is None:
        return Expected(None, None, cost, cost.basis if cost is not None else "none", "L")
    return _expected(invoice.passed_on(cost), cost, value)


def _expected(passed: PassedOn, cost: CostDate, value: Cents | None) -> Expected:
    _, _, _, basis, sure = cost
    confidence: Confidence = "L" if sure == "L" or passed.confidence == "L" else "M"
    if passed.rate == _STILL and passed.answered:
        return _tuple(Expected, (_STILL, passed, cost, basis, confidence))
    if not passed.answered or value is None:
        return Expected(None, passed, cost, basis, "L")
    return _tuple(Expected, (change(value, passed.rate), passed, cost, basis, confidence))


def _borne_by_maker(words: str, context: Context) -> bool:
    memo = context.lasting("cost_bearers")
    found = memo.get(words)
    if found is None:
        bearers = {context.reference.dealer.bearers.get(word) for word in plain(words).split()}
        found = memo.keep(words, "maker" in bearers and "dealer" not in bearers)
    return found is True


def change_members(expected: Expected) -> dict[str, object]:
    """The block's members of one unit as JSON-ready values."""
    members: dict[str, object] = orjson.loads("{" + change_json(expected)[1:] + "}")["expected_invoice_change"]
    return members


def change_json(expected: Expected, extended: Cents | None = None, *, by_quantity: bool = False) -> str:
    """The member `expected_invoice_change`, after a comma; for parts also times the quantity, null if unknown."""
    usd, passed, cost, basis, confidence = expected
    amount = "null" if usd is None else dollars(usd)
    times = "" if not by_quantity else f'"extended_usd":{"null" if extended is None else dollars(extended)},'
    as_of = "" if cost is None else f',"cost_as_of":"{cost.central.isoformat()}"'
    already = "unknown" if passed is None else passed.already_in_cost
    if expected.basis == NOTHING.basis:
        already = "yes"
    measures = "" if passed is None or not passed.measures else f',"measures":{orjson.dumps(passed.measures).decode()}'
    return (
        f',"expected_invoice_change":{{"usd":{amount},{times}"already_in_cost":"{already}"{as_of},"basis":"{basis}"'
        f'{measures},"confidence":"{confidence}"}}'
    )
