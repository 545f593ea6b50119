"""An assigned partition is a lease: open, then draining, then closed."""

from __future__ import annotations

import asyncio
from enum import StrEnum


class LeaseState(StrEnum):
    """What the holder may do: begin work; finish the work begun; nothing."""

    OPEN = "open"
    DRAINING = "draining"
    CLOSED = "closed"


class Lease:
    """The right to work on one partition in one generation of the group."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.state = LeaseState.OPEN
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> bool:
        """Begin a piece of work; False where none may begin any more."""
        if self.state is not LeaseState.OPEN:
            return False
        self._idle.clear()
        return True

    def end(self) -> None:
        """The piece of work is over, however it went."""
        self._idle.set()

    @property
    def idle(self) -> bool:
        """Whether no work is under way."""
        return self._idle.is_set()

    @property
    def is_over(self) -> bool:
        """Whether no work may begin any more."""
        return self.state is not LeaseState.OPEN

    @property
    def allows_sending(self) -> bool:
        """Whether the work begun may still publish and commit."""
        return self.state is not LeaseState.CLOSED

    async def drain(self, seconds: float) -> bool:
        """Begin nothing more, wait `seconds` at most for the work begun, then close; True where it finished."""
        if self.state is LeaseState.CLOSED:
            return self.idle
        self.state = LeaseState.DRAINING
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self.state = LeaseState.CLOSED
        return True
