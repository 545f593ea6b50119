"""One slice of re-rating at a time in a process."""

from __future__ import annotations

from streams.transport.rerating import RerateSlot


def test_who_finds_the_slot_taken_is_woken_when_it_is_free_and_tries_again() -> None:
    slot, woken = RerateSlot(), list[str]()
    assert slot.take(lambda: woken.append("first"))
    assert not slot.take(lambda: woken.append("second"))
    assert not slot.take(lambda: woken.append("third"))
    assert woken == []
    slot.free()
    assert woken == ["second", "third"], "both: the second may have a live batch to do first"
    assert slot.take(lambda: woken.append("third"))
    slot.free()
    assert woken == ["second", "third"], "nobody waits any more"
