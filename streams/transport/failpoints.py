"""Named points where a rehearsal may kill, delay or stop the process; free when none is set.

`LOTRISK_FAILPOINTS` holds `name=action` pairs separated by `;`. An action is `kill` (SIGKILL), `exit` (leave at once
with status 70) or `sleep:MS`, and may end in `@N`: only from the Nth time the point is reached. Each name in `POINTS`
is a step of the transport whose interruption must neither lose nor double a record.
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
RERATE_POINTS = ("rerate.rated",)
"""Points on the way of a slice of re-rating."""


@dataclass(frozen=True, slots=True)
class _Action:
    kind: str
    milliseconds: int
    from_hit: int


def _parse(text: str) -> dict[str, _Action]:
    actions = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        name, _, action = pair.partition("=")
        if name not in (*POINTS, *RERATE_POINTS):
            raise ValueError(f"LOTRISK_FAILPOINTS: no point {name!r}; there are {', '.join((*POINTS, *RERATE_POINTS))}")
        action, _, hit = action.partition("@")
        kind, _, duration = action.partition(":")
        if kind not in ("kill", "exit", "sleep"):
            raise ValueError(f"LOTRISK_FAILPOINTS: {pair!r}: the action is kill, exit or sleep:MS")
        actions[name] = _Action(kind, int(duration or 0), int(hit or 1))
    return actions


_ACTIONS = _parse(os.environ.get("LOTRISK_FAILPOINTS", ""))
_hits: Counter[str] = Counter()


async def reach(name: str) -> None:
    """Do what is set for the point `name`, if anything is."""
    if not _ACTIONS:
        return
    action = _ACTIONS.get(name)
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
    os._exit(70)
