"""When rejections pause a lane: in a row, or by share of the last 1,000."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.transport.dlq_limit import WINDOW, DlqLimit

ALL = 100.0
NEVER = 10**9


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=60), st.integers(1, 8))
def test_it_trips_at_the_first_run_of_the_limit_and_never_before(rejected: list[bool], limit: int) -> None:
    dlq = DlqLimit(limit, ALL)
    run, expected, tripped = 0, None, None
    for number, bad in enumerate(rejected):
        run = run + 1 if bad else 0
        if expected is None and run >= limit:
            expected = number
        if not bad:
            dlq.accepted()
        elif dlq.rejected() is not None and tripped is None:
            tripped = number
    assert tripped == expected


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 6))
def test_counting_accepted_records_together_is_the_same(between: list[int], limit: int) -> None:
    """A lane counts the good records since the last bad one at once, also where there were none."""
    one_by_one, together = DlqLimit(limit, ALL), DlqLimit(limit, ALL)
    for count in between:
        for _ in range(count):
            one_by_one.accepted()
        together.accepted(count)
        assert (one_by_one.rejected() is None) == (together.rejected() is None)


def test_a_copy_counts_on_by_itself() -> None:
    """A batch that has to be rated again, since a newer book is waited for, counts once."""
    dlq = DlqLimit(3, ALL)
    assert dlq.rejected() is None
    for _ in range(5):
        again = dlq.copy()
        assert again.rejected() is None
    assert again.rejected() is not None
    dlq.accepted()
    assert again.copy().rejected() is not None


@settings(deadline=None)
@given(st.floats(1, 99), st.integers(1, 20))
def test_the_share_counts_over_a_full_window(percent: float, every: int) -> None:
    dlq = DlqLimit(NEVER, percent)
    tripped = None
    for number in range(1, 3 * WINDOW):
        if number % every == 0:
            if dlq.rejected() is not None:
                tripped = number
                break
        else:
            dlq.accepted()
    window = range(tripped - WINDOW + 1, tripped + 1) if tripped else range(2 * WINDOW, 3 * WINDOW)
    share = sum(number % every == 0 for number in window) * 100 / WINDOW
    assert (share >= percent) == (tripped is not None)
    assert tripped is None or tripped >= WINDOW


def test_a_short_history_has_no_share() -> None:
    dlq = DlqLimit(NEVER, 1)
    assert all(dlq.rejected() is None for _ in range(WINDOW - 1))
    assert dlq.rejected() is not None


def test_old_rejections_leave_the_window() -> None:
    dlq = DlqLimit(NEVER, 50)
    for _ in range(499):
        assert dlq.rejected() is None
    dlq.accepted(WINDOW)
    for _ in range(499):
        assert dlq.rejected() is None
    assert dlq.rejected() is not None


def test_the_reason_names_number_and_limit() -> None:
    dlq = DlqLimit(2, ALL)
    dlq.rejected()
    tripped = dlq.rejected()
    assert tripped is not None
    assert tripped.reason == "2 records in a row were rejected (limit 2)"
