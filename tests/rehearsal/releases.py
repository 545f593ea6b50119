"""Releases of lotrisk that never were: the next one has other data and a further member, and one goes back to this one.

A rollback ships the old data under a higher revision: a book only rises.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from streams.enrich.context import Context
from streams.enrich.outcome import Enriched, Outcome
from streams.enrich.vehicle import enrich_vehicle
from streams.reference import Reference, load
from streams.reference.trade_records import MeasureRecord

NEXT_MEMBER = b',"rehearsed_release":"next"'


@dataclass(frozen=True)
class Release:
    """What a release brings; `schemas` is the contracts' version."""

    reference: Reference
    schemas: str
    further_member: bytes = b""

    def enrich(self, key: bytes | None, value: bytes | None, context: Context) -> Outcome:
        """The release's `enrich_vehicle`."""
        outcome = enrich_vehicle(key, value, context)
        return outcome._replace(body=outcome.body + self.further_member) if isinstance(outcome, Enriched) else outcome


def release(name: str) -> Release:
    """`this`, the `next` one with dearer measures, or the one that goes `back`."""
    reference = load()
    if name == "this":
        return Release(reference, "1.0")
    if name == "next":
        return Release(_revised(reference, 1, [_dearer(one) for one in reference.trade.measures]), "1.1", NEXT_MEMBER)
    if name == "back":
        return Release(_revised(reference, 2, reference.trade.measures), "1.0")
    raise ValueError(f"no release {name!r}; there are this, next and back")


def _revised(reference: Reference, more: int, measures: Iterable[MeasureRecord]) -> Reference:
    trade = replace(reference.trade, revision=reference.trade.revision + more, measures=tuple(measures))
    return replace(reference, trade=trade)


def _dearer(record: MeasureRecord) -> MeasureRecord:
    """A flat duty is a point dearer; others stay."""
    if record.rate is None or record.rate_type != "add":
        return record
    return record.model_copy(update={"rate": record.rate + Decimal(1)})
