"""One scene played under both guarantees at once: two fleets on one broker, so that the waiting is shared."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.settings import ProcessingGuarantee
from tests.rehearsal.accounts import Accounts, account
from tests.rehearsal.fleet import Fleet
from tests.rehearsal.ground import Ground, Load, SteadyLoad


@dataclass
class Rehearsal:
    """A ground, its workers `a` and `b`, and the steady load on them, while the scene plays."""

    guarantee: ProcessingGuarantee
    ground: Ground
    fleet: Fleet
    load: SteadyLoad

    def moves_on(self, seconds: float = 30) -> None:
        """Poll until every partition's committed offset moves."""
        self.ground.wait_for_progress(seconds, self.fleet.said)


@dataclass
class Played:
    """What a scene left behind."""

    guarantee: ProcessingGuarantee
    books: Accounts
    exits: dict[int, int]
    failpoints: dict[str, int]
    fenced: int

    def balances(self) -> None:
        """Exactly once: nothing twice. At least once: what came twice is the same."""
        if self.guarantee is ProcessingGuarantee.EXACTLY_ONCE:
            self.books.balance()
        else:
            self.books.balance_with_repeats()


def play(
    bootstrap_servers: str,
    directory: Path,
    scene: Callable[[Rehearsal], None],
    *,
    record: Load,
    per_second: float = 1000,
    partitions: int = 4,
    variant: str = "",
    failpoints: str = "",
    catch_up_seconds: float = 60,
    **settings: Any,
) -> list[Played]:
    """Play `scene` under exactly once and at least once, wait until the load is worked off, and do the books."""

    def one(guarantee: ProcessingGuarantee) -> Played:
        own = directory / guarantee.value
        own.mkdir(parents=True)
        with Ground(bootstrap_servers, partitions=partitions, processing_guarantee=guarantee, **settings) as ground:
            more = {"REHEARSAL_VARIANT": variant, "LOTRISK_FAILPOINTS": failpoints}
            with Fleet(ground.environment(**more), own) as fleet:
                fleet.start("a")
                fleet.start("b")
                with SteadyLoad(ground, record, per_second) as load:
                    rehearsal = Rehearsal(guarantee, ground, fleet, load)
                    rehearsal.moves_on(60)
                    scene(rehearsal)
                ground.wait_for_no_lag(catch_up_seconds, fleet.said)
                exits, points = dict(fleet.exit_codes()), dict(fleet.failpoints_hit())
                fenced = sum("a newer owner has the partition" in log for log in fleet.logs())
            return Played(guarantee, account(ground.settings), exits, points, fenced)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, ProcessingGuarantee))
