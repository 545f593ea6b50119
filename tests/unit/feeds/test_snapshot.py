"""What a full list removes, and when it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feeds.kind import Kind
from streams.feeds.records import FeedRecord
from streams.feeds.snapshot import Snapshot, SnapshotRefusedError, Standing, removals


def standing(*keys: str) -> list[Standing]:
    return [Standing(key.encode(), 0) for key in keys]


def snapshot(listed: set[str], *dealers: str) -> Snapshot:
    return Snapshot(frozenset(key.encode() for key in listed), frozenset(dealers))


def test_absentees_of_the_files_dealer_are_tombstoned() -> None:
    gone = removals(Kind.PARTS, snapshot({"a:1", "a:2"}, "a"), standing("a:1", "a:2", "a:3", "b:9", "ab:1"))
    assert gone == [FeedRecord(Kind.PARTS, 0, "a", "3", None, 0)]
    assert gone[0].key == b"a:3"


def test_a_part_number_with_a_colon_in_it_stays_whole() -> None:
    (gone,) = removals(Kind.PARTS, snapshot(set(), "a"), standing("a:x:y"), force=True)
    assert (gone.dealer_id, gone.ident, gone.key) == ("a", "x:y", b"a:x:y")


def test_exactly_the_share_allowed_is_removed_and_one_more_is_not() -> None:
    half = snapshot({"a:1", "a:2"}, "a")
    assert len(removals(Kind.VEHICLES, half, standing("a:1", "a:2", "a:3", "a:4"))) == 2
    with pytest.raises(SnapshotRefusedError, match=r"a: 3 of 5 vehicles, more than 50%.*--force"):
        removals(Kind.VEHICLES, half, standing("a:1", "a:2", "a:3", "a:4", "a:5"))


def test_each_dealer_is_measured_by_itself() -> None:
    listed = snapshot({f"a:{n}" for n in range(100)}, "a", "b")
    held = standing(*(f"a:{n}" for n in range(100)), "b:1")
    with pytest.raises(SnapshotRefusedError, match="b: 1 of 1"):
        removals(Kind.VEHICLES, listed, held)
    assert len(removals(Kind.VEHICLES, listed, held, force=True)) == 1
    assert len(removals(Kind.VEHICLES, listed, held, max_removal_percent=100)) == 1


def test_a_file_without_a_good_record_is_refused_even_by_force() -> None:
    with pytest.raises(SnapshotRefusedError, match="empty the lot"):
        removals(Kind.VEHICLES, snapshot(set()), standing("a:1"), force=True)


keys = st.sets(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 20)).map(lambda k: f"{k[0]}:{k[1]}"))


@given(keys, keys, st.sets(st.sampled_from(["a", "b"]), min_size=1))
def test_after_it_the_files_dealers_hold_only_what_is_listed_and_the_others_all_they_had(
    listed: set[str], held: set[str], dealers: set[str]
) -> None:
    gone = removals(Kind.VEHICLES, snapshot(listed, *dealers), standing(*held), force=True)
    left = held - {record.key.decode() for record in gone}
    assert {key for key in left if key.split(":")[0] in dealers} <= listed
    assert {key for key in held if key.split(":")[0] not in dealers} <= left
    assert held & listed <= left
