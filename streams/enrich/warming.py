"""What records will ask a new book for first, made from what the last one remembers, before the book is in force.

Else the first records under it pay for it, hundreds of milliseconds of them at once, and the lot stands still. Only
what takes milliseconds is made here, schedules and exposures; what a VIN pattern makes of them is tenths of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, cast

from streams.enrich.tariff import Schedule, schedule
from streams.enrich.vehicle_profile import exposure_of

if TYPE_CHECKING:
    from streams.enrich.classify import VehicleIdentity
    from streams.enrich.context import Context
    from streams.policy.facts import Facts


MOST: Final = 1_000
"""Made of each kind: a second or two. A fact that every record says differently (`us_content_share`) fills the memory,
and the book would come late for the sake of what few records ask for."""


def warm(before: Context, after: Context) -> Iterator[None]:
    """Make it a step at a time, each some milliseconds.

    It may be left at any step; what it has not made is made when it is asked for.
    """
    for key, known in list(islice(before.memo("schedules").items(), MOST)):
        assert isinstance(known, Schedule)
        lines, origin, facts = cast("tuple[tuple[str, ...], str, tuple[Facts, ...]]", key)
        schedule(lines, origin, facts, known.first, after)
        yield
    for key in list(islice(before.memo("vehicle_exposures"), MOST)):
        identity, country = cast("tuple[VehicleIdentity, str | None]", key)
        exposure_of(identity, country, after)
        yield
