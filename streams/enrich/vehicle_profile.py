"""What follows from a VIN's pattern: decode, origin, line, bill and exposure, kept and already encoded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import orjson

from schemas.fields import Confidence
from streams.enrich.bill import vehicle_bill
from streams.enrich.classify import VehicleClass, VehicleIdentity, classify_vehicle
from streams.enrich.context import Context, Memo
from streams.enrich.exposure import Exposure, exposure, weakest
from streams.enrich.origin import VehicleOrigin, vehicle_origin
from streams.enrich.vehicle_flags import SaleRules, sale_rules
from streams.enrich.vin import VinFacts, check_digit, decode_vin

if TYPE_CHECKING:
    from streams.enrich.vehicle_duty import RatedAs

_KEPT_READINGS: Final = 64
"""Most readings of one profile kept: stated USMCA shares are any number."""
_NO_EXPOSURE: Final = b',"exposure":null'


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
    sale: SaleRules
    rated: Memo[object, RatedAs] = field(default_factory=lambda: Memo(_KEPT_READINGS))
    tails: Memo[object, bytes] = field(default_factory=lambda: Memo(_KEPT_READINGS))
    cells: Memo[object, bytes] = field(default_factory=lambda: Memo(_KEPT_READINGS))


def vehicle_profile(vin: str, stated: str | None, context: Context) -> VehicleProfile:
    """Decode, origin, line, bill and exposure of a VIN. Memoised by its pattern."""
    return profile_of(decode_vin(vin, context), stated, context)


def profile_of(facts: VinFacts, stated: str | None, context: Context) -> VehicleProfile:
    """The profile of every VIN that decodes so."""
    memo = context.memo("vehicle_profiles")
    key = (facts.pattern, stated)
    found = memo.get(key)
    if found is None:
        found = memo.keep(key, _profile(facts, stated, context))
    assert isinstance(found, VehicleProfile)
    return found


def _profile(facts: VinFacts, stated: str | None, context: Context) -> VehicleProfile:
    known = _known(facts, stated, context)
    origin, what = known.origin, known.what
    exposed: Exposure | None = None
    exposure_json = _NO_EXPOSURE
    if what.estimated:
        exposed, exposure_json = exposure_of(known.nameless, origin.country, context)
    missing = dict.fromkeys((*known.missing_facts, *(exposed.missing_facts if exposed else ())))
    return VehicleProfile(
        facts=facts,
        origin=origin,
        what=what,
        exposure=exposed,
        confidence=weakest((origin.confidence, what.confidence, exposed.confidence if exposed else "L")),
        missing_facts=tuple(missing),
        warnings=known.warnings,
        notes=known.notes,
        encoded=known.encoded,
        exposure_json=exposure_json,
        sale=sale_rules(what, facts.model_year, origin.country, context),
    )


class _Known(NamedTuple):
    """What of a profile is the same under every book. `nameless`: the drive, of whatever make and model."""

    origin: VehicleOrigin
    what: VehicleClass
    nameless: VehicleIdentity
    missing_facts: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    encoded: bytes


def _known(facts: VinFacts, stated: str | None, context: Context) -> _Known:
    memo = context.lasting("vehicles_known")
    key = (facts.pattern, stated)
    found = memo.get(key)
    if found is None:
        found = memo.keep(key, _find_out(facts, stated, context))
    assert isinstance(found, _Known)
    return found


def _find_out(facts: VinFacts, stated: str | None, context: Context) -> _Known:
    origin = vehicle_origin(facts, stated, context.reference.vehicles)
    what = _class(facts, context)
    warnings = [*origin.warnings, *what.warnings]
    if not facts.check_digit_valid:
        warnings.append(f"check_digit: position 9 should be {check_digit(facts.pattern)}")
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
    return _Known(
        origin=origin,
        what=what,
        nameless=replace(identity, make=None, model=None, model_year=None),
        missing_facts=(*origin.missing_facts, *what.missing_facts),
        warnings=tuple(warnings),
        notes=tuple(dict.fromkeys(notes)),
        encoded=orjson.dumps(members)[1:-1],
    )


def _class(facts: VinFacts, context: Context) -> VehicleClass:
    """Line and drive of all vehicles of one pattern, whatever the book, without the reasons, which nobody streams."""
    memo = context.lasting("vehicle_classes")
    found = memo.get(facts.pattern)
    if found is None:
        found = memo.keep(facts.pattern, replace(classify_vehicle(facts, context.reference.vehicles), why=()))
    assert isinstance(found, VehicleClass)
    return found


def exposure_of(identity: VehicleIdentity, origin: str | None, context: Context) -> tuple[Exposure, bytes]:
    """The exposure of all vehicles of one drive and origin, and its JSON member; a bill depends on no name."""
    memo = context.memo("vehicle_exposures")
    key = (identity, origin)
    found = memo.get(key)
    if found is None:
        materials = context.reference.materials
        exposed = exposure(vehicle_bill(identity, materials), origin, context.book, materials)
        found = memo.keep(key, (exposed, b',"exposure":' + orjson.dumps(exposed.block)))
    return cast("tuple[Exposure, bytes]", found)
