"""A lot under a moving policy: topics, workers with the real vehicle agent, a policy desk and a clock to move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streams.transport.books import US_EASTERN
from tests.rehearsal.fleet import Fleet, wait_until
from tests.rehearsal.ground import Ground
from tests.rehearsal.lot import DAY
from tests.rehearsal.policy import RehearsalDesk
from tests.rehearsal.recomputation import LotAccounts, Shelf, audit, behind, totals_problem
from tests.rehearsal.releases import Release


class Stage:
    """One rehearsal of re-rating; workers are started by the scene."""

    def __init__(
        self,
        bootstrap_servers: str,
        directory: Path,
        *,
        variant: str = "",
        partitions: int = 4,
        of_each: Mapping[str, Mapping[str, str]] | None = None,
        releases: Sequence[Release] = (),
        own_disks: bool = False,
        **settings: Any,
    ) -> None:
        """`of_each`: variables of single workers; `releases`: see `Shelf`; `own_disks`: see `Fleet`.

        `settings` are everybody's.
        """
        self.today = DAY
        self.shelf = Shelf(releases)
        self._clock = directory / "clock"
        self._tell_time()
        self.ground = Ground(bootstrap_servers, partitions=partitions, **settings)
        self.fleet = Fleet(
            self.ground.environment(REHEARSAL_VARIANT=variant, REHEARSAL_CLOCK=str(self._clock)),
            directory,
            module="tests.rehearsal.vehicle_worker",
            of_each=of_each,
            own_disks=own_disks,
        )
        self.desk = RehearsalDesk(self.ground.settings)

    def __enter__(self) -> Self:
        self.fleet.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.fleet.__exit__(kind, error, trace)
        self.ground.close()

    def move_clock(self, day: date) -> None:
        """It is noon of `day` now, US Eastern, for every worker."""
        self.today = max(day, self.today)
        self._tell_time()

    def _tell_time(self) -> None:
        noon = datetime(self.today.year, self.today.month, self.today.day, 12, tzinfo=US_EASTERN)
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(noon.isoformat(), "ascii")
        fresh.rename(self._clock)

    def settle(self, seconds: float) -> float:
        """Poll until all that was put in is committed, the lot says what the book in force says, and totals too."""
        took = self.ground.wait_for_no_lag(seconds, self.fleet.said)
        left = [-1]

        def rated() -> bool:
            left[0] = behind(self.ground.settings, self.shelf, self.today)
            return left[0] == 0

        took += wait_until(
            rated, seconds, "the lot is rated", lambda: f"{left[0]} are behind\n{self.fleet.said()}", every=1.0
        )
        settings = self.ground.settings
        return took + wait_until(
            lambda: totals_problem(settings) is None, seconds, "the totals are told",
            lambda: f"{totals_problem(settings)}\n{self.fleet.said()}", every=1.0,
        )  # fmt: skip

    def accounts(self) -> LotAccounts:
        """The books of all that stands on the topics now."""
        return audit(self.ground.settings, self.shelf, self.today)
