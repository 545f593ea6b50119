"""What records will ask a new book for first, made from what the last one remembers, before the book is in force.

Else the first records under it pay for it, hundreds of milliseconds of them at once, and the lot stands still.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from schemas.fields import Importer
from streams.enrich.invoice import invoice
from streams.enrich.tariff import Schedule, schedule
from streams.enrich.vehicle_duty import rated_as
from streams.enrich.vehicle_profile import VehicleProfile, profile_of

if TYPE_CHECKING:
    from streams.enrich.context import Context
    from streams.policy.facts import Facts


def warm(before: Context, after: Context) -> Iterator[None]:
    """Make it a step at a time: mostly some tenths of a millisecond, tens where a schedule is made.

    It may be left at any step; what it has not made is made when it is asked for.
    """
    for key, known in list(before.memo("schedules").items()):
        assert isinstance(known, Schedule)
        lines, origin, facts = cast("tuple[tuple[str, ...], str, tuple[Facts, ...]]", key)
        schedule(lines, origin, facts, known.first, after)
        yield
    for key, profile in list(before.memo("vehicle_profiles").items()):
        assert isinstance(profile, VehicleProfile)
        _, stated = cast("tuple[str, str | None]", key)
        _warm_vehicles(profile, profile_of(profile.facts, stated, after), after)
        yield


def _warm_vehicles(old: VehicleProfile, new: VehicleProfile, context: Context) -> None:
    """The schedules that records of one profile asked for, and what of their changes reaches the invoice."""
    for key, known in list(old.rated.items()):
        if known.schedule is None:
            continue
        usmca, us_content = cast("tuple[bool | None, float | None]", key)
        rated = rated_as(usmca, us_content, known.schedule.first, new, context)
        if rated.schedule is None:
            continue
        for by_dealer in known.invoices:
            importer = Importer.DEALER if by_dealer else None
            rated.invoices[by_dealer] = invoice(
                rated.schedule, "vehicle", new.what.identity.make, new.origin.country, importer, context
            )
