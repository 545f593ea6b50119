"""What the policy desk's wire tests share: a measure of their own, and a worker as anybody would start it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from streams.reference.trade_records import MeasureRecord
from streams.settings import Settings
from tests.rehearsal.fleet import WorkerProcess

LOTRISK = Path(sys.executable).with_name("lotrisk")


def measure(id: str = "DESK-1", **changes: Any) -> MeasureRecord:
    """A measure that adds 5% on cars of one origin, in force."""
    return MeasureRecord.model_validate(
        {
            "id": id,
            "authority": "section_338",
            "title": f"Test measure {id}",
            "instrument": "Test",
            "origins": ["JP"],
            "scope": ["8703"],
            "rate": "5",
            "announced_at": "2026-09-01",
            "effective_from": "2026-09-01",
            "status": "in_force",
            "confidence": "H",
            "source": "S01",
            **changes,
        }
    )


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The variables of a process that works under `settings`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOTRISK_")} | {
        "LOTRISK_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "LOTRISK_TOPIC_PREFIX": settings.topic_prefix,
        "LOTRISK_GROUP": settings.group,
        "LOTRISK_PARTITIONS": str(settings.partitions),
        "LOTRISK_STATE_DIR": str(settings.state_dir),
        "LOTRISK_SESSION_TIMEOUT_SECONDS": "6",
        "LOTRISK_REBALANCE_TIMEOUT_SECONDS": "9",
        "LOTRISK_DRAIN_SECONDS": "3",
        "LOTRISK_WEB_PORT": "0",
        **more,
    }


def start_worker(settings: Settings, log: Path, **more: str) -> WorkerProcess:
    """`lotrisk worker`."""
    return WorkerProcess("worker", [str(LOTRISK), "worker"], environment(settings, **more), log)
