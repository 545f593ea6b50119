"""A canonical vehicle record in, an enriched vehicle record out.

What a record costs: one parse, one look-up by VIN pattern, one by entry dates, and integer arithmetic on its price.
Everything that depends only on the VIN's pattern, the stock class, the dates' place between boundaries and the book is
kept, already encoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, cast

import orjson

from schemas.enriched import OWNED_FIELDS_VEHICLE
from schemas.fields import Confidence, StockClass
from schemas.vehicle import Vehicle
from streams.enrich.bill import vehicle_bill
from streams.enrich.classify import VehicleClass, VehicleIdentity, classify_vehicle
from streams.enrich.context import Context, Memo
from streams.enrich.exposure import Exposure, exposure, weakest
from streams.enrich.origin import VehicleOrigin, vehicle_origin
from streams.enrich.outcome import Enriched, Outcome, Reason, Rejected, Removed
from streams.enrich.record import read_record, splice
from streams.enrich.risk import origin_unknown
from streams.enrich.tariff import Cents, Schedule, Segment, ViewRates, cents, scaled, schedule, usd
from streams.enrich.vin import VinFacts, check_digit, decode_vin, is_north_american
from streams.policy.facts import Claim, Facts
from streams.reference.vehicles import CustomsValueShare

_USED: Final = frozenset({StockClass.USED, StockClass.CPO})
_DAY: Final = timedelta(days=1)
_SHARE_STEP: Final = 10_000
_KEPT_READINGS: Final = 64
"""Most readings of one profile kept: stated USMCA shares are any number."""
_NO_EXPOSURE: Final = b',"exposure":null'

Shares = tuple[int, int, int]
"""Customs value as low, central, high shares of MSRP, in ten-thousandths."""


@dataclass(slots=True)
class VehicleProfile:
    """What follows from a VIN's pattern and the stated country of assembly, whatever the dates and the price.

    `encoded` holds the JSON members decoded, origin and classification, without braces; `exposure_json` the next one,
    which vehicles of one drive and origin share.
    """

    facts: VinFacts
    origin: VehicleOrigin
    what: VehicleClass
    exposure: Exposure | None
    confidence: Confidence
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    encoded: bytes
    exposure_json: bytes
    rated: Memo[object, _RatedAs] = field(default_factory=lambda: Memo(_KEPT_READINGS))
    tails: Memo[object, bytes] = field(default_factory=lambda: Memo(_KEPT_READINGS))


@dataclass(frozen=True, slots=True)
class _RatedAs:
    """A profile with what the record says of its entry: its schedule and the facts that are missing for it."""

    schedule: Schedule | None
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]
    us_built: bool


@dataclass(frozen=True, slots=True)
class VehicleTariff:
    """A vehicle's duty. `value` is its customs value in cents; a view is None where it can't be given."""

    value: Cents | None
    landed: tuple[ViewRates, date, date, Cents | None] | None
    replacement: tuple[ViewRates, date, date, Cents | None] | None
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]


def enrich_vehicle(key: bytes | None, value: bytes | None, context: Context) -> Outcome:
    """Enrich one record of `dms.vehicles`.

    A null value is a tombstone. A rejection says which field is wrong and how; a wrong check digit is one only where
    the WMI is North American, elsewhere a warning.
    """
    record = read_record(key, value, Vehicle, "vin")
    if isinstance(record, Removed | Rejected):
        return record
    assert key is not None
    assert value is not None
    profile = vehicle_profile(record.vin, record.country_of_assembly, context)
    if not profile.facts.check_digit_valid and is_north_american(record.vin):
        return Rejected(
            Reason.CHECK_DIGIT,
            f"vin {record.vin}: position 9 is {record.vin[8]}, by the other characters it should be "
            f"{check_digit(record.vin)}; correct the VIN",
        )
    duty = rate_vehicle(record, profile, context)
    members = b"".join(
        (
            profile.encoded,
            profile.exposure_json,
            _tariff_json(duty).encode(),
            _tail(record, profile, duty, context),
        )
    )
    return Enriched(key, splice(value, record.__pydantic_extra__, OWNED_FIELDS_VEHICLE, members), profile.notes)


def vehicle_profile(vin: str, stated: str | None, context: Context) -> VehicleProfile:
    """Decode, origin, line, bill and exposure of a VIN. Memoised by its pattern."""
    facts = decode_vin(vin, context)
    memo = context.memo("vehicle_profiles")
    key = (facts.pattern, stated)
    found = memo.get(key)
    if found is None:
        found = memo.keep(key, _profile(facts, stated, context))
    assert isinstance(found, VehicleProfile)
    return found


def _profile(facts: VinFacts, stated: str | None, context: Context) -> VehicleProfile:
    origin = vehicle_origin(facts, stated, context.reference.vehicles)
    what = _class(facts, context)
    exposed: Exposure | None = None
    exposure_json = _NO_EXPOSURE
    if what.estimated:
        exposed, exposure_json = _exposure(
            replace(what.identity, make=None, model=None, model_year=None), origin.country, context
        )
    warnings = [*origin.warnings, *what.warnings]
    if not facts.check_digit_valid:
        warnings.append(f"check_digit: position 9 should be {check_digit(facts.pattern)}")
    missing = dict.fromkeys((*origin.missing_facts, *what.missing_facts, *(exposed.missing_facts if exposed else ())))
    confidence = weakest((origin.confidence, what.confidence, *((exposed.confidence,) if exposed else ("L",))))
    notes = [warning.partition(":")[0] for warning in warnings]
    notes = [f"{note}_warning" if note == "check_digit" else note for note in notes]
    if origin.country is None:
        notes.append("origin_unknown")
    if what.estimated and what.hts is None:
        notes.append("line_unsettled")
    identity = what.identity
    members = {
        "decoded": {
            "make": identity.make,
            "model": identity.model,
            "model_year": facts.model_year,
            "body_class": facts.body_class,
            "vehicle_type": facts.vehicle_type,
            "plant_country": facts.plant_country,
            "plant_city": facts.plant_city,
            "powertrain": identity.powertrain,
            "traction_magnets": identity.traction_magnets,
            "battery_chemistry": identity.battery_chemistry,
            "check_digit": "valid" if facts.check_digit_valid else "invalid",
        },
        "origin": {"country": origin.country, "basis": origin.basis, "confidence": origin.confidence},
        "classification": {
            "hts": what.hts,
            "candidates": what.candidates if what.hts is None else (),
            "basis": "vin",
            "confidence": what.confidence,
        },
    }
    return VehicleProfile(
        facts=facts,
        origin=origin,
        what=what,
        exposure=exposed,
        confidence=confidence,
        missing_facts=tuple(missing),
        warnings=tuple(warnings),
        notes=tuple(dict.fromkeys(notes)),
        encoded=orjson.dumps(members)[1:-1],
        exposure_json=exposure_json,
    )


def _class(facts: VinFacts, context: Context) -> VehicleClass:
    """Line and drive of all vehicles of one pattern, whatever the book, without the reasons, which nobody streams."""
    memo = context.lasting("vehicle_classes")
    found = memo.get(facts.pattern)
    if found is None:
        found = memo.keep(facts.pattern, replace(classify_vehicle(facts, context.reference.vehicles), why=()))
    assert isinstance(found, VehicleClass)
    return found


def _exposure(identity: VehicleIdentity, origin: str | None, context: Context) -> tuple[Exposure, bytes]:
    """The exposure of all vehicles of one drive and origin, and its JSON member; a bill depends on no name."""
    memo = context.memo("vehicle_exposures")
    key = (identity, origin)
    found = memo.get(key)
    if found is None:
        materials = context.reference.materials
        exposed = exposure(vehicle_bill(identity, materials), origin, context.book, materials)
        found = memo.keep(key, (exposed, b',"exposure":' + orjson.dumps(exposed.block)))
    return cast(tuple[Exposure, bytes], found)


def rate_vehicle(record: Vehicle, profile: VehicleProfile, context: Context) -> VehicleTariff:
    """Duty of the vehicle a record describes, in both views."""
    if not profile.what.estimated:
        return VehicleTariff(None, None, None, (), ())
    today = context.book.day
    window = entry_dates(record, context)
    rated = _rated_as(record.usmca, record.us_content_share, window[0] if window else today, profile, context)
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
        if record.stock_class not in _USED:
            replacement = _dated(known, today, today, price, rated, profile, context)
            missing += replacement[0].missing_facts if replacement is not None else known.missing_facts(today, today)
    shown = replacement or landed
    value = shown[3] if shown is not None and not rated.us_built else None
    return VehicleTariff(value, landed, replacement, (*missing, *rated.missing_facts), rated.warnings)


def _dated(
    known: Schedule,
    first: date,
    last: date,
    price: int | None,
    rated: _RatedAs,
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

    Never after the unit came into stock, or was last reported in stock; without either, not after the book's day.
    """
    for row in context.reference.vehicles.entry_dates:
        day = _date_of(record, row.basis)
        if day is None or not row.fits(record.stock_class):
            continue
        first, last = day + row.earliest_days * _DAY, day + row.latest_days * _DAY
        if row.basis != "entry_date":
            last = max(first, min(last, _here_by(record) or context.book.day))
        return (first, last)
    return None


def _here_by(record: Vehicle) -> date | None:
    if record.in_stock_date is not None:
        return record.in_stock_date
    if record.updated_at is not None and record.stock_class is not StockClass.IN_TRANSIT:
        return record.updated_at.date()
    return None


def _date_of(record: Vehicle, basis: str) -> date | None:
    if basis == "updated_at":
        if record.updated_at is None or record.days_in_stock is None:
            return None
        return record.updated_at.date() - record.days_in_stock * _DAY
    day: date | None = getattr(record, basis)
    return day


def _rated_as(
    usmca: bool | None, us_content: float | None, first: date, profile: VehicleProfile, context: Context
) -> _RatedAs:
    key = (usmca, us_content)
    found = profile.rated.get(key)
    earliest = context.book.trade.first_day
    if found is None or (found.schedule is not None and earliest < found.schedule.first > first):
        found = profile.rated.keep(key, _rate_as(usmca, us_content, first, profile, context))
    return found


def _rate_as(
    usmca: bool | None, us_content: float | None, first: date, profile: VehicleProfile, context: Context
) -> _RatedAs:
    origin, lines = profile.origin.country, profile.what.candidates
    if origin is None or not lines:
        return _RatedAs(None, () if lines else ("hts",), (), False)
    if origin == "US":
        return _RatedAs(_us_built(context, first), ("imported_parts_content", "maker_offset"), (), True)
    facts, missing, warnings = entry_facts(usmca, us_content, origin, context)
    return _RatedAs(schedule(lines, origin, facts, min(first, context.book.day), context), missing, warnings, False)


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
    dear = row.parts_share_high * row.parts_rate_percent_high
    segments = [
        Segment(date(min(first.year, context.book.day.year, row.first.year), 1, 1), {}, {}, {}),
        Segment(
            row.first,
            {row.parts_measure: scaled(row.parts_share_low * row.parts_rate_percent_low)},
            {row.parts_measure: scaled(central), row.offset_measure: -scaled(min(row.offset_percent, central))},
            {row.parts_measure: scaled(dear)},
        ),
    ]
    return Schedule(segments, of_value=False)


def _tariff_json(duty: VehicleTariff) -> str:
    value = "null" if duty.value is None else '["{}","{}","{}"]'.format(*map(usd, duty.value))
    landed, replacement = duty.landed, duty.replacement
    if landed and replacement and landed[3] and landed[0] is replacement[0] and landed[3] == replacement[3]:
        rates = landed[0]
        amounts = rates.amounts(landed[3])
        views = (
            f'"landed":{rates.fill(amounts, landed[1], landed[2])},'
            f'"replacement":{rates.fill(amounts, replacement[1], replacement[2])}'
        )
    else:
        views = f'"landed":{_view_json(landed)},"replacement":{_view_json(replacement)}'
    return f',"tariff":{{"customs_value_usd":{value},"importer_duty":{{{views}}}}}'


def _view_json(view: tuple[ViewRates, date, date, Cents | None] | None) -> str:
    return "null" if view is None else view[0].encode(view[3], view[1], view[2])


def _tail(record: Vehicle, profile: VehicleProfile, duty: VehicleTariff, context: Context) -> bytes:
    if profile.origin.country is None:
        return _encode_tail(record, profile, duty, context)
    key = (duty.missing_facts, duty.warnings)
    found = profile.tails.get(key)
    if found is None:
        found = profile.tails.keep(key, _encode_tail(record, profile, duty, context))
    return found


def _encode_tail(record: Vehicle, profile: VehicleProfile, duty: VehicleTariff, context: Context) -> bytes:
    flags = []
    if profile.origin.country is None and profile.what.estimated:
        flags.append(origin_unknown(context.reference.materials.thresholds["origin_unknown"], record.updated_at))
    members = {
        "flags": flags,
        "missing_facts": tuple(dict.fromkeys((*profile.missing_facts, *duty.missing_facts))),
        "warnings": (*profile.warnings, *duty.warnings),
        "confidence": profile.confidence,
        "customer_facing_ok": False,
        "book": str(context.book.number),
    }
    return b"," + orjson.dumps(members)[1:-1]
