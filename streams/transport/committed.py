"""Committed offsets as the brokers mean them: a refusal is no answer.

A coordinator that isn't one (any more, or not yet: a broker that starts) refuses the question for committed offsets as
a whole, and names no partition. aiokafka looks at the partitions only, finds none, and says that nothing was committed:
a worker would begin its partitions anew, and publish again what its state no longer knows the order of.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

_send = GroupCoordinator._send_req


async def _send_req(coordinator: GroupCoordinator, request: Any) -> Any:
    """As aiokafka's own, and it raises what the brokers refuse with: the caller asks again where that may help."""
    response = await _send(coordinator, request)
    if isinstance(request, OffsetFetchRequest) and (code := getattr(response, "error_code", 0)):
        error = for_code(code)
        if error in (NotCoordinatorForGroupError, GroupCoordinatorNotAvailableError):
            coordinator.coordinator_dead()
        raise error()
    return response


def heed_refusals() -> None:
    """From now on every aiokafka consumer of this process takes a refusal for what it is."""
    GroupCoordinator._send_req = _send_req
