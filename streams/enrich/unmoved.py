"""Vehicles that a new book leaves as they are, told by what they share with others, without rating each one.

A vehicle's enrichment reads the book through its profile (exposure, what forbids its sale), its schedule (duty by date
and what threatens it), the share of a change that reached the invoice, and the day in force. Where all of these say the
same under both books, so does the record. The test holds this against rating, for every measure of the book.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from typing import Final

from pydantic import ValidationError

from schemas.vehicle import Vehicle
from streams.enrich.context import Context
from streams.enrich.invoice import PassThrough, retroactive
from streams.enrich.tariff import Schedule, Segment
from streams.enrich.vehicle_duty import OF_AGE, RatedAs, rated_as, value_shares
from streams.enrich.vehicle_profile import VehicleProfile, vehicle_profile
from streams.enrich.vin import decode_vin

_READINGS: Final = (b'"country_of_assembly"', b'"usmca"', b'"us_content_share"', b"\\u")
"""What may choose another reading than that of most records: facts stated; a field whose name may be escaped."""
_VIN_LENGTH: Final = 17
_PROTECTED: Final = b'"price_protected_until"'
_Reading = tuple[str | None, bool | None]
"""Country of assembly, and whether USMCA was claimed, as a record states them."""
_NOT_STATED: Final[_Reading] = (None, None)


class UnmovedVehicles:
    """Asked for one vehicle after the other that is known to be right under the book of `before`."""

    def __init__(self, before: Context, after: Context) -> None:
        """Both contexts rest on the same reference data."""
        self._before = before
        self._after = after
        same_day = before.book.number.regime == after.book.number.regime
        self._same_day = same_day
        self._own = _READINGS if same_day else (*_READINGS, _PROTECTED)
        self._known = after.memo(f"unmoved since {before.book.number}")
        self._alike = after.memo(f"alike since {before.book.number}")

    def __call__(self, key: bytes, canonical: bytes) -> bool:
        """Whether the record comes out the same under the new book; False also where only rating it can tell."""
        if len(key) < _VIN_LENGTH or not key.isascii():
            return False  # somebody else wrote it into the topic
        reading = _NOT_STATED
        for name in self._own:
            if name in canonical:
                stated = self._stated(canonical)
                if stated is None:
                    return False
                reading = stated
                break
        vin = key[-_VIN_LENGTH:].decode()
        asked = (decode_vin(vin, self._after).pattern, reading)
        found = self._known.get(asked)
        if found is None:
            found = self._known.keep(asked, self._is_unmoved(vin, *reading))
        return found is True

    def _stated(self, canonical: bytes) -> _Reading | None:
        """What a record states; None where it has to be rated: with facts of its own, and where it can't be read."""
        try:
            record = Vehicle.model_validate_json(canonical)
        except ValidationError:
            return None
        if record.us_content_share is not None or not (self._same_day or record.price_protected_until is None):
            return None
        return (record.country_of_assembly, record.usmca)

    def _is_unmoved(self, vin: str, country: str | None, usmca: bool | None) -> bool:
        old, new = (vehicle_profile(vin, country, context) for context in (self._before, self._after))
        if _says(old) != _says(new):
            return False
        if not new.what.estimated:
            return True
        year = new.facts.model_year
        if year is not None and self._after.book.day.year >= year + OF_AGE:
            return False  # its entry may be that of a vehicle of 25 years, which is another reading
        then, now = self._rated(usmca, old, self._before), self._rated(usmca, new, self._after)
        if (then.missing_facts, then.warnings, then.us_built) != (now.missing_facts, now.warnings, now.us_built):
            return False
        if then.schedule is None or now.schedule is None:
            return then.schedule is now.schedule
        shared = (then.schedule, now.schedule, new.what.identity.make, new.origin.country)
        found = self._alike.get(shared)
        if found is None:
            found = self._alike.keep(shared, self._rates_alike(*shared))
        return found is True

    def _rates_alike(self, then: Schedule, now: Schedule, make: str | None, origin: str | None) -> bool:
        first, second = self._before.book.day, self._after.book.day
        return (
            _schedule(then, first, self._before.book.number.regime)
            == _schedule(now, second, self._after.book.number.regime)
            and value_shares(origin, first, self._before) == value_shares(origin, second, self._after)
            and self._passed_on_alike(now.segments, make, origin)
        )

    @staticmethod
    def _rated(usmca: bool | None, profile: VehicleProfile, context: Context) -> RatedAs:
        """Over all days of the book, whatever the entry date of a record."""
        return rated_as(usmca, None, context.book.trade.first_day, profile, context)

    def _passed_on_alike(self, segments: Sequence[Segment], make: str | None, origin: str | None) -> bool:
        """Whether each change of duty has reached the invoice as far on both books' days."""
        then, now = self._before.book.number.regime, self._after.book.number.regime
        before, after = retroactive(self._before), retroactive(self._after)
        if any(before.get(one) != after.get(one) for one in {name for one in segments for name in _named(one)}):
            return False
        if then == now:
            return True
        through = PassThrough(self._after.reference.dealer, "vehicle", make, origin, None)
        return all(
            through.shares(segment.first, then, up=up) == through.shares(segment.first, now, up=up)
            for segment in segments
            if segment.first <= max(then, now)
            for up in (True, False)
        )


def _says(profile: VehicleProfile) -> tuple[object, ...]:
    return (
        profile.encoded, profile.exposure_json, profile.missing_facts, profile.warnings, profile.confidence,
        profile.sale.restrictions, profile.sale.prohibited,
    )  # fmt: skip


def _schedule(found: Schedule, day: date, regime: date) -> tuple[object, ...]:
    """All that is read of a schedule; columns in their order, which is that of the record's components."""
    starts = [segment.first for segment in found.segments]
    rates = [
        (segment.first, *(column and tuple(column.items()) for column in _columns(segment)), segment.missing_facts)
        for segment in found.segments
    ]
    return (rates, found.threats, bisect_right(starts, day), bisect_right(starts, regime))


def _columns(segment: Segment) -> tuple[dict[str, int] | None, ...]:
    return (segment.low, segment.central, segment.high)


def _named(segment: Segment) -> set[str]:
    return {name for column in _columns(segment) if column is not None for name in column}
