"""The flags of a group: what is true of a whole model, part family, origin or lot, and so is never said by VIN."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

from streams.enrich.context import Context
from streams.enrich.contribution import GRAMS
from streams.enrich.exposure import Controls, book_controls
from streams.enrich.flags import MOST_CENTS, Candidate, candidate, whole_dollars
from streams.enrich.group_totals import GroupTotal
from streams.policy.book import recorded
from streams.policy.controls import IN_FORCE, REVIEW_REQUIRED, LicenceStanding, content_rule, controlled
from streams.policy.history import legal_status
from streams.reference.thresholds import Threshold
from streams.reference.trade_records import APPLIES, Kind, MeasureRecord, Status

_OF_PARTS: Final = "part/"
_NAMED: Final = 4
"""Measures or elements named in a flag's reason."""


class Standing(NamedTuple):
    """What a book says that concerns groups.

    `elements`: each controlled element with the measure that controls it, those in force first; `in_force` only these.
    `coming`: export controls that are published and begin on a later day, the next one first.
    """

    controls: Controls
    elements: Mapping[str, str]
    in_force: Mapping[str, str]
    content_measure: str | None
    to_review: tuple[str, ...]
    coming: tuple[MeasureRecord, ...]
    measures: Mapping[str, MeasureRecord]

    def present(self, elements: Collection[str]) -> tuple[str, ...]:
        """Those of the elements that a measure in force controls."""
        return tuple(element for element in elements if element in self.in_force)

    def licence(self, elements: Collection[str]) -> LicenceStanding | None:
        """How licences stand for goods with these elements; None where none of them is controlled."""
        present = self.present(elements)
        return self.controls.licence(frozenset(present)) if present else None


def standing(context: Context) -> Standing:
    """What the context's book says of controls, the content rule and measures. Memoised."""
    memo = context.memo("group_standing")
    found = memo.get("all")
    if found is None:
        found = memo.keep("all", _standing(context))
    assert isinstance(found, Standing)
    return found


def _standing(context: Context) -> Standing:
    book = context.book
    controls = book_controls(book)
    in_force = _by_element(controls.elements)
    reviewed = _by_element(controls.under_review)
    rule, status = content_rule(book)
    return Standing(
        controls,
        reviewed | in_force,
        in_force,
        rule.measure if status == IN_FORCE else None,
        tuple(one.measure_id for one in controlled(book) if one.status == REVIEW_REQUIRED),
        tuple(sorted((one for one in book.measures if _is_coming(one, book.day)), key=_begins)),
        {record.id: record for record in book.measures},
    )


def _is_coming(record: MeasureRecord, day: date) -> bool:
    """Whether a control is published on a day, begins after it, and is neither suspended nor withdrawn by then."""
    return (
        record.kind is Kind.EXPORT_CONTROL
        and (record.status in APPLIES or record.status is Status.SUSPENDED)
        and recorded(record) <= day < _begins(record)
        and (record.suspended_from is None or record.suspended_from > day)
        and (record.withdrawn_at is None or record.withdrawn_at > day)
    )


def _begins(record: MeasureRecord) -> date:
    return record.effective_from or date.min


def _by_element(measures: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The first measure in the data that names each element."""
    found: dict[str, str] = {}
    for measure, elements in measures.items():
        for element in elements:
            found.setdefault(element, measure)
    return found


def group_flags(kind: str, name: str, total: GroupTotal, context: Context) -> tuple[Candidate, ...]:
    """The flags that a group calls for, at most one a type."""
    rules = context.reference.materials.thresholds
    stands = standing(context)
    found: list[Candidate | None] = []
    if kind in ("model", "family"):
        found.append(_content_verdict(rules["content_verdict"], total, stands))
        found.append(_licence_exposure(rules["licence_exposure"], total, stands))
    if kind == "origin" and name.startswith(_OF_PARTS):
        found.append(_source_cost_up(rules["source_cost_up"], name.removeprefix(_OF_PARTS), total))
    if kind == "book":
        found.append(_concentration(rules["concentration"], total, stands))
        found.append(_threatened(rules["threatened"], total, stands, context))
        found.append(_control_coming(rules["control_coming"], total, stands))
        found.append(_review_required(rules["review_required"], stands))
    return tuple(flag for flag in found if flag is not None)


def _content_verdict(rule: Threshold, total: GroupTotal, stands: Standing) -> Candidate | None:
    if stands.content_measure is None:
        return None
    records = total.counts["records"]
    if caught := total.verdicts.get("at_or_above", 0):
        why = f"{caught} of {records} at or above 0.1% controlled Chinese content ({stands.content_measure})"
        flag = candidate(rule, why, rule.confidence)
    elif unsettled := total.verdicts.get("indeterminate", 0):
        why = f"{unsettled} of {records}: 0.1% of Chinese content not settled ({stands.content_measure})"
        flag = _milder(rule, why)._replace(top_missing_fact="magnet_origin")
    else:
        return None
    return flag._replace(measure=stands.content_measure, cents_at_stake=_value(total))


def _licence_exposure(rule: Threshold, total: GroupTotal, stands: Standing) -> Candidate | None:
    assert rule.at_least_grams is not None
    grams = {element: total.grams(element) for element in stands.present(total.tables["grams_e4"])}
    exposed = [element for element, mass in grams.items() if mass * 100 >= rule.at_least_grams * rule.keep_percent]
    if not exposed:
        return None
    licences = stands.licence(exposed)
    status = licences.status if licences is not None else "unknown"
    measure = stands.in_force[exposed[0]]
    why = f"{_some(exposed)} under {measure} ({status}{_weeks(licences)}); supply exposed at magnet level"
    flows = status in (rule.licences_that_flow or ())
    flag = _milder(rule, why) if flows else candidate(rule, why, rule.confidence)
    raises = any(grams[element] >= rule.at_least_grams for element in exposed)
    return flag._replace(measure=measure, cents_at_stake=_value(total), raises=raises)


def _source_cost_up(rule: Threshold, origin: str, total: GroupTotal) -> Candidate | None:
    low, central, high = total.ranges["change_cents"]
    value = total.counts["value_cents"]
    need = max(value * rule.at_least_ten_thousandths // 10_000, rule.at_least_cents)
    if central <= 0 or value <= 0 or central * 100 < need * rule.keep_percent:
        return None
    share = central / value * 100
    why = f"Next cost of parts from {origin} about {whole_dollars(central)} higher, {share:.1f}% of their value on hand"
    unknown = total.counts["change_unknown"]
    return candidate(rule, why, "L")._replace(
        cents_at_stake=min(central, MOST_CENTS),
        raises=central >= need,
        top_missing_fact="cost_as_of" if unknown else "maker_price_bulletin",
        would_change_cents=None if unknown else min(max(high - central, central - low), MOST_CENTS),
    )


def _concentration(rule: Threshold, total: GroupTotal, stands: Standing) -> Candidate | None:
    assert rule.at_least_grams is not None
    assert rule.at_least_share_percent is not None
    shares = [
        (share, element, group, value)
        for element in stands.elements
        if total.grams(element) >= rule.at_least_grams
        for share, group, value in _shares(total, element)
        if group not in (rule.leave_out or ())
        if share * 100 >= rule.at_least_share_percent * rule.keep_percent
    ]
    if not shares:
        return None
    share, element, group, value = max(shares, key=lambda one: (one[0], one[1], one[2]))
    measure = stands.elements[element]
    why = f"{share:.0f}% of the lot's {element} is in {group} ({measure})"
    return candidate(rule, why, rule.confidence)._replace(
        measure=measure, cents_at_stake=min(value, MOST_CENTS), raises=share >= rule.at_least_share_percent
    )


def _shares(total: GroupTotal, element: str) -> Iterator[tuple[float, str, int]]:
    """Percent of the lot's central grams of an element by origin and by model or family, with the value of each."""
    whole = total.grams(element) * GRAMS
    for shares in total.shares.values():
        for group, (value, grams) in shares.items():
            if element in grams:
                yield (grams[element] / whole * 100, group, value)


def _threatened(rule: Threshold, total: GroupTotal, stands: Standing, context: Context) -> Candidate | None:
    """What is announced is one line, a signed instrument with a date a warning; neither where it is next to nothing."""
    rows = total.tables["threatened"]
    day = context.book.day
    signed: dict[str, int] = {}
    coming: dict[str, int] = {}
    for one, (_, _, central, high, unsettled) in sorted(rows.items()):
        status = legal_status(stands.measures[one], day) if one in stands.measures else None
        if status not in ("announced", "signed"):
            continue
        amount = central if status == "signed" and not unsettled else high
        if abs(amount) * 100 >= rule.at_least_cents * rule.keep_percent:
            coming[one] = amount
            if status == "signed":
                signed[one] = amount
    if not coming:
        return None
    measure = max(signed or coming, key=lambda one: rows[one][3])
    records, amount = rows[measure][0], coming[measure]
    if signed:
        first = stands.measures[measure].effective_from
        why = f"{measure} is signed, from {first}: about {whole_dollars(amount)} on {records} records"
        flag = candidate(rule, why, rule.confidence)._replace(act_by=first)
    else:
        why = f"{len(coming)} announced, not law; {measure} may add up to {whole_dollars(amount)} on {records} records"
        flag = _milder(rule, why)
    raises = abs(amount) >= rule.at_least_cents
    return flag._replace(measure=measure, cents_at_stake=min(amount, MOST_CENTS), raises=raises)


def _control_coming(rule: Threshold, total: GroupTotal, stands: Standing) -> Candidate | None:
    """Controls on what the lot holds that are published with their day: time to order before it."""
    reached = [one for one in stands.coming if any(total.grams(element) for element in one.elements)]
    if not reached:
        return None
    first = _begins(reached[0])
    elements = [element for one in reached for element in one.elements if total.grams(element)]
    held = list(dict.fromkeys(elements))
    grams = sum(total.grams(element) for element in held)
    why = f"{_some([one.id for one in reached])} from {first}: the lot holds {grams:,.0f} g of {_some(held)}"
    return candidate(rule, why, rule.confidence)._replace(measure=reached[0].id, act_by=first)


def _review_required(rule: Threshold, stands: Standing) -> Candidate | None:
    if not stands.to_review:
        return None
    number = len(stands.to_review)
    why = (
        f"Confirm the status of {number} control{'s' if number > 1 else ''}, suspension over: {_some(stands.to_review)}"
    )
    return candidate(rule, why, rule.confidence)._replace(
        measure=stands.to_review[0], top_missing_fact="operator_confirmed_status"
    )


def _milder(rule: Threshold, why: str) -> Candidate:
    return candidate(rule, why, rule.confidence)._replace(severity=rule.severity_without_measure or rule.severity)


def _value(total: GroupTotal) -> int:
    return min(total.counts["value_cents"], MOST_CENTS)


def _weeks(licences: LicenceStanding | None) -> str:
    if licences is None or licences.lead_weeks is None:
        return ""
    return f", {licences.lead_weeks[0]:g}-{licences.lead_weeks[2]:g} weeks"


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} ..."
