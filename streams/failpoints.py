"""Named points where a rehearsal may kill, delay or stop the process; free when none is set.

`LOTRISK_FAILPOINTS` holds `name=action` pairs separated by `;`. An action is `kill` (SIGKILL), `stop` (SIGSTOP), `exit`
(leave at once with status 70) or `sleep:MS`, and may end in `@N`: only from the Nth time the point is reached. Each
name in `POINTS`, `RERATE_POINTS` and `TOTALS_POINTS` is a step whose interruption must neither lose nor double a record
or a flag event.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass

POINTS = (
    "revoke.draining",
    "revoke.closed",
    "assigned",
    "lease.lanes_stopped",
    "lease.producers_started",
    "state.opened",
    "state.slice",
    "lease.state_restored",
    "lease.opened",
    "seek.before",
    "seek.after",
    "batch.begun",
    "batch.sent",
    "batch.delivered",
    "batch.offsets_sent",
    "batch.committed",
    "batch.applied",
)
"""Those of a rebalance, of a restore and of a batch."""
RERATE_POINTS = (
    "book.prepared",
    "book.changed",
    "rerate.rated",
    "rerate.sent",
    "rerate.delivered",
    "rerate.offsets_sent",
    "rerate.committed",
    "rerate.applied",
)
"""Those of a book that changes, and of the slices in which held records are brought up to it."""
TOTALS_POINTS = (
    "totals.sent",
    "totals.delivered",
    "totals.offsets_sent",
    "totals.committed",
    "totals.applied",
)
"""Those of totals that are told in a transaction of their own."""
_ALL = (*POINTS, *RERATE_POINTS, *TOTALS_POINTS)


@dataclass(frozen=True, slots=True)
class _Action:
    kind: str
    milliseconds: int
    from_hit: int


def _parse(text: str) -> dict[str, _Action]:
    actions = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        name, _, action = pair.partition("=")
        if name not in _ALL:
            raise ValueError(f"LOTRISK_FAILPOINTS: no point {name!r}; there are {', '.join(_ALL)}")
        action, _, hit = action.partition("@")
        kind, _, duration = action.partition(":")
        if kind not in ("kill", "stop", "exit", "sleep"):
            raise ValueError(f"LOTRISK_FAILPOINTS: {pair!r}: the action is kill, stop, exit or sleep:MS")
        actions[name] = _Action(kind, int(duration or 0), int(hit or 1))
    return actions


_actions = _parse(os.environ.get("LOTRISK_FAILPOINTS", ""))
_hits: Counter[str] = Counter()


def arm(text: str) -> None:
    """Set the points anew, counting from here; for rehearsals that arm a worker that runs.

    Raises:
        ValueError: what the text holds that is no point or no action.
    """
    global _actions
    _actions = _parse(text)
    _hits.clear()


async def reach(name: str) -> None:
    """Do what is set for the point `name`, if anything is."""
    if not _actions:
        return
    action = _actions.get(name)
    if action is None:
        return
    _hits[name] += 1
    if _hits[name] < action.from_hit:
        return
    if action.kind == "sleep":
        await asyncio.sleep(action.milliseconds / 1000)
        return
    print(f"failpoint {name}: {action.kind}", file=sys.stderr, flush=True)  # noqa: T201 - the rehearsal counts it
    if action.kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action.kind == "stop":
        del _actions[name]
        os.kill(os.getpid(), signal.SIGSTOP)
        return
    os._exit(70)
