"""The importer's duty on one vehicle: its likely entry dates, its customs value, and what may be true of its entry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from schemas.fields import Importer, StockClass
from schemas.vehicle import Vehicle
from streams.enrich.cents import Cents, price_cents, scaled, usd
from streams.enrich.context import Context
from streams.enrich.cost import vehicle_change, vehicle_cost_date
from streams.enrich.invoice import CostDate, Expected, Invoice, invoice
from streams.enrich.tariff import Schedule, Segment, ViewRates, entered_between, schedule
from streams.enrich.threats import Added, Threatened, threatened_json
from streams.policy.facts import Claim, Facts

if TYPE_CHECKING:
    from streams.enrich.vehicle_profile import VehicleProfile
    from streams.reference.vehicles import UsBuilt

_DAY: Final = timedelta(days=1)
_SHARE_STEP: Final = 10_000
_HALF_STEP: Final = _SHARE_STEP // 2
_USED: Final = StockClass.USED
_CPO: Final = StockClass.CPO
_IN_TRANSIT: Final = StockClass.IN_TRANSIT
_DEALER: Final = Importer.DEALER
_tuple: Final = tuple.__new__
"""Makes a named tuple without its constructor, which takes twice as long."""
OF_AGE: Final = 26
"""Years after its model year in which any vehicle is 25 years old: it is built in that year or the one before."""
_VINTAGE: Final = frozenset({Claim.VINTAGE_25Y})

Shares = tuple[int, int, int]
"""Customs value as low, central, high shares of MSRP, in ten-thousandths."""


DatedShares = tuple[tuple[date, date, Shares], ...]
"""Value shares by the days of entry, first and last, for which they count."""
View = tuple[ViewRates, date, date, Cents | None]
"""Rates, entry dates from and to, and the customs value in cents, None where it isn't known."""


@dataclass(frozen=True, slots=True)
class RatedAs:
    """A profile with what the record says of its entry: its schedule and the facts that are missing for it.

    `since`: the first day for which it may be asked. `today`: the rates of goods entered on the book's day, and
    `missing_today` what would narrow or give them. `shares`: of value in MSRP, by entry date; None where the base is
    MSRP itself. `invoices`: what of its changes reaches the invoice, by whether the dealer is the importer; filled as
    asked for.
    """

    schedule: Schedule | None
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]
    us_built: bool
    since: date = date.min
    today: ViewRates | None = None
    missing_today: tuple[str, ...] = ()
    shares: DatedShares | None = None
    invoices: dict[bool, Invoice] = field(default_factory=dict)


class VehicleTariff(NamedTuple):
    """A vehicle's duty, and the change it brings to the dealer's next invoice.

    `value` is its customs value in cents; a view is None where it can't be given, the change where none is estimated.
    `threats`: what hangs over the replacement; `added`: the cents each would add, empty without a value.
    """

    value: Cents | None
    landed: View | None
    replacement: View | None
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]
    expected: Expected | None = None
    threats: tuple[Threatened, ...] = ()
    added: tuple[Added, ...] = ()


def rate_vehicle(record: Vehicle, profile: VehicleProfile, context: Context) -> VehicleTariff:
    """Duty of the vehicle a record describes, in both views, and the expected change of the next invoice."""
    if not profile.what.estimated:
        return VehicleTariff(None, None, None, (), ())
    # A model's attributes are found by way of a function; its fields are a plain dictionary, at a quarter of the time.
    fields = record.__dict__
    today = context.book.day
    stock_class: StockClass | None = fields["stock_class"]
    msrp: str | None = fields["msrp_usd"]
    window = entry_dates(record, context)
    make, origin = profile.what.identity.make, profile.origin.country
    used = stock_class is _USED or stock_class is _CPO
    cost, understood = vehicle_cost_date(record, make, origin, profile.facts.plant_city, context, used=used)
    first = window[0] if window else today
    if cost is not None and cost[0] < first:
        first = cost[0]
    year = profile.facts.model_year
    of_age = window is not None and year is not None and window[0].year >= year + OF_AGE
    rated = rated_as(fields["usmca"], fields["us_content_share"], first, profile, context, of_age=of_age)
    missing: list[str] = []
    price = price_cents(msrp)
    if price is None:
        missing.append("msrp_usd")
    if stock_class is None:
        missing.append("stock_class")
    if window is None:
        missing.append("entry_date")
    known = rated.schedule
    if known is None:
        expected = vehicle_change(None, cost, None, None, context, used=used)
        return VehicleTariff(
            None, None, None, _all_missing(missing, rated, cost, expected, used=used, understood=understood),
            rated.warnings, expected,
        )  # fmt: skip
    landed = replacement = None
    if window is not None:
        found = known.view(*window)
        if found is None:
            missing += known.missing_facts(*window)
        else:
            landed = (found, *window, _value(price, window[1], rated))
            missing += found.missing_facts
    if not used:
        missing += rated.missing_today
        if rated.today is not None:
            replacement = (rated.today, today, today, _value(price, today, rated))
    dealer_imports = fields["importer_of_record"] is _DEALER
    moves = rated.invoices.get(dealer_imports)
    if moves is None:
        moves = invoice(known, "vehicle", make, origin, fields["importer_of_record"], context)
        rated.invoices[dealer_imports] = moves
    replaced = None if replacement is None else replacement[3]
    expected = vehicle_change(fields["cost_borne_by"], cost, moves, replaced, context, used=used)
    told = _all_missing(missing, rated, cost, expected, used=used, understood=understood)
    shown = replacement or landed
    value = None if shown is None or rated.us_built else shown[3]
    threats = () if replacement is None else known.threats
    added = tuple([one.added(value) for one in threats]) if threats and value is not None else ()
    return _tuple(VehicleTariff, (value, landed, replacement, told, rated.warnings, expected, threats, added))


def _all_missing(
    missing: list[str], rated: RatedAs, cost: CostDate | None, expected: Expected, *, used: bool, understood: bool
) -> tuple[str, ...]:
    """With what is missing for the cost date and the entry, after what was already found to be."""
    if not understood:
        missing.append("maker_tariff_code_meaning")
    if not used and (cost is None or (expected.passed is not None and expected.passed.already_in_cost == "unknown")):
        missing.append("cost_as_of")
    return (*missing, *rated.missing_facts)


def _value(price: int | None, day: date, rated: RatedAs) -> Cents | None:
    """Customs value in cents of goods with this MSRP entered on `day`."""
    if price is None:
        return None
    if rated.shares is None:
        return (price, price, price)
    low, central, high = _on(rated.shares, day)
    return (
        (price * low + _HALF_STEP) // _SHARE_STEP,
        (price * central + _HALF_STEP) // _SHARE_STEP,
        (price * high + _HALF_STEP) // _SHARE_STEP,
    )


def _on(spans: DatedShares, day: date) -> Shares:
    for first, last, shares in spans:
        if first <= day <= last:
            return shares
    raise AssertionError("customs_value.csv has a row for every origin and day")


def value_shares(origin: str | None, day: date, context: Context) -> Shares:
    """Customs value as shares of MSRP for goods of `origin` entered on `day`."""
    return _on(_dated_shares(origin, context), day)


def _dated_shares(origin: str | None, context: Context) -> DatedShares:
    """The rows of the origin before those of any origin."""
    memo = context.lasting("value_shares")
    found = memo.get(origin)
    if found is None:
        rows = [row for row in context.reference.vehicles.customs_value if row.origin in (origin, None)]
        found = memo.keep(
            origin,
            tuple(
                (
                    row.first or date.min,
                    row.last or date.max,
                    (int(row.low * _SHARE_STEP), int(row.central * _SHARE_STEP), int(row.high * _SHARE_STEP)),
                )
                for row in sorted(rows, key=lambda row: row.origin is None)
            ),
        )
    return cast(DatedShares, found)


def entry_dates(record: Vehicle, context: Context) -> tuple[date, date] | None:
    """The likely entry dates by the most telling date of the record; None where it has none.

    Never after the unit came into stock, or was last reported in stock. What the record doesn't say is not asked of the
    book's day: that would move the dates, and publish the record again, with every book.
    """
    fields = record.__dict__
    stock_class: StockClass | None = fields["stock_class"]
    memo = context.lasting("entry_dates")
    rows = memo.get(stock_class)
    if rows is None:
        rows = memo.keep(stock_class, _entry_dates_of(stock_class, context))
    assert isinstance(rows, tuple)
    for basis, earliest, latest in rows:
        day: date | None = _stocked(record) if basis == "updated_at" else fields[basis]
        if day is None:
            continue
        first, last = day + earliest, day + latest
        if basis != "entry_date":
            here: date | None = fields["in_stock_date"]
            if here is None and fields["updated_at"] is not None and stock_class is not _IN_TRANSIT:
                here = fields["updated_at"].date()
            if here is not None and here < last:
                last = here if here > first else first
        return (first, last)
    return None


def _entry_dates_of(stock_class: StockClass | None, context: Context) -> tuple[tuple[str, timedelta, timedelta], ...]:
    """Basis, earliest and latest after it, of the dates that mean an entry for units of a stock class."""
    return tuple(
        (row.basis, row.earliest_days * _DAY, row.latest_days * _DAY)
        for row in context.reference.vehicles.entry_dates
        if row.fits(stock_class)
    )


def _stocked(record: Vehicle) -> date | None:
    if record.updated_at is None or record.days_in_stock is None:
        return None
    return record.updated_at.date() - record.days_in_stock * _DAY


def rated_as(
    usmca: bool | None,
    us_content: float | None,
    first: date,
    profile: VehicleProfile,
    context: Context,
    *,
    of_age: bool = False,
) -> RatedAs:
    """The profile under what a record says of USMCA, with a schedule from `first` on at the latest.

    `of_age`: it was 25 years old when it entered, and is claimed to be (9903.94.04).
    """
    key = (usmca, us_content, of_age)
    found = profile.rated.get(key)
    if found is None or found.since > first:
        found = profile.rated.keep(key, _rate_as(usmca, us_content, of_age, first, profile, context))
    return found


def _rate_as(
    usmca: bool | None, us_content: float | None, of_age: bool, first: date, profile: VehicleProfile, context: Context
) -> RatedAs:
    origin, lines = profile.origin.country, profile.what.candidates
    if origin is None or not lines:
        return RatedAs(None, () if lines else ("hts",), (), False)
    today = context.book.day
    if origin == "US":
        missing: tuple[str, ...] = ("imported_parts_content", "maker_offset")
        warnings: tuple[str, ...] = ()
        shares = None
        known = _us_built(context, first)
    else:
        facts, missing, warnings = entry_facts(usmca, us_content, origin, context)
        if of_age:
            facts = tuple(replace(one, claims=one.claims | _VINTAGE) for one in facts)
        shares = _dated_shares(origin, context)
        known = schedule(lines, origin, facts, min(first, today), context)
    view = known.view(today, today)
    return RatedAs(
        schedule=known,
        missing_facts=missing,
        warnings=warnings,
        us_built=shares is None,
        since=date.min if known.first <= context.book.trade.first_day else known.first,
        today=view,
        missing_today=known.missing_facts(today, today) if view is None else view.missing_facts,
        shares=shares,
    )


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
    began = date(min(first.year, context.book.day.year, row.first.year), 1, 1)
    memo = context.memo("us_built")
    found = memo.get(began)
    if found is None:
        found = memo.keep(began, _parts_duty(row, began))
    return cast(Schedule, found)


def _parts_duty(row: UsBuilt, began: date) -> Schedule:
    central = row.parts_share_central * row.parts_rate_percent_central
    low = {row.parts_measure: scaled(row.parts_share_low * row.parts_rate_percent_low)}
    parts = {row.parts_measure: scaled(central)}
    high = {row.parts_measure: scaled(row.parts_share_high * row.parts_rate_percent_high)}
    offset = {row.offset_measure: -scaled(min(row.offset_percent, central))}
    segments = [
        Segment(began, {}, {}, {}),
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
    return _tuple(Priced, (f',"tariff":{{"customs_value_usd":{value},"importer_duty":{duties}}}', at_entry, now))


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
