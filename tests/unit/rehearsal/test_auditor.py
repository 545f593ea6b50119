"""What the auditor of a lot finds fault with: its silence must mean something."""

from __future__ import annotations

import orjson
import pytest

from streams.enrich.outcome import Enriched
from tests.rehearsal import lot
from tests.rehearsal.recomputation import LotAccounts, Shelf, episode_problems, why_behind
from tests.rehearsal.releases import release


def events(*steps: tuple[str, str]) -> list[bytes]:
    """Events as pairs of an episode and what happened to it."""
    return [orjson.dumps({"episode": episode, "change": change}) for episode, change in steps]


def test_episodes_that_alternate_are_right() -> None:
    assert episode_problems(events(("a", "raised"), ("a", "changed"), ("a", "cleared"), ("b", "raised"))) == []


@pytest.mark.parametrize(
    "steps",
    [
        [("a", "raised"), ("a", "raised")],
        [("a", "changed")],
        [("a", "cleared")],
        [("a", "raised"), ("b", "raised")],
        [("a", "raised"), ("b", "cleared")],
        [("a", "raised"), ("a", "cleared"), ("a", "cleared")],
        [("a", "raised"), ("a", "cleared"), ("a", "raised")],
    ],
    ids=lambda steps: " ".join(f"{episode}-{change}" for episode, change in steps),
)
def test_episodes_that_do_not_are_found(steps: list[tuple[str, str]]) -> None:
    assert episode_problems(events(*steps))


def test_a_value_under_an_older_book_is_behind() -> None:
    """The same record before and after every car's duty has risen."""
    [car] = [one for one in lot.drawn(200) if one.get("stock_class") == "new"][:1]
    key, value = lot.key_of(car), lot.version(car, 0)
    before, after = Shelf([release("this")]), Shelf([release("next")])
    then = before.rate(key, value, before.on(lot.DAY))
    now = after.rate(key, value, after.on(lot.DAY))
    assert isinstance(then, Enriched)
    assert why_behind(then.value, then) is None
    assert why_behind(then.value, now) == "its body is another one"


def test_books_that_do_not_balance_say_so() -> None:
    LotAccounts(inputs=3, enriched=3, rerated=1, tombstones=1).balance()
    for wrong in (
        LotAccounts(inputs=3, enriched=2),
        LotAccounts(inputs=1, enriched=1, missing=["a flag event"]),
        LotAccounts(inputs=1, enriched=1, duplicates=["a flag event"]),
        LotAccounts(),
    ):
        with pytest.raises(AssertionError):
            wrong.balance()
