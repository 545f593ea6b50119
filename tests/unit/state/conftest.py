"""A state in a temporary directory, with a clock that stands until a test moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.enriched import OWNED_FIELDS_VEHICLE
from streams.state.codec.checkpoint import Checkpoint
from streams.state.partition import Place, RocksState
from streams.state.rocks import Memory

PLACE = Place("dms.vehicles", "vehicles.enriched", 0, OWNED_FIELDS_VEHICLE)


class NoRestoring:
    """These states are filled by the test, not from Kafka."""

    async def restore(self, states: Sequence[RocksState]) -> None:
        raise AssertionError("no Kafka here")


@dataclass
class StandingClock:
    """Unix milliseconds."""

    now_ms: int = 1_760_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def make_state(tmp_path: Path, clock: StandingClock) -> Iterator[Callable[..., RocksState]]:
    """Opens the state in a directory and begins it at position 0 where it is new."""
    opened: list[RocksState] = []

    def make(directory: Path = tmp_path / "state", exactly_once: bool = True) -> RocksState:
        state = RocksState(PLACE, directory, Memory(), NoRestoring(), exactly_once=exactly_once, now_ms=clock)
        state.marker_ms = 1000
        opened.append(state)
        state.open()
        if state.checkpoint is None:
            state.take_in((), Checkpoint(PLACE.enriched, "topic-id", 0, clock.now_ms))
        return state

    yield make
    for state in opened:
        state.close()
