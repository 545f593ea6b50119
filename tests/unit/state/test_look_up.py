"""Reading ahead what is held: never older than what was written since."""

from __future__ import annotations

from collections.abc import Callable

from schemas.cloudevents import OrderKey
from streams.policy.book import BookNumber
from streams.state.codec.checkpoint import Checkpoint
from streams.state.partition import RocksState
from streams.state.view import Gone, Held

BOOK = BookNumber.parse("1.0.-1.2026-09-29")


def held(offset: int) -> Held:
    return Held(bytes(16), OrderKey("id", offset, str(BOOK)), None, BOOK, b"[]", b"{}")


def test_what_was_read_ahead_is_what_is_held_after_every_write(make_state: Callable[..., RocksState]) -> None:
    state = make_state()
    state.checkpoint = Checkpoint("vehicles.enriched", "id", 0, 0)
    keys = [b"%d" % number for number in range(40)]
    state.look_up(keys)
    assert [state.held(key) for key in keys] == [None] * 40
    for offset in (1, 2):
        state.apply(dict.fromkeys(keys[::2], held(offset)), offset)
        state.look_up(keys)
        found = [state.held(key) for key in keys]
        assert found[1::2] == [None] * 20
        assert {one.order.offset for one in found[::2] if one is not None} == {offset}
    state.apply({keys[0]: Gone(OrderKey("id", 3, str(BOOK)))}, 3)
    assert state.held(keys[0]) is None
    assert state.held(keys[2]) == held(2)._replace(canonical=None)


def test_keys_that_come_twice_or_not_at_all_are_looked_up(make_state: Callable[..., RocksState]) -> None:
    state = make_state()
    state.checkpoint = Checkpoint("vehicles.enriched", "id", 0, 0)
    state.look_up([])
    state.apply({b"a": held(1)}, 1)
    state.look_up([b"a", b"a", b"", b"b"])
    assert [state.held(key) is not None for key in (b"a", b"", b"b")] == [True, False, False]
