"""What a set of trade records must satisfy together; each complaint names the records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from streams.reference.loading import ReferenceError
from streams.reference.trade_records import APPLIES, FactRecord, Kind, MeasureRecord, StackingRule


def selects(selector: str, measure: MeasureRecord) -> bool:
    """Whether a selector of the stacking table (id, authority or `heading:PREFIX`) means this measure."""
    if selector.startswith("heading:"):
        return (measure.heading or "").startswith(selector.removeprefix("heading:"))
    return selector in (measure.id, measure.authority)


def check_stacking(rules: Sequence[StackingRule], measures: Sequence[MeasureRecord]) -> None:
    """Every selector means at least one measure.

    Raises:
        ReferenceError: a selector that means nothing.
    """
    for rule in rules:
        for selector in (*rule.when, *rule.off):
            if not any(selects(selector, measure) for measure in measures):
                raise ReferenceError(f"stacking.toml: {rule.id}: {selector!r} selects no measure")


def check_measures(
    measures: Sequence[MeasureRecord],
    lists: Mapping[str, tuple[str, ...]],
    facts: Sequence[FactRecord],
    countries: Collection[str],
    files: Mapping[str, str],
) -> None:
    """References resolve, and no heading is charged twice on the same goods.

    Raises:
        ReferenceError: names the records.
    """
    ids = {measure.id for measure in measures}
    authorities = {measure.authority for measure in measures}
    names = {fact.name for fact in facts}
    for measure in measures:
        where = f"{files.get(measure.id, 'override')}: [[measure]] {measure.id}"
        for entry in (*measure.scope, *measure.exclude):
            if entry.startswith("list:") and entry.removeprefix("list:") not in lists:
                raise ReferenceError(f"{where}: scope: no list {entry.removeprefix('list:')!r} in lists.csv")
        for origin in (*measure.origins, *measure.except_origins):
            if origin not in countries and origin not in ("*", "EU"):
                raise ReferenceError(f"{where}: origins: {origin!r} is not an ISO alpha-2 code, EU or *")
        for literal in measure.requires:
            name = literal.removeprefix("!").partition("=")[0]
            if name not in names:
                raise ReferenceError(f"{where}: requires: no fact {name!r} in facts.toml")
        for other in measure.replaces:
            if other not in ids:
                raise ReferenceError(f"{where}: replaces: no measure {other!r}")
        for other in measure.replaces_authorities:
            if other not in authorities:
                raise ReferenceError(f"{where}: replaces_authorities: no authority {other!r}")
    _check_double_headings(measures, files)


def _check_double_headings(measures: Sequence[MeasureRecord], files: Mapping[str, str]) -> None:
    by_heading: dict[str, list[MeasureRecord]] = {}
    for measure in measures:
        if measure.kind is Kind.DUTY and measure.heading and measure.status in APPLIES and measure.effective_from:
            by_heading.setdefault(measure.heading, []).append(measure)
    for heading, found in by_heading.items():
        for number, one in enumerate(found):
            for other in found[number + 1 :]:
                if _collide(one, other):
                    raise ReferenceError(
                        f"{files.get(other.id, 'override')}: [[measure]] {other.id}: heading {heading} is also charged "
                        f"by {one.id} on the same lines, origins and days"
                    )


def _collide(one: MeasureRecord, other: MeasureRecord) -> bool:
    if other.id in one.replaces or one.id in other.replaces or one.requires != other.requires:
        return False
    if not _dates_overlap(one, other) or not _origins_overlap(one, other):
        return False
    return any(_entries_overlap(a, b, one, other) for a in one.scope for b in other.scope)


def _entries_overlap(a: str, b: str, one: MeasureRecord, other: MeasureRecord) -> bool:
    if a in other.exclude or b in one.exclude:
        return False
    if "*" in (a, b) or a == b:
        return True
    if a.startswith("list:") or b.startswith("list:"):
        return False
    first, second = a.replace(".", ""), b.replace(".", "")
    return first.startswith(second) or second.startswith(first)


def _dates_overlap(one: MeasureRecord, other: MeasureRecord) -> bool:
    assert one.effective_from is not None
    assert other.effective_from is not None
    return (one.effective_to is None or one.effective_to >= other.effective_from) and (
        other.effective_to is None or other.effective_to >= one.effective_from
    )


def _origins_overlap(one: MeasureRecord, other: MeasureRecord) -> bool:
    if "*" in one.origins:
        return "*" in other.origins or any(origin not in one.except_origins for origin in other.origins)
    if "*" in other.origins:
        return any(origin not in other.except_origins for origin in one.origins)
    return not set(one.origins).isdisjoint(other.origins)
