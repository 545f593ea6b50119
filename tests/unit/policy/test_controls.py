"""China's export controls as the book holds them: fact sheet 1, and never silently clear."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from streams.policy.book import Book, build_book
from streams.policy.controls import content_rule, content_verdict, controlled, entity_bans, licence
from streams.reference.trade import load_trade

TRADE = load_trade()
NO_18 = {"Sm", "Gd", "Tb", "Dy", "Lu", "Sc", "Y"}
NO_57 = {"Ho", "Er", "Tm", "Eu", "Yb"}


def book(day: str) -> Book:
    return build_book(TRADE, date.fromisoformat(day))


def status(day: str) -> dict[str, str]:
    return {control.measure_id: control.status for control in controlled(book(day))}


# Each control: the last day before and the first day of each standing.
STANDINGS = [
    ("CN-18", "2025-04-03", None),
    ("CN-18", "2025-04-04", "in_force"),
    ("CN-18", "2026-11-24", "in_force"),
    ("CN-57", "2025-10-08", None),
    ("CN-57", "2025-10-09", "announced"),
    ("CN-57", "2025-11-06", "announced"),
    ("CN-57", "2025-11-07", "suspended"),
    ("CN-57", "2025-11-08", "suspended"),
    ("CN-57", "2026-11-10", "suspended"),
    ("CN-57", "2026-11-11", "review_required"),
    ("CN-57", "2027-01-11", "review_required"),
    ("CN-55", "2026-11-10", "suspended"),
    ("CN-55", "2026-11-11", "review_required"),
    ("CN-56", "2026-11-11", "review_required"),
    ("CN-58", "2026-11-11", "review_required"),
    ("CN-61-1c", "2025-10-08", None),
    ("CN-61-1c", "2025-10-09", "in_force"),
    ("CN-61-1c", "2025-11-06", "in_force"),
    ("CN-61-1c", "2025-11-07", "suspended"),
    ("CN-61-1a", "2025-10-09", "announced"),
    ("CN-61-1a", "2025-12-01", "suspended"),
    ("CN-61-1a", "2026-11-11", "review_required"),
    ("CN-61-1b", "2026-11-11", "review_required"),
    ("CN-62", "2025-10-09", "in_force"),
    ("CN-62", "2025-11-07", "suspended"),
    ("CN-46-US", "2026-11-27", "suspended"),
    ("CN-46-US", "2026-11-28", "review_required"),
]


@pytest.mark.parametrize(("measure", "day", "standing"), STANDINGS)
def test_each_control_stands_as_the_fact_sheet_says(measure: str, day: str, standing: str | None) -> None:
    assert status(day).get(measure) == standing


def test_the_elements_are_those_of_the_announcements() -> None:
    found = {control.measure_id: control.elements for control in controlled(book("2026-10-01"))}
    assert found["CN-18"] == NO_18
    assert found["CN-57"] == NO_57
    assert found["CN-61-1a"] == NO_18
    assert {row.element for row in TRADE.control_codes} == NO_18 | NO_57


def test_a_lapsed_suspension_clears_only_by_an_operator_s_word() -> None:
    record = next(row for row in TRADE.measures if row.id == "CN-57")
    assert record.reported_extension_until == date(2027, 1, 10)
    confirmed = record.model_copy(update={"operator_confirmed_status": "suspended"})
    found = controlled(build_book(TRADE, date(2026, 11, 24), [confirmed]))
    assert {control.measure_id: control.status for control in found}["CN-57"] == "suspended"


@pytest.mark.parametrize(
    ("day", "elements", "standing", "central"),
    [
        ("2025-04-03", (), None, None),
        ("2025-05-01", (), "backlog", 9),
        ("2025-07-15", (), "single_licences", 6),
        ("2025-10-01", (), "backlog", 9),
        ("2025-11-15", (), "single_licences", 6),
        ("2025-12-01", (), "single_licences", 6),
        ("2025-12-02", (), "general_licences", 6),
        ("2026-11-30", (), "general_licences", 6),
        ("2026-12-01", (), "review_required", 9),
        ("2026-02-26", ("Y",), "general_licences", 6),
        ("2026-02-27", ("Y",), "little_moving", None),
        ("2026-02-27", ("Sc", "Dy"), "little_moving", None),
        ("2026-02-27", ("Dy",), "general_licences", 6),
    ],
)
def test_licences_stand_as_seen(
    day: str, elements: tuple[str, ...], standing: str | None, central: float | None
) -> None:
    found = licence(book(day), elements)
    assert (found.status if found else None) == standing
    assert (found.lead_weeks[1] if found and found.lead_weeks else None) == central


def test_the_statutory_45_working_days_are_nine_weeks() -> None:
    found = licence(book("2026-10-01"))
    assert found is not None
    assert found.lead_weeks is not None
    assert found.lead_weeks[2] == 45 / 5


def test_entity_lists_are_in_the_book_from_their_day() -> None:
    assert [ban.id for ban in entity_bans(book("2026-02-23"))] == []
    assert [ban.id for ban in entity_bans(book("2026-02-24"))] == ["CN-JP-2026-02"]
    assert len(entity_bans(book("2026-10-01"))) == 5


def test_the_content_rule_is_by_value_at_or_above_a_tenth_of_a_percent_on_magnets_and_targets() -> None:
    rule, standing = content_rule(book("2026-11-24"))
    assert (rule.basis, rule.operator, rule.threshold_percent) == ("value", "at_or_above", Decimal("0.1"))
    assert rule.finished_goods is False
    assert standing == "review_required"


D = Decimal
VERDICTS = [
    ((D(1), D(1)), (D(1000), D(1000)), "at_or_above"),
    ((D("0.99"), D("0.99")), (D(1000), D(1000)), "below"),
    ((D("0.5"), D(2)), (D(1000), D(1000)), "indeterminate"),
    ((D(1), D(1)), (D(500), D(2000)), "indeterminate"),
    ((D(0), D(0)), None, "below"),
    ((D(1), D(2)), None, "indeterminate"),
    (None, (D(1), D(2)), "indeterminate"),
    ((D(1), D(2)), (D(0), D(5)), "indeterminate"),
]


@pytest.mark.parametrize(("numerator", "denominator", "verdict"), VERDICTS)
def test_the_verdict_is_three_valued(
    numerator: tuple[Decimal, Decimal] | None, denominator: tuple[Decimal, Decimal] | None, verdict: str
) -> None:
    assert content_verdict(content_rule(book("2026-10-01"))[0], numerator, denominator) == verdict


def test_no_18_ends_at_the_magnet() -> None:
    inside = {row.group: row.inside for row in TRADE.control_scope}
    assert inside["bare NdFeB magnets with Tb or Dy"]
    assert not inside["motor rotors and stators with magnets, integrated motor assemblies"]
    assert len(inside) == 8
