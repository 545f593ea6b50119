"""A lease: open, draining, closed."""

from __future__ import annotations

import asyncio

from streams.transport.lease import Lease, LeaseState


def test_an_open_lease_lets_work_begin_and_end() -> None:
    lease = Lease(3)
    assert lease.begin()
    assert not lease.idle
    lease.end()
    assert lease.idle


def test_draining_waits_for_the_work_begun_and_lets_none_begin() -> None:
    async def scene() -> None:
        lease = Lease(1)
        assert lease.begin()
        drained = asyncio.ensure_future(lease.drain(5))
        await asyncio.sleep(0)
        assert lease.state is LeaseState.DRAINING
        assert lease.allows_sending
        assert not lease.begin()
        lease.end()
        assert await drained
        assert lease.state is LeaseState.CLOSED

    asyncio.run(scene())


def test_a_drain_that_takes_too_long_closes_all_the_same() -> None:
    async def scene() -> None:
        lease = Lease(1)
        lease.begin()
        assert not await lease.drain(0.01)
        assert not lease.allows_sending
        assert not lease.begin()

    asyncio.run(scene())


def test_a_closed_lease_is_not_waited_for_again() -> None:
    """Revoke and stop may both drain; the second must not take another bound."""

    async def scene() -> None:
        lease = Lease(1)
        lease.begin()
        await lease.drain(0.01)
        assert not await asyncio.wait_for(lease.drain(60), 1)
        lease.end()
        assert await asyncio.wait_for(lease.drain(60), 1)

    asyncio.run(scene())


def test_an_idle_lease_closes_at_once() -> None:
    async def scene() -> None:
        lease = Lease(1)
        assert await asyncio.wait_for(lease.drain(60), 1)
        assert lease.state is LeaseState.CLOSED

    asyncio.run(scene())
