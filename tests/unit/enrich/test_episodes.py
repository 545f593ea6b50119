"""Episodes: raised once, changed by steps, cleared once; merging again makes nothing; a tombstone clears."""

from __future__ import annotations

from datetime import date

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.flag import Flag
from streams.enrich.episodes import (
    NO_FLAGS,
    Cause,
    Change,
    FlagEvent,
    OpenFlag,
    event_members,
    flags_json,
    merge,
    read_flags,
)
from streams.enrich.flags import Candidate

KEY = b"g1:1HGCM82633A004352"
STEP = 50_000
BASE = Candidate(
    type="replacement_cost_up",
    severity="warning",
    owner="new",
    action="hold",
    why="Next invoice about 1,000 USD higher",
    cents_at_stake=100_000,
    act_by=date(2026, 10, 31),
    confidence="L",
    top_missing_fact="market_days_supply",
    would_change_cents=-100_000,
    measure="232-AUTO",
    raises=True,
    step_cents=STEP,
)


def cause(offset: int, book: str = "1.0.-1.2026-09-29") -> Cause:
    return Cause(f"2026-10-01T00:00:{offset % 60:02d}Z", "topic", 3, offset, book)


def amount(cents: int | None, **more: object) -> Candidate:
    return BASE._replace(cents_at_stake=cents, **more)  # type: ignore[arg-type]  # test data


def play(*steps: tuple[Candidate, ...]) -> tuple[tuple[OpenFlag, ...], list[FlagEvent]]:
    held: tuple[OpenFlag, ...] = ()
    events: list[FlagEvent] = []
    for offset, candidates in enumerate(steps):
        held, made = merge(KEY, held, candidates, cause(offset))
        events += made
    return held, events


def changes(events: list[FlagEvent]) -> list[str]:
    return [event.change.value for event in events]


def test_an_episode_keeps_its_id_and_since_from_what_raised_it() -> None:
    _, events = play((BASE,), (amount(150_000),), ())
    assert changes(events) == ["raised", "changed", "cleared"]
    assert len({event.episode for event in events}) == 1
    assert {event.since for event in events} == {"2026-10-01T00:00:00Z"}
    assert [event.cause.offset for event in events] == [0, 1, 2]
    assert events[2].flag.cents_at_stake == 150_000, "cleared as it last stood"


def test_the_next_episode_has_another_id() -> None:
    _, events = play((BASE,), (), (BASE,))
    assert changes(events) == ["raised", "cleared", "raised"]
    assert events[0].episode != events[2].episode
    again = merge(KEY, (), (BASE,), cause(0, "1.0.7.2026-09-29"))[1]
    assert again[0].episode != events[0].episode, "raised by the same record under another book"
    assert merge(KEY, (), (BASE,), cause(0))[1][0].episode == events[0].episode, "the same cause gives the same id"
    assert merge(b"g2:X", (), (BASE,), cause(0))[1][0].episode != events[0].episode


def test_an_amount_that_hovers_around_a_step_emits_nothing() -> None:
    low, high = amount(124_000), amount(126_000)
    _, events = play((BASE,), *((low,), (high,)) * 20)
    assert changes(events) == ["raised"]


def test_small_moves_add_up_to_a_step() -> None:
    _, events = play(*((amount(100_000 + 20_000 * number),) for number in range(6)))
    assert changes(events) == ["raised", "changed"]
    assert events[1].flag.cents_at_stake == 160_000


def test_the_record_shows_the_amount_of_today_though_no_event_said_it() -> None:
    held, _ = play((BASE,), (amount(120_000),))
    (shown,) = orjson.loads(flags_json(held))
    assert (shown["dollars_at_stake"], shown["published_usd"]) == ("1200.00", "1000.00")


def test_severity_changes_at_once() -> None:
    _, events = play((BASE,), (amount(100_000, severity="critical"),))
    assert changes(events) == ["raised", "changed"]


def test_a_candidate_that_only_keeps_opens_nothing() -> None:
    kept = amount(90_000, raises=False)
    assert changes(play((kept,))[1]) == []
    assert changes(play((BASE,), (kept,), (BASE,), (kept,), ())[1]) == ["raised", "cleared"]


def test_an_amount_that_comes_to_be_known_is_a_change_and_one_that_is_lost_is_none() -> None:
    assert changes(play((amount(None),), (BASE,), (amount(None),), (BASE,))[1]) == ["raised", "changed"]


def test_without_a_step_the_amount_never_changes_a_flag() -> None:
    assert changes(play((amount(1, step_cents=None),), (amount(10**9, step_cents=None),))[1]) == ["raised"]


def test_flags_of_other_types_go_their_own_way() -> None:
    other = BASE._replace(type="origin_unknown", cents_at_stake=None)
    held, events = play((BASE, other), (other,), (other, BASE))
    assert changes(events) == ["raised", "raised", "cleared", "raised"]
    assert [one.flag.type for one in held] == ["origin_unknown", "replacement_cost_up"]


def test_what_stands_in_the_record_is_the_contract_and_reads_back() -> None:
    held, _ = play((BASE,), (amount(120_000),))
    for members in orjson.loads(flags_json(held)):
        Flag.model_validate_json(orjson.dumps(members))
    assert flags_json(read_flags(flags_json(held))) == flags_json(held)
    assert flags_json(()) == NO_FLAGS
    assert read_flags(NO_FLAGS) == ()


def test_an_event_says_all_that_a_consumer_needs() -> None:
    _, events = play((BASE,))
    members = event_members(events[0])
    assert members["change"] == "raised"
    assert members["episode"] == events[0].episode
    assert members["changed_at"] == members["since"] == "2026-10-01T00:00:00Z"
    assert members["book"] == "1.0.-1.2026-09-29"


@pytest.mark.parametrize("broken", [b"{}x", b'[{"type":"a"}]', b"[1]", b'[{"type":"a","confidence":"Z"}]'])
def test_flags_that_cannot_be_read_say_so(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"flags can't be read|unexpected|JSON|trailing"):
        read_flags(broken)


candidates = st.builds(
    BASE._replace,
    type=st.sampled_from(["a", "b", "c"]),
    severity=st.sampled_from(["info", "warning"]),
    cents_at_stake=st.none() | st.integers(0, 200_000),
    raises=st.booleans(),
    top_missing_fact=st.none() | st.just("usmca"),
    would_change_cents=st.none() | st.integers(-300_000, 300_000),
    act_by=st.none() | st.dates(),
)
sets = st.lists(candidates, max_size=3, unique_by=lambda flag: flag.type).map(tuple)


@given(st.lists(sets, max_size=12), st.data())
def test_each_flag_alternates_raised_changed_cleared_and_ends_with_a_tombstone(
    steps: list[tuple[Candidate, ...]], data: st.DataObject
) -> None:
    held: tuple[OpenFlag, ...] = ()
    standing: dict[str, str] = {}
    seen: set[str] = set()
    for offset, wanted in enumerate([*steps, ()]):
        if data.draw(st.booleans()):
            held = read_flags(flags_json(held))
        now = cause(offset)
        held, events = merge(KEY, held, wanted, now)
        assert merge(KEY, held, wanted, now) == (held, ()), "merging again makes nothing"
        for event in events:
            flag_type = event.flag.type
            if event.change is Change.RAISED:
                assert flag_type not in standing
                assert event.episode not in seen
                standing[flag_type] = event.episode
                seen.add(event.episode)
            else:
                assert standing[flag_type] == event.episode
                if event.change is Change.CLEARED:
                    del standing[flag_type]
        assert {one.flag.type: one.episode for one in held} == standing
        for one in held:
            known = [flag for flag in wanted if flag.type == one.flag.type]
            assert known == [one.flag]
            if one.flag.cents_at_stake is not None and one.published_cents is not None:
                assert abs(one.flag.cents_at_stake - one.published_cents) < STEP
        assert {flag.type for flag in wanted if flag.raises} <= standing.keys()
    assert standing == {}
    assert held == ()


@given(st.lists(sets, max_size=6))
def test_a_state_restored_from_the_record_goes_on_as_if_nothing_had_been(steps: list[tuple[Candidate, ...]]) -> None:
    kept: tuple[OpenFlag, ...] = ()
    restored: tuple[OpenFlag, ...] = ()
    for offset, wanted in enumerate(steps):
        kept, events = merge(KEY, kept, wanted, cause(offset))
        restored, same = merge(KEY, read_flags(flags_json(restored)), wanted, cause(offset))
        assert [(event.change, event.episode) for event in events] == [(event.change, event.episode) for event in same]
        assert flags_json(kept) == flags_json(restored)
