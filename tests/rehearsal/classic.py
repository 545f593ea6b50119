"""The classic bug: the committed offset is read while the old owner's transaction is still open.

Random kills and pauses don't find it. Slow transactions under graceful rebalances do, where nothing waits for the batch
in work: then only the order of init and offset fetch protects.
"""

from __future__ import annotations

from pathlib import Path

from tests.rehearsal.accounts import Accounts, account
from tests.rehearsal.fleet import Fleet, wait_until
from tests.rehearsal.ground import Ground, SteadyLoad, load

SLOW = "batch.delivered=sleep:300;batch.offsets_sent=sleep:300;seek.after=sleep:100"
"""Transactions of 600 ms and more: partitions that all have just moved on change hands while the next ones are open."""
BROKEN = "shuffle,without_drain,late_init"
RIGHT = "shuffle,without_drain"
WITH_DRAIN = "shuffle"


def slow_transactions(bootstrap_servers: str, directory: Path, variant: str, rebalances: int = 12) -> Accounts:
    """Two workers, partitions that change hands `rebalances` times under a steady load; the books afterwards."""
    with Ground(bootstrap_servers) as ground:
        environment = ground.environment(REHEARSAL_VARIANT=variant, LOTRISK_FAILPOINTS=SLOW)
        with Fleet(environment, directory) as fleet:
            fleet.start("a")
            fleet.start("b")
            fleet.wait_until_ready()
            with SteadyLoad(ground, load(keys=500), 1000):
                for done in range(rebalances):
                    fleet.rebalance()
                    wait_until(
                        lambda done=done: fleet.rebalances() > done, 20, "the partitions changed hands", fleet.said
                    )
                    # All partitions move on before they change hands again.
                    ground.wait_for_progress(20, fleet.said)
            ground.wait_for_no_lag(40, fleet.said)
        return account(ground.settings)
