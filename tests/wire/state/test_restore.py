"""A state is the compacted enriched topic: restored by position from its checkpoint, or built anew."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable
from contextlib import closing

import pytest
from prometheus_client import CollectorRegistry

from schemas.enriched import OWNED_FIELDS_VEHICLE
from streams.instruments import Metrics
from streams.settings import Settings
from streams.state.codec.checkpoint import Checkpoint
from streams.state.errors import StateError, StateLockedError
from streams.state.partition import Place, RocksState
from streams.state.restore import RestoreProgress
from streams.state.store import StateStore
from streams.state.verdict import Rebuilt
from streams.state.view import Gone, Held
from streams.topics import VEHICLES, VEHICLES_ENRICHED
from tests.wire import kafka_io
from tests.wire.kafka_io import Raw
from tests.wire.state.publishing import Published, car, lot_of, publish, sold

CARS = [*(car(number, number) for number in range(40)), sold(3, 41), car(4, 42, price=9_000), sold(5, 43)]


class Worker:
    """One process' store, with a clock that a test moves, and what was said of its restores."""

    def __init__(self, settings: Settings, *, ahead_seconds: float = 0.0) -> None:
        self.settings = settings
        self.ahead_seconds = ahead_seconds
        self.told: list[RestoreProgress] = []
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.store = StateStore(
            settings,
            metrics=self.metrics,
            progress=self.told.append,
            clock=lambda: time.time() + self.ahead_seconds,
            lock_wait_seconds=0.5,
        )

    def close(self) -> None:
        """As at the worker's end."""
        self.store.close()

    def state(self, partition: int) -> RocksState:
        """The state of a partition of the vehicles."""
        prefix = self.settings.topic_prefix
        names = VEHICLES.full_name(prefix), VEHICLES_ENRICHED.full_name(prefix)
        return self.store.state(Place(*names, partition, OWNED_FIELDS_VEHICLE))

    def restore(self, *partitions: int) -> dict[int, RestoreProgress]:
        """Restore these partitions together; the last that was said of each."""
        self.told.clear()
        asyncio.run(self.store.restore([self.state(partition) for partition in partitions]))
        return {told.partition: told for told in self.told}

    def lot(self, partition: int = 0) -> dict[bytes, Held]:
        """All that is held of a partition."""
        lot: dict[bytes, Held] = {}
        after: bytes | None = None
        while True:
            records, after, *_ = self.state(partition).scan(after, limit=7)
            lot.update(records)
            if after is None:
                return lot

    def shown(self, metric: str, partition: int = 0, **labels: str) -> float | None:
        """A sample as a scrape sees it."""
        topic = VEHICLES.full_name(self.settings.topic_prefix)
        more = labels or {"partition": str(partition)}
        return self.registry.get_sample_value(metric, {"topic": topic, **more})

    def position(self, partition: int = 0) -> int:
        """Where the checkpoint stands."""
        checkpoint = self.state(partition).checkpoint
        assert checkpoint is not None
        return checkpoint.position


@pytest.fixture
def worker(settings: Settings) -> Iterable[Worker]:
    """A worker on the shared broker, the enriched topic made."""
    kafka_io.create_topics(settings, [VEHICLES_ENRICHED])
    with closing(Worker(settings)) as made:
        yield made


def put(settings: Settings, records: Iterable[Published], **how: object) -> int:
    """Publish and wait; the offset after the last record."""
    return asyncio.run(publish(settings, records, **how))  # type: ignore[arg-type]  # publish's own keywords


def test_whatever_stands_at_the_end_every_partition_is_restored_to_it(settings: Settings, worker: Worker) -> None:
    """Records, an aborted transaction; nothing but markers; nothing at all; a record of nobody's and an older one."""
    put(settings, CARS, partition=0, transactional_id="a")
    put(settings, [car(0, 90, price=1), sold(1, 91)], partition=0, transactional_id="a", abort=True)
    put(settings, [car(7, 7)], partition=1, transactional_id="b", abort=True)
    kafka_io.produce(
        settings, VEHICLES_ENRICHED,
        [Raw(b"no json", b"D1:x", partition=3),
         Raw(b'{"vin":"V","origin":{},"flags":[],"book":"1.0.3.2026-01-01"}', b"D1:V", partition=3)],
    )  # fmt: skip
    ends = kafka_io.end_offsets(settings, VEHICLES_ENRICHED, "read_committed")
    assert (ends[0] > len(CARS) + 2, ends[1], ends[2]) == (True, 2, 0), "markers and an aborted tail are there"

    told = worker.restore(0, 1, 2, 3)

    assert worker.lot(0) == lot_of(CARS)
    assert (worker.lot(1), worker.lot(2)) == ({}, {})
    [(key, old)] = worker.lot(3).items()
    assert (key, old.canonical, str(old.book)) == (b"D1:V", b'{"vin":"V"}', "1.0.3.2026-01-01")
    assert worker.state(3).unreadable == 1
    assert {number: worker.position(number) for number in range(4)} == ends
    assert {number: (last.restored, last.remaining, last.done) for number, last in told.items()} == {
        0: (len(CARS), 0, True), 1: (0, 0, True), 2: (0, 0, True), 3: (2, 0, True),
    }  # fmt: skip


def test_a_crash_between_commit_and_local_write_is_repaired_from_the_checkpoint(
    settings: Settings, worker: Worker
) -> None:
    first, second, third = CARS[:20], CARS[20:30], CARS[30:]
    put(settings, first, transactional_id="a")
    worker.restore(0)
    applied = put(settings, second, transactional_id="a")
    worker.state(0).apply({record.key: record.outcome for record in second}, applied)
    put(settings, third, transactional_id="a")
    worker.close()

    with closing(Worker(settings)) as restarted:
        told = restarted.restore(0)
        assert restarted.lot() == lot_of(CARS)
        assert (told[0].restored, told[0].rebuilt) == (len(third), None), "only what came after the checkpoint is read"


def test_a_state_stays_open_across_a_rebalance_and_reads_only_what_another_owner_wrote(
    settings: Settings, worker: Worker
) -> None:
    put(settings, CARS[:30], transactional_id="a")
    worker.restore(0, 1)
    kept, given_away = worker.state(0), worker.state(1)
    put(settings, CARS[30:], transactional_id="a")
    worker.store.close_except({(kept.place.source, 0)})

    told = worker.restore(0)

    assert (worker.state(0), told[0].restored) == (kept, len(CARS) - 30)
    assert worker.lot() == lot_of(CARS)
    assert not given_away.is_open
    with closing(Worker(settings)) as other:
        other.restore(1)


def test_a_state_that_a_killed_worker_had_not_filled_is_built_anew(settings: Settings, worker: Worker) -> None:
    put(settings, CARS, transactional_id="a")
    half = worker.state(0)
    half.open()
    half.begin_filling()
    half.take_in([car(3, 3), car(77, 77)], Checkpoint(VEHICLES_ENRICHED.full_name(settings.topic_prefix), "id", 9, 0))
    worker.close()

    with closing(Worker(settings)) as restarted:
        told = restarted.restore(0)
        assert (told[0].restored, told[0].rebuilt) == (len(CARS), Rebuilt.UNFINISHED)
        assert restarted.lot() == lot_of(CARS)
        assert restarted.shown("lotrisk_state_discarded_total", reason="unfinished") == 1


def test_more_partitions_than_are_filled_at_once_come_to_their_ends(settings: Settings, worker: Worker) -> None:
    for number in range(4):
        put(settings, CARS[: 10 * number + 10], partition=number)
    assert all(told.done for told in worker.restore(0, 2).values())
    assert all(told.done for told in worker.restore(0, 1, 2, 3).values())
    assert [worker.lot(number) for number in range(4)] == [lot_of(CARS[: 10 * number + 10]) for number in range(4)]
    worker.close()
    with closing(Worker(settings)) as restarted:
        assert {told.restored for told in restarted.restore(0, 1, 2, 3).values()} == {0}


def test_a_directory_in_use_is_waited_for_a_while_and_then_refused(settings: Settings, worker: Worker) -> None:
    """Another worker on this machine gives it up when its own rebalance is complete."""
    put(settings, CARS, transactional_id="a")
    with closing(Worker(settings)) as other:
        other.restore(0)
        with pytest.raises(StateLockedError, match="LOTRISK_STATE_DIR of its own"):
            worker.restore(0)

        async def given_up_meanwhile() -> None:
            asyncio.get_running_loop().call_later(0.1, other.close)
            await worker.store.restore([worker.state(0)])

        asyncio.run(given_up_meanwhile())
    assert worker.lot() == lot_of(CARS)


def test_a_restart_with_nothing_new_reads_nothing(settings: Settings, worker: Worker) -> None:
    put(settings, CARS, transactional_id="a")
    worker.restore(0)
    worker.close()
    month = 30 * 86_400
    with closing(Worker(settings, ahead_seconds=month)) as restarted:
        told = restarted.restore(0)
        assert (told[0].restored, told[0].rebuilt) == (0, None), "nothing was written since: its age is no matter"
        assert restarted.lot() == lot_of(CARS)


def test_an_old_checkpoint_is_thrown_away(settings: Settings, worker: Worker) -> None:
    put(settings, CARS[:10], transactional_id="a")
    worker.restore(0)
    worker.close()
    put(settings, CARS[10:], transactional_id="a")
    half_a_day = 43_200
    with closing(Worker(settings, ahead_seconds=half_a_day - 60)) as younger:
        assert younger.restore(0)[0].rebuilt is None
    put(settings, [car(99, 99)], transactional_id="a")
    with closing(Worker(settings, ahead_seconds=2 * half_a_day)) as older:
        told = older.restore(0)
        assert (told[0].rebuilt, told[0].restored) == (Rebuilt.TOO_OLD, len(CARS) + 1)
        assert older.lot() == lot_of([*CARS, car(99, 99)])


def test_what_is_held_and_how_a_restore_goes_is_shown(settings: Settings, worker: Worker) -> None:
    put(settings, CARS, transactional_id="a")
    assert worker.shown("lotrisk_state_keys") is None
    worker.restore(0, 1)
    assert worker.shown("lotrisk_state_restored_records") == len(CARS)
    assert worker.shown("lotrisk_state_restored_records", 1) == 0
    assert worker.shown("lotrisk_state_restore_remaining_records") == 0
    assert (worker.shown("lotrisk_state_restore_seconds") or 0) > 0
    assert abs((worker.shown("lotrisk_state_keys") or 0) - len(lot_of(CARS))) <= 4, "RocksDB takes off two a removal"
    assert (worker.shown("lotrisk_state_disk_bytes") or 0) > 1000
    worker.ahead_seconds = 90
    worker.metrics.look()
    assert 89 < (worker.shown("lotrisk_state_checkpoint_age_seconds") or 0) < 150
    assert worker.shown("lotrisk_state_discarded_total", reason="too_old") is None

    put(settings, [car(5, 50)], transactional_id="a")
    worker.ahead_seconds = 48 * 3600
    worker.restore(0)
    assert worker.shown("lotrisk_state_discarded_total", reason="too_old") == 1
    assert worker.shown("lotrisk_state_restored_records") == len(CARS) + 1

    worker.store.close_except(())
    assert worker.shown("lotrisk_state_keys") is None


def test_a_topic_made_anew_empties_the_state(settings: Settings, worker: Worker) -> None:
    put(settings, CARS, transactional_id="a")
    worker.restore(0)
    kafka_io.delete_topics(settings)
    kafka_io.wait_until(lambda: not topics_of(settings), what="the topic is gone")
    kafka_io.create_topics(settings, [VEHICLES_ENRICHED])
    put(settings, [car(n, n) for n in range(100, 200)], transactional_id="b")

    told = worker.restore(0)

    assert told[0].rebuilt is Rebuilt.TOPIC_RECREATED
    assert worker.lot() == lot_of(car(n, n) for n in range(100, 200))


def test_a_checkpoint_ahead_of_the_topic_or_of_another_format_is_thrown_away(
    settings: Settings, worker: Worker
) -> None:
    put(settings, CARS, transactional_id="a")
    for change, why in (({"position": 10**6}, Rebuilt.AHEAD), ({"format": 0}, Rebuilt.FORMAT)):
        worker.restore(0)
        checkpoint = worker.state(0).checkpoint
        assert checkpoint is not None
        fields = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
        worker.state(0).take_in((), Checkpoint(**(fields | change)))
        assert worker.restore(0)[0].rebuilt is why
        assert worker.lot() == lot_of(CARS)


@pytest.mark.parametrize("victim", ["MANIFEST-*", "CURRENT", "*.log", "*.sst"])
def test_a_damaged_directory_is_built_anew(settings: Settings, worker: Worker, victim: str) -> None:
    put(settings, CARS, transactional_id="a")
    worker.restore(0)
    worker.close()
    with closing(Worker(settings)) as again:  # the log of the first becomes a table
        again.restore(0)
        directory = again.state(0).directory
    if victim == "*.log":
        # A torn log is a crash, not damage: what it had is read from the topic again.
        for log in directory.glob("*.log"):
            log.write_bytes(b"\0" * 10_000)
    else:
        for file in directory.glob(victim):
            file.write_bytes(b"rubbish" * 100)
    with closing(Worker(settings)) as restarted:
        told = restarted.restore(0)
        assert told[0].rebuilt is (None if victim == "*.log" else Rebuilt.DAMAGED)
        assert restarted.lot() == lot_of(CARS)


def test_at_least_once_a_zombies_stale_write_is_ignored_and_a_newer_owners_is_read(
    settings: Settings, worker: Worker
) -> None:
    loose = settings.model_copy(update={"processing_guarantee": "at_least_once"})
    with closing(Worker(loose)) as mine:
        put(settings, [car(1, 10), car(2, 11), car(3, 12)])
        mine.restore(0)
        state = mine.state(0)
        # Another worker went on meanwhile, and this one comes back to write once more.
        put(settings, [car(1, 20, price=1), sold(2, 21)])
        late = [car(1, 13), car(3, 14, price=5)]
        position = put(settings, late)
        first = position - len(late)
        assert state.apply({record.key: record.outcome for record in late}, position, first=first) == 0
        assert mine.position() == 3, "what came between was not seen: the checkpoint stays before it"

        mine.restore(0)
        # A stale removal, and a stale return of what was sold.
        put(settings, [sold(1, 15), car(2, 15)])
        mine.restore(0)

        assert mine.lot() == lot_of([car(1, 20, price=1), car(3, 14, price=5)])
        assert state.held(b"D1:2") is None
        marker = state.marker(b"D1:2")
        assert marker is not None
        assert marker.order == Gone(sold(2, 21).outcome.order).order


def test_without_its_topic_the_restore_says_what_to_do(settings: Settings) -> None:
    with (
        closing(Worker(settings)) as worker,
        pytest.raises(StateError, match=r"vehicles\.enriched\. Run `lotrisk topics apply`"),
    ):
        worker.restore(0)


def test_the_loop_goes_on_while_many_are_restored(settings: Settings, worker: Worker) -> None:
    """Heartbeats need their turns: never more than a few slices' time between two."""
    put(settings, [car(number, number, pad=1500) for number in range(6000)], transactional_id="a")

    async def watched() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        await worker.store.restore([worker.state(0)])
        counting.cancel()
        return turns

    assert asyncio.run(watched()) >= 6000 / 1000
    assert len(worker.lot()) == 6000
    restored = [told.restored for told in worker.told]
    assert restored == sorted(restored)
    assert max(later - earlier for earlier, later in itertools.pairwise(restored)) <= 1000


def test_a_restore_that_was_overtaken_ends_and_the_next_goes_on_from_there(settings: Settings, worker: Worker) -> None:
    cars = [car(number, number, pad=1500) for number in range(6000)]
    put(settings, cars, transactional_id="a")

    asyncio.run(worker.store.restore([worker.state(0)], overtaken=lambda: any(told.restored for told in worker.told)))

    reached = worker.told[-1].restored
    assert 0 < reached < len(cars)
    assert not worker.told[-1].done
    assert worker.position() < len(cars)
    told = worker.restore(0)[0]
    assert (told.restored, told.rebuilt, told.done) == (len(cars) - reached, None, True)
    assert worker.lot() == lot_of(cars)


def topics_of(settings: Settings) -> list[str]:
    """The topics under the test's prefix."""
    with closing(kafka_io.admin(settings)) as client:
        return [name for name in client.list_topics() if name.startswith(settings.topic_prefix)]
