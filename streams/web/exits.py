"""How often workers ended themselves, kept on disk: a process that leaves at once can't be scraped about it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import orjson
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from streams.transport.outbox import DeliveryError

log = logging.getLogger(__name__)

FENCED = "fenced"
STALLED = "stalled"
NOT_DELIVERED = "not_delivered"
DENIED = "denied"
UNEXPECTED = "unexpected"
REASONS = (FENCED, STALLED, NOT_DELIVERED, DENIED, UNEXPECTED)
_DENIALS = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    ClusterAuthorizationFailedError,
)


class StalledError(RuntimeError):
    """Committed offsets stand still although there is lag."""


class Exits:
    """Counts by reason in `exits.json` of the state directory; what can't be read counts from 0 again, and is said."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "exits.json"

    def counts(self) -> Mapping[str, int]:
        """Every reason and how often: 0 too, so that a first one is seen as an increase."""
        found: object = {}
        try:
            found = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, orjson.JSONDecodeError) as error:
            log.warning("%s can't be read, exits count from 0: %s", self._path, error)
        known = found if isinstance(found, dict) else {}
        return {reason: count if isinstance(count := known.get(reason), int) else 0 for reason in REASONS}

    def add(self, error: BaseException) -> None:
        """Count an exit because of `error`. Never raises: the process ends whatever the disk says."""
        counts = dict(self.counts())
        counts[reason_of(error)] += 1
        beside = self._path.with_suffix(".new")
        try:
            beside.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(orjson.dumps(counts))
            beside.replace(self._path)
        except OSError as failure:
            log.warning("%s can't be written, this exit is not counted: %s", self._path, failure)


def reason_of(error: BaseException) -> str:
    """The reason that an exit because of `error` counts under."""
    if isinstance(error, ProducerFenced):
        return FENCED
    if isinstance(error, StalledError):
        return STALLED
    if isinstance(error, _DENIALS):
        return DENIED
    return NOT_DELIVERED if isinstance(error, DeliveryError) else UNEXPECTED
