"""The episode that the demo plays comes from the book, and shows nothing before it was known."""

from __future__ import annotations

import io
from collections import Counter
from datetime import date

import pytest
from rich.console import Console

from streams import reference
from streams.cli._demo_episode import BEGINS, ENDS, HEADLINES, Moment, moments
from streams.cli._demo_replay import Episode, block
from streams.transport.books import book_on

TRADE = reference.load().trade
PLAYED = {moment.day: moment for moment in moments(TRADE)}


def test_every_moment_is_a_boundary_of_the_book_on_which_something_happens() -> None:
    assert list(PLAYED) == sorted(HEADLINES)
    for day in PLAYED:
        assert PLAYED[day].measures
        assert BEGINS < day <= ENDS
        assert book_on(TRADE, day, as_known_then=True).number.regime == day


def test_the_books_of_the_moments_only_rise() -> None:
    numbers = [book_on(TRADE, day, as_known_then=True).number for day in sorted(PLAYED)]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("day", "what", "measures"),
    [
        (date(2025, 10, 9), "announced",
         {"CN-55", "CN-56", "CN-57", "CN-58", "CN-61-1a", "CN-61-1b", "CN-61-1c", "CN-62"}),
        (date(2025, 10, 9), "begins", {"CN-61-1c", "CN-62"}),
        (date(2025, 10, 10), "announced", {"CN-100"}),
        (date(2025, 11, 1), "never came", {"CN-100"}),
        (date(2025, 11, 7), "suspended",
         {"CN-55", "CN-56", "CN-57", "CN-58", "CN-61-1a", "CN-61-1b", "CN-61-1c", "CN-62"}),
        (date(2025, 11, 8), "due, but suspended", {"CN-55", "CN-56", "CN-57", "CN-58"}),
        (date(2025, 11, 10), "10%", {"IEEPA-FENT-CN"}),
        (date(2025, 12, 1), "due, but suspended", {"CN-61-1a", "CN-61-1b"}),
    ],
)  # fmt: skip
def test_what_happened_is_what_the_fact_sheet_says(day: date, what: str, measures: set[str]) -> None:
    assert set(PLAYED[day].measures[what]) == measures


def test_nothing_shows_before_it_was_published() -> None:
    first = next(day for day, moment in sorted(PLAYED.items()) if "232-KR-V" in str(moment.measures))
    assert first == date(2025, 12, 4), "Korea's cut is of 2025-11-01 and was published on 2025-12-04"


def test_a_threat_never_begins() -> None:
    assert not [moment for moment in PLAYED.values() if "CN-100" in moment.measures.get("begins", ())]


def shown(episode: Episode, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(block(episode, 3_000))
    return console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_a_moment_shows_what_was_published_again_and_each_type_of_flag_that_moved() -> None:
    episode = Episode(Moment(date(2025, 11, 1), "Something begins", {"begins": ("A", "B", "C", "D", "E", "F")}))
    assert "being rated, none published again; no flag moved" in shown(episode)
    episode.published = Counter({"dms.vehicles": 1993, "dms.parts": 0})
    episode.rated, episode.last_flag = 3.14, 2.71
    episode.events = Counter({("part_cost_up", "raised"): 12, ("part_cost_up", "cleared"): 1_000})
    episode.open = {"part_cost_up": (34, 123_456_78)}
    episode.digests = {"threatened": "1 announced, not law", "control_coming": ""}
    text = shown(episode)
    assert "begins: A, B, C, D and 2 more" in text
    assert "3,000 records rated in 3.1 s, 1,993 vehicles published again; last flag after 2.7 s" in text
    assert "part_cost_up: 12 raised, 1,000 cleared; 34 open, 123,457 USD" in text
    assert "threatened: 1 announced, not law" in text
    assert "control_coming: cleared" in text
    assert " ".join(shown(episode, 60).split()) == " ".join(text.split()), "a narrow terminal cuts nothing off"
