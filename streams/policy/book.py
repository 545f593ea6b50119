"""The policy book: every measure and rule as of one day, under an ordered number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import NamedTuple

from streams.policy.view import View, spans_of
from streams.reference.trade import TradeReference
from streams.reference.trade_checks import check_measures
from streams.reference.trade_records import MeasureRecord, Status

_ONE_DAY = timedelta(days=1)
_MAX_VIEWS = 128


class BookNumber(NamedTuple):
    """Ordered number of a book: reference revision, epoch and last offset of `trade.policy`, regime date."""

    revision: int
    epoch: int
    offset: int
    regime: date

    def __str__(self) -> str:
        return f"{self.revision}.{self.epoch}.{self.offset}.{self.regime.isoformat()}"

    @classmethod
    def parse(cls, text: str) -> BookNumber:
        """The number written by `str()`.

        Raises:
            ValueError: the text is not a book number.
        """
        parts = text.split(".")
        if len(parts) != 4:
            raise ValueError(f"not a book number: {text!r}; expected REVISION.EPOCH.OFFSET.REGIME-DATE")
        return cls(int(parts[0]), int(parts[1]), int(parts[2]), date.fromisoformat(parts[3]))


@dataclass(slots=True, eq=False)
class Book:
    """All measures, past and announced, read on `day` (US Eastern) as known at `known_at` (None: all we know)."""

    number: BookNumber
    day: date
    known_at: date | None
    trade: TradeReference
    measures: tuple[MeasureRecord, ...]
    versions: tuple[MeasureRecord, ...] = field(repr=False)
    boundaries: tuple[date, ...] = field(repr=False)
    recorded: tuple[date, ...] = field(repr=False)
    _views: dict[date | None, View] = field(default_factory=dict, repr=False)
    _latest: View | None = field(default=None, repr=False)
    _supposed: dict[str, Book] = field(default_factory=dict, repr=False)

    def supposing(self, measure_id: str) -> Book:
        """This book with one measure that is not law taken as in force: the view of threats, on the book's day only.

        It holds what stands on that day, as far as this book knows, and nothing else, since a book of all days takes a
        tenth of a second to make.
        """
        found = self._supposed.get(measure_id)
        if found is None:
            standing = []
            for record in known_measures(self.versions, self.known_at):
                if record.id == measure_id:
                    standing.append(_in_force_from(record, self.day))
                elif any(
                    span.first <= self.day <= span.last for span in spans_of(record, self.known_at, self.trade.last_day)
                ):
                    standing.append(record)
            measures = tuple(standing)
            found = self._supposed[measure_id] = replace(
                self, known_at=None, versions=measures, measures=measures, recorded=(), _views={},
                _latest=View(self.trade, measures, self.known_at), _supposed={},
            )  # fmt: skip
        return found

    def view(self, known_at: date | None = None) -> View:
        """The measures as they were known at the end of a day; days between two publications share one view."""
        wanted = known_at if known_at is not None else self.known_at
        if wanted is None and self._latest is not None:
            return self._latest
        key: date | None = None
        if wanted is not None and self.recorded and wanted < self.recorded[-1]:
            position = bisect_right(self.recorded, wanted)
            key = self.recorded[position - 1] if position else date.min
        view = self._views.get(key)
        if view is None:
            if len(self._views) >= _MAX_VIEWS:
                self._views.clear()
            view = self._views[key] = View(self.trade, known_measures(self.versions, key), key)
        if wanted is None:
            self._latest = view
        return view


def _in_force_from(record: MeasureRecord, day: date) -> MeasureRecord:
    changed: dict[str, object] = {"status": Status.IN_FORCE, "effective_from": day, "effective_to": None,
                                  "recorded_at": None, "withdrawn_at": None}  # fmt: skip
    if record.steps:
        first = record.steps[0]
        changed |= {"steps": (), "rate": first.rate, "heading": first.heading or record.heading}
    return record.model_copy(update=changed)


def known_measures(versions: Iterable[MeasureRecord], known_at: date | None) -> tuple[MeasureRecord, ...]:
    """The latest version of each measure that had been published by `known_at`, in order of first appearance."""
    latest: dict[str, MeasureRecord] = {}
    for record in versions:
        if known_at is None or recorded(record) <= known_at:
            latest[record.id] = record
    return tuple(latest.values())


def recorded(record: MeasureRecord) -> date:
    """When the measure was published; else its announcement or first day (confidence L)."""
    return record.recorded_at or record.announced_at or record.effective_from or date.min


def build_book(
    trade: TradeReference,
    day: date,
    overrides: Iterable[MeasureRecord] = (),
    *,
    epoch: int = 0,
    offset: int = -1,
    known_at: date | None = None,
) -> Book:
    """The book of a day: the reference files, overridden by id by `overrides` in the order they were published.

    Raises:
        ReferenceError: an override refers to what does not exist, or charges a heading twice.
    """
    extra = tuple(overrides)
    versions = (*trade.measures, *extra)
    measures = known_measures(versions, None)
    if extra:
        check_measures(measures, trade.lists, trade.facts, {row.alpha2 for row in trade.countries}, {})
    boundaries = _boundaries(trade, versions)
    published = sorted(_recorded_dates(trade, versions))
    passed = sorted({*boundaries, *published}) if known_at is not None else list(boundaries)
    position = bisect_right(passed, day)
    regime = passed[position - 1] if position else trade.first_day
    return Book(
        number=BookNumber(trade.revision, epoch, offset, regime),
        day=day,
        known_at=known_at,
        trade=trade,
        measures=measures,
        versions=versions,
        boundaries=tuple(boundaries),
        recorded=tuple(published),
    )


def _boundaries(trade: TradeReference, measures: Iterable[MeasureRecord]) -> list[date]:
    days: set[date] = set()
    for record in measures:
        if record.effective_from:
            days.add(record.effective_from)
        if record.effective_to:
            days.add(record.effective_to + _ONE_DAY)
        days.update(step.from_ for step in record.steps)
        if record.suspended_from:
            days.add(record.suspended_from)
        for last in (record.suspended_until, record.reported_extension_until):
            if last:
                days.add(last + _ONE_DAY)
        for only in (record.announced_at, record.withdrawn_at):
            if only:
                days.add(only)
    periods = [
        *((rule.effective_from, rule.effective_to) for rule in trade.stacking),
        *((period.effective_from, period.effective_to) for period in trade.licences),
    ]
    for first, last in periods:
        if first:
            days.add(first)
        if last:
            days.add(last + _ONE_DAY)
    return sorted(days)


def _recorded_dates(trade: TradeReference, measures: Iterable[MeasureRecord]) -> set[date]:
    days: set[date] = set()
    for record in measures:
        days.add(recorded(record))
        days.update(step.recorded_at or step.from_ for step in record.steps)
        for only in (record.end_recorded_at, record.withdrawn_at):
            if only:
                days.add(only)
    days.update(rule.recorded_at for rule in trade.stacking if rule.recorded_at)
    return days
