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

from streams.enrich.context import Context
from streams.enrich.invoice import PassThrough, retroactive_days
from streams.enrich.tariff import Schedule, Segment
from streams.enrich.vehicle_duty import OF_AGE, RatedAs, rated_as, value_shares
from streams.enrich.vehicle_profile import VehicleProfile, vehicle_profile
from streams.enrich.vin import decode_vin

_READINGS: Final = (b'"country_of_assembly"', b'"usmca"', b'"us_content_share"', b"\\u")
"""What makes a record one of its own: facts that choose another reading; a field whose name may be escaped."""
_VIN_LENGTH: Final = 17
_PROTECTED: Final = b'"price_protected_until"'


class UnmovedVehicles:
    """Asked for one vehicle after the other that is known to be right under the book of `before`."""

    def __init__(self, before: Context, after: Context) -> None:
        """Both contexts rest on the same reference data."""
        self._before = before
        self._after = after
        same_day = before.book.number.regime == after.book.number.regime
        self._own = _READINGS if same_day else (*_READINGS, _PROTECTED)
        self._retroactive = tuple(retroactive_days(context.book) for context in (before, after))
        self._known = after.memo(f"unmoved since {before.book.number}")

    def __call__(self, key: bytes, canonical: bytes) -> bool:
        """Whether the record comes out the same under the new book; False also where only rating it can tell."""
        for name in self._own:
            if name in canonical:
                return False
        if len(key) < _VIN_LENGTH or not key.isascii():
            return False  # somebody else wrote it into the topic
        vin = key[-_VIN_LENGTH:].decode()
        pattern = decode_vin(vin, self._after).pattern
        found = self._known.get(pattern)
        if found is None:
            found = self._known.keep(pattern, self._is_unmoved(vin))
        return found is True

    def _is_unmoved(self, vin: str) -> bool:
        old, new = (vehicle_profile(vin, None, context) for context in (self._before, self._after))
        if _says(old) != _says(new):
            return False
        if not new.what.estimated:
            return True
        year = new.facts.model_year
        if year is not None and self._after.book.day.year >= year + OF_AGE:
            return False  # its entry may be that of a vehicle of 25 years, which is another reading
        then, now = self._rated(old, self._before), self._rated(new, self._after)
        if (then.missing_facts, then.warnings, then.us_built) != (now.missing_facts, now.warnings, now.us_built):
            return False
        if then.schedule is None or now.schedule is None:
            return then.schedule is now.schedule
        origin = new.origin.country
        first, second = self._before.book.day, self._after.book.day
        return (
            _schedule(then.schedule, first, self._before.book.number.regime)
            == _schedule(now.schedule, second, self._after.book.number.regime)
            and value_shares(origin, first, self._before) == value_shares(origin, second, self._after)
            and self._passed_on_alike(now.schedule.segments, new.what.identity.make, origin)
        )

    @staticmethod
    def _rated(profile: VehicleProfile, context: Context) -> RatedAs:
        """Over all days of the book, whatever the entry date of a record."""
        return rated_as(None, None, context.book.trade.first_day, profile, context)

    def _passed_on_alike(self, segments: Sequence[Segment], make: str | None, origin: str | None) -> bool:
        """Whether each change of duty has reached the invoice as far on both books' days."""
        then, now = self._before.book.number.regime, self._after.book.number.regime
        before, after = self._retroactive
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
