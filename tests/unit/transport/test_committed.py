"""A question for committed offsets that the brokers refuse is asked again, not taken for "nothing is committed"."""

from __future__ import annotations

import asyncio
import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from streams.transport import committed

LANE = TopicPartition("dms.vehicles", 1)
COMMITTED = OffsetFetchResponse_v3(0, [("dms.vehicles", [(1, 8_603, "", 0)])], 0)
NOTHING = OffsetFetchResponse_v3(0, [("dms.vehicles", [(1, -1, "", 0)])], 0)
LOADING, NOT_AVAILABLE, NOT_COORDINATOR, DENIED = 14, 15, 16, 30


def refused(code: int) -> OffsetFetchResponse_v3:
    return OffsetFetchResponse_v3(0, [], code)


class Asked:
    """A coordinator whose broker answers in this order."""

    def __init__(self, *answers: OffsetFetchResponse_v3) -> None:
        committed.heed_refusals()
        self._answers = list(answers)
        self.lost = 0
        self._coordinator = GroupCoordinator.__new__(GroupCoordinator)
        self._coordinator.group_id = "lotrisk"
        self._coordinator.coordinator_id = 1
        self._coordinator._retry_backoff_ms = 1
        self._coordinator._client = SimpleNamespace(send=self._send)
        self._coordinator.ensure_coordinator_known = self._known
        self._coordinator.coordinator_dead = self._dead

    async def _send(self, *_: Any, **__: Any) -> OffsetFetchResponse_v3:
        return self._answers.pop(0)

    async def _known(self) -> None:
        pass

    def _dead(self) -> None:
        self.lost += 1

    def offset(self) -> int | None:
        found = asyncio.run(self._coordinator.fetch_committed_offsets([LANE]))
        return found[LANE].offset if LANE in found else None


def test_what_is_committed_and_what_is_not() -> None:
    assert Asked(COMMITTED).offset() == 8_603
    assert Asked(NOTHING).offset() is None


@pytest.mark.parametrize(("code", "lost"), [(LOADING, 0), (NOT_AVAILABLE, 1), (NOT_COORDINATOR, 1)])
def test_a_refusal_is_asked_again(code: int, lost: int) -> None:
    asked = Asked(refused(code), refused(code), COMMITTED)
    assert asked.offset() == 8_603
    assert asked.lost == 2 * lost, "another coordinator is looked for"


def test_a_refusal_for_good_is_raised() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        Asked(refused(DENIED)).offset()


def test_what_is_replaced_is_as_it_was_written_for() -> None:
    assert list(inspect.signature(committed._send).parameters) == ["self", "request"]
    assert "await self._send_req(request)" in inspect.getsource(GroupCoordinator._do_fetch_commit_offsets)
