"""What of the book touches a sale or a supply on its day: sale restrictions and supply events, which are no duty."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from streams.policy.book import Book
from streams.reference.dealer import DealerReference, plain
from streams.reference.materials_records import FamilyKind
from streams.reference.trade_records import APPLIES, Kind, MeasureRecord


@dataclass(frozen=True, slots=True)
class SaleRestriction:
    """A sale restriction of the book, as read: for whom, from which model year, and whether that is certain."""

    measure: str
    makers: frozenset[str]
    origins: frozenset[str]
    model_years_from: int | None
    certain: bool
    missing_fact: str | None
    lifted_for: frozenset[str]

    def hits(self, make: str | None, model_year: int | None, origin: str | None) -> bool:
        """Whether it is for a vehicle of this make (in capitals), model year and origin."""
        if self.makers:
            if make not in self.makers:
                return False
        elif origin not in self.origins:
            return False
        if make in self.lifted_for:
            return False
        return self.model_years_from is None or (model_year is not None and model_year >= self.model_years_from)


def sale_restrictions(book: Book, dealer: DealerReference) -> tuple[SaleRestriction, ...]:
    """The sale restrictions that stand on the book's day; those named for their makers first."""
    standing = {record.id: record for record in book.measures if stands(record, book.day)}
    found = []
    for record in standing.values():
        if record.kind is not Kind.SALE_RESTRICTION:
            continue
        reading = dealer.restrictions.get(record.id)
        lifted = [standing[one] for one in (reading.lifted_by if reading else ()) if one in standing]
        found.append(
            SaleRestriction(
                measure=record.id,
                makers=frozenset(plain(maker) for maker in record.makers),
                origins=countries(record.origins, book),
                model_years_from=record.model_years_from,
                certain=reading.certain if reading is not None else bool(record.makers),
                missing_fact=reading.missing_fact if reading is not None else None,
                lifted_for=frozenset(plain(maker) for notice in lifted for maker in notice.makers),
            )
        )
    return tuple(sorted(found, key=lambda one: not one.makers))


def supply_events(book: Book) -> tuple[MeasureRecord, ...]:
    """The supply events that stand on the book's day. They are no duty, and no duty is one of them."""
    return tuple(record for record in book.measures if record.kind is Kind.SUPPLY_EVENT and stands(record, book.day))


def supply_event(
    events: Iterable[MeasureRecord], kind: FamilyKind, family: str, origin: str | None, book: Book
) -> str | None:
    """The first event that touches parts of this family and origin; an event of some origins never an unknown one."""
    for event in events:
        named = event.part_families
        if (kind in named or family in named) and (
            "*" in event.origins or (origin is not None and origin in countries(event.origins, book))
        ):
            return event.id
    return None


def countries(origins: Collection[str], book: Book) -> frozenset[str]:
    """The origins of a measure with the EU spelt out."""
    return frozenset(origins) | (frozenset(book.trade.eu) if "EU" in origins else frozenset())


def stands(record: MeasureRecord, day: date) -> bool:
    """Whether a measure is law, or an event goes on, on a day: by its dates, whatever became of it later."""
    return (
        record.status in APPLIES
        and record.effective_from is not None
        and record.effective_from <= day
        and (record.effective_to is None or day <= record.effective_to)
        and (record.withdrawn_at is None or day < record.withdrawn_at)
    )
