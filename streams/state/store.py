"""The states of a worker's partitions: where they are, which stay open, and what they share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from streams.instruments import Metrics, StateShown
from streams.settings import ProcessingGuarantee, Settings
from streams.state.errors import StateError
from streams.state.partition import Place, RocksState
from streams.state.restore import LOCK_WAIT_SECONDS, RestoreProgress, Restorer
from streams.state.rocks import Memory

log = logging.getLogger(__name__)

SHOWN_EVERY_SECONDS: Final = 1.0
"""How old what a scrape sees of a restore may be."""


class StateStore:
    """One a worker. A state stays open across rebalances, until `close_except` finds its partition gone."""

    def __init__(
        self,
        settings: Settings,
        *,
        metrics: Metrics | None = None,
        progress: Callable[[RestoreProgress], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    ) -> None:
        """`metrics` shows the states and counts those thrown away; `progress` is told about every slice of a restore.

        `clock` gives Unix seconds: it dates checkpoints and markers and reaches no output.
        """

        def now_ms() -> int:
            return int(clock() * 1000)

        self._root = settings.state_dir / settings.group
        self._exactly_once = settings.processing_guarantee is ProcessingGuarantee.EXACTLY_ONCE
        self._now_ms = now_ms
        self._memory = Memory()
        self._restorer = Restorer(
            settings,
            memory=self._memory,
            now_ms=now_ms,
            progress=self._told,
            lock_wait_seconds=lock_wait_seconds,
        )
        self._states: dict[tuple[str, int], RocksState] = {}
        self._progress = progress
        self._restores: dict[tuple[str, int], RestoreProgress] = {}
        self._metrics = metrics
        self._show_next = 0.0
        if metrics is not None:
            metrics.states = self.shown

    def state(self, place: Place) -> RocksState:
        """The state of a partition, the same as before where it is still open; nothing is read until its restore."""
        key = (place.source, place.partition)
        state = self._states.get(key)
        if state is None:
            directory = self._root / place.source / str(place.partition)
            state = self._states[key] = RocksState(
                place, directory, self._memory, self._restorer, exactly_once=self._exactly_once, now_ms=self._now_ms
            )
        return state

    async def restore(self, states: Sequence[RocksState], overtaken: Callable[[], bool] = lambda: False) -> None:
        """Bring states to the end of their partitions, together; see `Restorer.restore`."""
        await self._restorer.restore(states, overtaken)

    @property
    def states(self) -> Collection[RocksState]:
        """Those that are open, or about to be."""
        return self._states.values()

    def shown(self) -> Iterator[StateShown]:
        """The open states, for a scrape."""
        for (source, partition), state in self._states.items():
            told = self._restores.get((source, partition))
            if not state.is_open or told is None:
                continue
            age = None
            if state.checkpoint is not None:
                age = max(0, self._now_ms() - state.checkpoint.saved_at_ms) / 1000
            try:
                keys, disk_bytes = state.estimate(), state.disk_bytes()
            except (StateError, OSError) as error:
                # Its lane will meet the same and end the worker; a scrape doesn't.
                log.warning("%s", error)
                continue
            yield StateShown(source, partition, keys, disk_bytes, age, told.restored, told.remaining, told.seconds)

    def _told(self, progress: RestoreProgress) -> None:
        key = (progress.source, progress.partition)
        before = self._restores.get(key)
        if self._metrics is not None and progress.rebuilt is not None and (before is None or before.done):
            self._metrics.state_discarded(progress.source, progress.rebuilt.value)
        self._restores[key] = progress
        self._progress(progress)
        if progress.done or time.monotonic() > self._show_next:
            self._show()

    def _show(self) -> None:
        """Nobody else looks while a worker starts."""
        self._show_next = time.monotonic() + SHOWN_EVERY_SECONDS
        if self._metrics is not None:
            self._metrics.look()

    def close_except(self, kept: Collection[tuple[str, int]]) -> None:
        """Close the states of partitions (input topic's full name, number) that are not `kept`.

        Another worker may open them then. Call it once the lanes of the old assignment have ended.
        """
        for key in [key for key in self._states if key not in kept]:
            self._states.pop(key).close()
            self._restores.pop(key, None)
        self._show()

    def close(self) -> None:
        """Close all."""
        self.close_except(())
