"""A worker that is stuck ends itself, also where its loop is what hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain, repeat

from prometheus_client import CollectorRegistry

from streams.cli.worker import end_when_stuck
from streams.instruments import Metrics
from streams.web import WorkerHealth

STUCK = ("the worker's loop has stood still for 61 s",)


class Told(WorkerHealth):
    """Health with its answers given, one a look; `asked` is set when they are at an end."""

    def __init__(self, answers: Iterator[tuple[str, ...]]) -> None:
        super().__init__(Metrics(CollectorRegistry()), assigned=lambda: True, book=lambda: None, stall_seconds=60)
        self._answers = chain(answers, self._end())
        self.asked = threading.Event()

    def _end(self) -> Iterator[tuple[str, ...]]:
        self.asked.set()
        yield from repeat(())

    def not_live(self) -> tuple[str, ...]:
        return next(self._answers)


def looked(*answers: tuple[str, ...]) -> list[BaseException]:
    """What the worker ended for after these looks."""
    health, ended = Told(iter(answers)), list[BaseException]()
    over = end_when_stuck(health, ended.append, every=0.001)
    assert health.asked.wait(10)
    over.set()
    return ended


def test_two_looks_in_a_row_that_find_it_stuck_end_it_and_say_why() -> None:
    (error,) = looked((), STUCK, STUCK)
    assert (type(error).__name__, str(error)) == ("StalledError", STUCK[0])


def test_a_process_that_was_frozen_has_a_second_to_come_to_itself() -> None:
    assert looked((), STUCK, (), STUCK, ()) == []
