"""A canonical vehicle record in, an enriched vehicle record out.

What a record costs: one parse, one look-up by VIN pattern, one by entry dates, and integer arithmetic on its price.
Everything that depends only on the VIN's pattern, the stock class, the dates' place between boundaries and the book is
kept, already encoded.
"""

from __future__ import annotations

import orjson

from schemas.enriched import OWNED_FIELDS_VEHICLE
from schemas.vehicle import Vehicle
from streams.enrich.context import Context
from streams.enrich.cost import change_json
from streams.enrich.flags import Candidate
from streams.enrich.outcome import Enriched, Outcome, Reason, Rejected
from streams.enrich.record import read_record, splice
from streams.enrich.vehicle_duty import VehicleTariff, priced, rate_vehicle
from streams.enrich.vehicle_flags import vehicle_flags
from streams.enrich.vehicle_profile import VehicleProfile, vehicle_profile
from streams.enrich.vehicle_totals import vehicle_contribution
from streams.enrich.vin import check_digit, is_north_american


def enrich_vehicle(key: bytes | None, value: bytes | None, context: Context) -> Outcome:
    """Enrich one record of `dms.vehicles`.

    A null value is a tombstone. A rejection says which field is wrong and how; a wrong check digit is one only where
    the WMI is North American, elsewhere a warning.
    """
    record = read_record(key, value, Vehicle, "vin")
    if not isinstance(record, Vehicle):
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
    dollars = priced(duty)
    flags = called_for(record, profile, duty, context)
    body, canonical_end = splice(
        value,
        record.__pydantic_extra__,
        OWNED_FIELDS_VEHICLE,
        profile.encoded,
        profile.exposure_json,
        dollars.json.encode(),
        b"" if duty.expected is None else change_json(duty.expected).encode(),
        _tail(profile, duty),
    )
    adds = vehicle_contribution(record, profile, duty, dollars)
    book, updated_at = context.book_text, record.updated_at
    return tuple.__new__(Enriched, (key, body, book, flags, profile.notes, canonical_end, updated_at, adds))


def called_for(
    record: Vehicle, profile: VehicleProfile, duty: VehicleTariff, context: Context
) -> tuple[Candidate, ...]:
    """The flags that the vehicle calls for."""
    if duty.expected is None:
        return ()
    return vehicle_flags(
        record,
        profile.origin.country,
        profile.what.identity.make,
        profile.facts.model_year,
        profile.sale,
        duty.expected,
        duty.missing_facts,
        context,
    )


def _tail(profile: VehicleProfile, duty: VehicleTariff) -> bytes:
    key = (duty.missing_facts, duty.warnings)
    found = profile.tails.get(key)
    if found is None:
        members = {
            "missing_facts": tuple(dict.fromkeys((*profile.missing_facts, *duty.missing_facts))),
            "warnings": (*profile.warnings, *duty.warnings),
            "confidence": profile.confidence,
            "customer_facing_ok": False,
        }
        found = profile.tails.keep(key, b"," + orjson.dumps(members)[1:-1])
    return found
