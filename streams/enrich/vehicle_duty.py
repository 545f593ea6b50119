"""The importer's duty on one vehicle: its likely entry dates, its customs value, and what may be true of its entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.fields import Importer, StockClass
from schemas.vehicle import Vehicle
from streams.enrich.cents import Cents, cents, scaled, usd
from streams.enrich.context import Context
from streams.enrich.cost import vehicle_change, vehicle_cost_date
from streams.enrich.invoice import Expected, Invoice, invoice
from streams.enrich.tariff import Schedule, Segment, ViewRates, entered_between, schedule
from streams.enrich.threats import Added, Threatened, threatened_json
from streams.policy.facts import Claim, Facts
from streams.reference.vehicles import CustomsValueShare

if TYPE_CHECKING:
    from streams.enrich.vehicle_profile import VehicleProfile

_DAY: Final = timedelta(days=1)
_SHARE_STEP: Final = 10_000

Shares = tuple[int, int, int]
"""Customs value as low, central, high shares of MSRP, in ten-thousandths."""


@dataclass(frozen=True, slots=True)
class RatedAs:
    """A profile with what the record says of its entry: its schedule and the facts that are missing for it.

    `invoices`: what of its changes reaches the invoice, by whether the dealer is the importer; filled as asked for.
    """

    schedule: Schedule | None
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]
    us_built: bool
    invoices: dict[bool, Invoice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VehicleTariff:
    """A vehicle's duty, and the change it brings to the dealer's next invoice.

    `value` is its customs value in cents; a view is None where it can't be given, the change where none is estimated.
    `threats`: what hangs over the replacement; `added`: the cents each would add, empty without a value.
    """

    value: Cents | None
    landed: tuple[ViewRates, date, date, Cents | None] | None
    replacement: tuple[ViewRates, date, date, Cents | None] | None
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]
    expected: Expected | None = None
    threats: tuple[Threatened, ...] = ()
    added: tuple[Added, ...] = ()


def rate_vehicle(record: Vehicle, profile: VehicleProfile, context: Context) -> VehicleTariff:
    """Duty of the vehicle a record describes, in both views, and the expected change of the next invoice."""
    if not profile.what.estimated:
        return VehicleTariff(None, None, None, (), ())
    today = context.book.day
    window = entry_dates(record, context)
    make, origin = profile.what.identity.make, profile.origin.country
    used = record.stock_class is StockClass.USED or record.stock_class is StockClass.CPO
    cost, understood = vehicle_cost_date(record, make, origin, profile.facts.plant_city, context, used=used)
    first = window[0] if window else today
    if cost is not None and cost.first < first:
        first = cost.first
    rated = rated_as(record.usmca, record.us_content_share, first, profile, context)
    missing: list[str] = []
    price = None if record.msrp_usd is None else cents(record.msrp_usd)
    if price is None:
        missing.append("msrp_usd")
    if record.stock_class is None:
        missing.append("stock_class")
    landed = replacement = None
    if window is None:
        missing.append("entry_date")
    known = rated.schedule
    if known is not None:
        if window is not None:
            landed = _dated(known, *window, price, rated, profile, context)
            missing += landed[0].missing_facts if landed is not None else known.missing_facts(*window)
        if not used:
            replacement = _dated(known, today, today, price, rated, profile, context)
            missing += replacement[0].missing_facts if replacement is not None else known.missing_facts(today, today)
    shown = replacement or landed
    value = shown[3] if shown is not None and not rated.us_built else None
    if not understood:
        missing.append("maker_tariff_code_meaning")
    moves = None
    if known is not None:
        dealer_imports = record.importer_of_record is Importer.DEALER
        moves = rated.invoices.get(dealer_imports)
        if moves is None:
            moves = invoice(known, "vehicle", make, origin, record.importer_of_record, context)
            rated.invoices[dealer_imports] = moves
    expected = vehicle_change(
        record, cost, moves, replacement[3] if replacement is not None else None, context, used=used
    )
    if not used and (cost is None or (expected.passed is not None and expected.passed.already_in_cost == "unknown")):
        missing.append("cost_as_of")
    missing += rated.missing_facts
    if known is None or replacement is None or not known.threats:
        return VehicleTariff(value, landed, replacement, tuple(missing), rated.warnings, expected)
    added = () if value is None else tuple([one.added(value) for one in known.threats])
    return VehicleTariff(value, landed, replacement, tuple(missing), rated.warnings, expected, known.threats, added)


def _dated(
    known: Schedule,
    first: date,
    last: date,
    price: int | None,
    rated: RatedAs,
    profile: VehicleProfile,
    context: Context,
) -> tuple[ViewRates, date, date, Cents | None] | None:
    found = known.view(first, last)
    if found is None:
        return None
    if price is None:
        return (found, first, last, None)
    if rated.us_built:
        return (found, first, last, (price, price, price))
    low, central, high = value_shares(profile.origin.country, last, context)
    half = _SHARE_STEP // 2
    value = (
        (price * low + half) // _SHARE_STEP,
        (price * central + half) // _SHARE_STEP,
        (price * high + half) // _SHARE_STEP,
    )
    return (found, first, last, value)


def value_shares(origin: str | None, day: date, context: Context) -> Shares:
    """Customs value as shares of MSRP for goods of `origin` entered on `day`."""
    memo = context.memo("value_shares")
    found = memo.get(origin)
    if found is None:
        found = memo.keep(origin, _dated_shares(origin, context.reference.vehicles.customs_value))
    assert isinstance(found, _DatedShares)
    for first, last, shares in found.spans:
        if first <= day <= last:
            return shares
    raise AssertionError("customs_value.csv has a row for every origin and day")


@dataclass(frozen=True, slots=True)
class _DatedShares:
    spans: tuple[tuple[date, date, Shares], ...]


def _dated_shares(origin: str | None, rows: Iterable[CustomsValueShare]) -> _DatedShares:
    """The rows of the origin before those of any origin."""
    own = sorted((row for row in rows if row.origin in (origin, None)), key=lambda row: row.origin is None)
    return _DatedShares(
        tuple(
            (
                row.first or date.min,
                row.last or date.max,
                (int(row.low * _SHARE_STEP), int(row.central * _SHARE_STEP), int(row.high * _SHARE_STEP)),
            )
            for row in own
        )
    )


def entry_dates(record: Vehicle, context: Context) -> tuple[date, date] | None:
    """The likely entry dates by the most telling date of the record; None where it has none.

    Never after the unit came into stock, or was last reported in stock. What the record doesn't say is not asked of the
    book's day: that would move the dates, and publish the record again, with every book.
    """
    stock_class = record.stock_class
    memo = context.lasting("entry_dates")
    rows = memo.get(stock_class)
    if rows is None:
        rows = memo.keep(stock_class, _entry_dates_of(stock_class, context))
    assert isinstance(rows, tuple)
    for basis, earliest, latest in rows:
        day = _stocked(record) if basis == "updated_at" else getattr(record, basis)
        if day is None:
            continue
        first, last = day + earliest, day + latest
        if basis != "entry_date":
            here = _here_by(record)
            if here is not None:
                last = max(first, min(last, here))
        return (first, last)
    return None


def _entry_dates_of(stock_class: StockClass | None, context: Context) -> tuple[tuple[str, timedelta, timedelta], ...]:
    """Basis, earliest and latest after it, of the dates that mean an entry for units of a stock class."""
    return tuple(
        (row.basis, row.earliest_days * _DAY, row.latest_days * _DAY)
        for row in context.reference.vehicles.entry_dates
        if row.fits(stock_class)
    )


def _here_by(record: Vehicle) -> date | None:
    if record.in_stock_date is not None:
        return record.in_stock_date
    if record.updated_at is not None and record.stock_class is not StockClass.IN_TRANSIT:
        return record.updated_at.date()
    return None


def _stocked(record: Vehicle) -> date | None:
    if record.updated_at is None or record.days_in_stock is None:
        return None
    return record.updated_at.date() - record.days_in_stock * _DAY


def rated_as(
    usmca: bool | None, us_content: float | None, first: date, profile: VehicleProfile, context: Context
) -> RatedAs:
    """The profile under what a record says of USMCA, with a schedule from `first` on at the latest."""
    key = (usmca, us_content)
    found = profile.rated.get(key)
    earliest = context.book.trade.first_day
    if found is None or (found.schedule is not None and earliest < found.schedule.first > first):
        found = profile.rated.keep(key, _rate_as(usmca, us_content, first, profile, context))
    return found


def _rate_as(
    usmca: bool | None, us_content: float | None, first: date, profile: VehicleProfile, context: Context
) -> RatedAs:
    origin, lines = profile.origin.country, profile.what.candidates
    if origin is None or not lines:
        return RatedAs(None, () if lines else ("hts",), (), False)
    if origin == "US":
        return RatedAs(_us_built(context, first), ("imported_parts_content", "maker_offset"), (), True)
    facts, missing, warnings = entry_facts(usmca, us_content, origin, context)
    return RatedAs(schedule(lines, origin, facts, min(first, context.book.day), context), missing, warnings, False)


def entry_facts(
    usmca: bool | None, us_content: float | None, origin: str, context: Context
) -> tuple[tuple[Facts, ...], tuple[str, ...], tuple[str, ...]]:
    """What may be true of the entry, the default first; the missing facts; the warnings.

    Without a word on USMCA the default is a claim with the fleet's US content, the range runs from the high content to
    no claim at all.
    """
    row = next((row for row in context.reference.vehicles.us_content if origin in row.origins), None)
    if row is None:
        warnings = ("usmca_contradicts_origin: USMCA is claimed for goods of " + origin,) if usmca else ()
        return (Facts(),), (), warnings
    if usmca is False:
        return (Facts(usmca=False),), (), ()
    approved = frozenset({Claim.COMMERCE_APPROVED})
    if us_content is not None:
        claimed = [Facts(usmca=True, us_content=Decimal(str(us_content)), claims=approved)]
        missing: tuple[str, ...] = ()
    else:
        claimed = [
            Facts(usmca=True, us_content=row.central, claims=approved),
            Facts(usmca=True, us_content=row.high, claims=approved),
            Facts(usmca=True, us_content=Decimal(0), claims=approved),
        ]
        missing = ("us_content_share",)
    if usmca is None:
        return (*claimed, Facts(usmca=False)), ("usmca", *missing), ()
    return tuple(claimed), missing, ()


def _us_built(context: Context, first: date) -> Schedule:
    """Duty in the imported parts of a US-assembled vehicle, as shares of its MSRP (fact sheet 8.15)."""
    row = context.reference.vehicles.us_built
    central = row.parts_share_central * row.parts_rate_percent_central
    low = {row.parts_measure: scaled(row.parts_share_low * row.parts_rate_percent_low)}
    parts = {row.parts_measure: scaled(central)}
    high = {row.parts_measure: scaled(row.parts_share_high * row.parts_rate_percent_high)}
    offset = {row.offset_measure: -scaled(min(row.offset_percent, central))}
    segments = [
        Segment(date(min(first.year, context.book.day.year, row.first.year), 1, 1), {}, {}, {}),
        Segment(row.first, low, parts | offset, high),
        Segment(row.offset_last + _DAY, low, parts, high),
    ]
    return Schedule(segments, of_value=False)


class Priced(NamedTuple):
    """The member `tariff` of the enriched record, after a comma, and the totals of its views in cents."""

    json: str
    landed: Cents | None
    replacement: Cents | None


def priced(duty: VehicleTariff) -> Priced:
    """A vehicle's duty in dollars."""
    value = "null" if duty.value is None else '["{}","{}","{}"]'.format(*map(usd, duty.value))
    hanging = threatened_json(duty.threats, duty.added) if duty.threats else ""
    landed, replacement = duty.landed, duty.replacement
    at_entry: Cents | None
    now: Cents | None
    if landed and replacement and landed[3] and landed[0] is replacement[0] and landed[3] == replacement[3]:
        rates = landed[0]
        found = rates.amounts(landed[3])
        entered, today = rates.fill_both(found, entered_between(landed[1], landed[2]))
        at_entry = now = _total(found)
    else:
        # Goods entered today carry no dates: a day that passes, or a new book, must not change what is said of them.
        entered, at_entry = _view(landed, "" if landed is None else entered_between(landed[1], landed[2]))
        today, now = _view(replacement, "")
    duties = f'{{"landed":{entered},"replacement":{today}{hanging}}}'
    return Priced(f',"tariff":{{"customs_value_usd":{value},"importer_duty":{duties}}}', at_entry, now)


def _view(view: tuple[ViewRates, date, date, Cents | None] | None, dates: str) -> tuple[str, Cents | None]:
    if view is None:
        return "null", None
    rates, _, _, value = view
    if value is None:
        return rates.encode(None, dates), None
    found = rates.amounts(value)
    return rates.fill(found, dates), _total(found)


def _total(found: list[int]) -> Cents:
    return (found[0], found[1], found[2])
