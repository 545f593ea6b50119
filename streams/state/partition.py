"""The state of one partition in RocksDB."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from rocksdict import WriteBatch

from streams.enrich import contribution
from streams.enrich.totals import Totals
from streams.policy.book import BookNumber
from streams.state import markers, sums
from streams.state.codec.checkpoint import Checkpoint
from streams.state.codec.held import (
    Marker,
    book_text,
    contribution_of,
    decode_held,
    decode_marker,
    is_live,
    order_of,
)
from streams.state.errors import StateDamagedError, StateError, is_rocksdb, translate
from streams.state.filling import Filling, Fresh
from streams.state.order import NO_BOOK, book_number, is_stale
from streams.state.outcomes import Outcome, outcomes_of, outcomes_read
from streams.state.rocks import Database, Memory, mark_damaged, throw_away
from streams.state.scan import slices
from streams.state.slices import PublishedRecord
from streams.state.view import Gone, Held, Slice

_CHECKPOINT: Final = b"checkpoint"
_REACHED: Final = b"reached"
"""In the meta data: the book under which all that is held is right, whatever lower one a head says."""
_LOOKED_UP_MOST: Final = 10_000


class Place(NamedTuple):
    """Which partition a state is of. Names are full topic names; `owned`: lotrisk's member names in its contract."""

    source: str
    enriched: str
    partition: int
    owned: frozenset[str]


class Restoring(Protocol):
    """Restores states together; `streams.state.restore`."""

    async def restore(self, states: Sequence[RocksState]) -> None: ...


class RocksState:
    """See `streams.state.view.PartitionState`. Nothing is opened before `open`; it stays open across rebalances.

    Every method raises StateError where the directory turns out damaged, full or unwritable: the worker has to end. A
    directory that is damaged is marked, and built anew at the next start.
    """

    def __init__(
        self,
        place: Place,
        directory: Path,
        memory: Memory,
        restoring: Restoring,
        *,
        exactly_once: bool,
        now_ms: Callable[[], int],
    ) -> None:
        self.place = place
        self.directory = directory
        self.checkpoint: Checkpoint | None = None
        self.marker_ms = 0
        """How long a tombstone's marker is kept; set by a restore from the topic's `delete.retention.ms`."""
        self.unreadable = 0
        """Records of the enriched topic that were not lotrisk's, since the state was opened."""
        self._memory = memory
        self._restoring = restoring
        self._exactly_once = exactly_once
        self._now_ms = now_ms
        self._database: Database | None = None
        self._next_expiry_ms: int | None = None
        self._totals = Totals()
        self._filling: Filling | None = None
        self._reached = NO_BOOK
        self._looked_up: dict[bytes, bytes | None] = {}
        """Heads that were read since the last write: what is published is written on the same."""

    # -- life

    @property
    def is_open(self) -> bool:
        """Whether its files are open in this process."""
        return self._database is not None

    def open(self) -> None:
        """Open the files and read the checkpoint; nothing where that is done.

        Raises:
            StateLockedError: another process has them.
            StateUnusableError: they can't be read or written.
            StateDamagedError: `reset` mends it.
        """
        if self._database is not None:
            return
        database = Database(self.directory, self._memory)
        try:
            found = database.meta.get(_CHECKPOINT)
            self.checkpoint = Checkpoint.decode(found) if found is not None else None
            self._database = database
            self._next_expiry_ms = next((when for when, _ in markers.stored(database)), None)
            self._totals = sums.stored(database)
            self._filling = None
            reached = database.meta.get(_REACHED)
            self._reached = NO_BOOK if reached is None else book_number(reached.decode())
        except Exception as error:
            self._database = None
            database.close()
            raise translate(error, self.directory) from error

    @property
    def is_unfinished(self) -> bool:
        """Whether an earlier process began to fill it and didn't come to the end; `reset` is all that helps."""
        with self._guarded() as database:
            return self.checkpoint is None and not database.is_new

    def reset(self) -> None:
        """Throw away what is stored and begin anew with nothing."""
        self.close()
        throw_away(self.directory)
        self.checkpoint = None
        self.open()

    def close(self) -> None:
        """Close the files."""
        self._looked_up.clear()
        database, self._database = self._database, None
        if database is not None:
            database.close()

    async def restore(self) -> None:
        """Restore this partition alone; those of one assignment are faster together (`StateStore.restore`)."""
        await self._restoring.restore([self])

    # -- reading

    def look_up(self, keys: Sequence[bytes]) -> None:
        """See PartitionState."""
        with self._guarded() as database:
            if len(self._looked_up) >= _LOOKED_UP_MOST:
                self._looked_up.clear()
            self._looked_up.update(zip(keys, database.find(keys), strict=True))

    def held(self, key: bytes) -> Held | None:
        """See PartitionState."""
        if key not in self._looked_up:
            self.look_up([key])
        head = self._looked_up[key]
        if head is None or not is_live(head):
            return None
        return decode_held(head, None, self._reached)

    def canonical(self, key: bytes) -> bytes | None:
        """See PartitionState."""
        with self._guarded() as database:
            found = database.canonical.get(key)
            assert found is None or isinstance(found, bytes)
            return found

    def marker(self, key: bytes) -> Marker | None:
        """The tombstone remembered under `key`."""
        with self._guarded() as database:
            head = database.heads.get(key)
            return decode_marker(head) if head is not None and not is_live(head) else None

    def scan(
        self,
        after: bytes | None = None,
        *,
        limit: int = 500,
        below: BookNumber | None = None,
        seconds: float = 0.005,
        canonical: bool = True,
        leave_out: Callable[[bytes, bytes], bool] | None = None,
    ) -> Slice:
        """See PartitionState."""
        with closing(
            self.slices(after, limit=limit, below=below, seconds=seconds, canonical=canonical, leave_out=leave_out)
        ) as slices_:
            return next(slices_)

    def slices(
        self,
        after: bytes | None = None,
        *,
        limit: int = 500,
        below: BookNumber | None = None,
        seconds: float = 0.005,
        canonical: bool = True,
        leave_out: Callable[[bytes, bytes], bool] | None = None,
    ) -> Generator[Slice, None, None]:
        """See PartitionState."""
        with self._guarded() as database:
            yield from slices(
                database, after, limit=limit, below=below, seconds=seconds, canonical=canonical,
                reached=self._reached, leave_out=leave_out,
            )  # fmt: skip

    def estimate(self) -> int:
        """See PartitionState."""
        with self._guarded() as database:
            return int(database.heads.property_int_value("rocksdb.estimate-num-keys") or 0)

    def disk_bytes(self) -> int:
        """See PartitionState."""
        with self._guarded() as database:
            return database.disk_bytes()

    # -- totals

    @property
    def totals(self) -> Totals | None:
        """See PartitionState."""
        return self._totals

    @property
    def position(self) -> tuple[str, int]:
        """See PartitionState."""
        assert self.checkpoint is not None, "asked for before it was restored"
        return (self.checkpoint.topic_id, self.checkpoint.position)

    def told(self, change: int) -> None:
        """See PartitionState."""
        with self._guarded() as database:
            batch = WriteBatch(raw_mode=True)
            sums.put_told(batch, change, self._totals.tell(change))
            database.write(batch)

    # -- writing

    def apply(self, published: Mapping[bytes, Held | Gone], position: int | None, *, first: int | None = None) -> int:
        """See PartitionState."""
        before = self.checkpoint
        if before is None:
            raise RuntimeError(f"{self.directory}: written to before it was restored")
        assert self._filling is None, "written to before it was whole"
        now_ms = self._now_ms()
        if self._exactly_once:
            # The commit has just proved that nobody else owns the partition: the state is right as of now.
            after = _moved(before, before.position if position is None else max(position, before.position), now_ms)
        elif position is not None and first is not None and first <= before.position:
            after = _moved(before, max(position, before.position), now_ms)
        else:
            after = before
        outcomes = outcomes_of(published, now_ms + self.marker_ms)
        return self._write(outcomes, after, guard=not self._exactly_once, now_ms=now_ms)

    def take_in(self, records: Iterable[PublishedRecord], checkpoint: Checkpoint) -> int:
        """Take in records of the enriched partition, in order, in one write with the checkpoint they lead to.

        Returns how many were ignored: stale, or not lotrisk's (`unreadable` counts those).
        """
        now_ms = self._now_ms()
        unreadable = self.unreadable
        if self._filling is None:
            stale = self._write(self._read(records, now_ms), checkpoint, guard=True, now_ms=now_ms, foreign=True)
        else:
            fresh, others = self._filling.take_apart(records)
            self._add(fresh)
            stale = self._write(self._read(others, now_ms), None, guard=True, now_ms=now_ms)
            self.checkpoint = checkpoint
        return stale + self.unreadable - unreadable

    def _read(self, records: Iterable[PublishedRecord], now_ms: int) -> Iterator[Outcome]:
        return outcomes_read(records, self.place.owned, now_ms + self.marker_ms, self._count_unreadable)

    def _count_unreadable(self) -> None:
        self.unreadable += 1

    @property
    def is_filling(self) -> bool:
        """Whether it is between `begin_filling` and `end_filling`."""
        return self._filling is not None

    def begin_filling(self) -> None:
        """From here on what is taken in is kept only if `end_filling` is reached; the state has to be new."""
        if self._filling is None:
            self._filling = Filling()

    def end_filling(self) -> None:
        """Keep what was taken in since `begin_filling`, if anything was."""
        if self._filling is None or self.checkpoint is None:
            return
        with self._guarded() as database:
            database.flush()
            batch = WriteBatch(raw_mode=True)
            self._put_checkpoint(batch, self.checkpoint)
            database.write(batch)
        self._filling = None

    def _add(self, fresh: Fresh) -> None:
        self._looked_up.clear()
        with self._guarded() as database:
            batch = WriteBatch(raw_mode=True)
            put, in_heads, in_canonical = batch.put, database.in_heads, database.in_canonical
            for key, head, canonical in fresh.rows:
                put(key, head, in_heads)
                put(key, canonical, in_canonical)
            for part in fresh.sums:
                self._totals.exchange(None, part)
            database.write(batch, logged=False)

    @property
    def reached(self) -> BookNumber:
        """See PartitionState."""
        return self._reached

    def reach(self, book: BookNumber) -> None:
        """See PartitionState."""
        if book > self._reached:
            with self._guarded() as database:
                batch = WriteBatch(raw_mode=True)
                batch.put(_REACHED, str(book).encode())
                database.write(batch)
            self._reached = book

    def _write(
        self,
        outcomes: Iterable[Outcome],
        checkpoint: Checkpoint | None,
        *,
        guard: bool,
        now_ms: int,
        foreign: bool = False,
    ) -> int:
        """Write outcomes, totals and checkpoint at once; with `guard` without the stale ones, whose number it returns.

        Without a checkpoint only outcomes, unlogged: the rest follows in `end_filling`.

        With `guard` the contribution that was held is looked up, too. `foreign`: they are not what this worker has just
        published, so it isn't known which totals of them were told.
        """
        ignored = 0
        exchange, read = self._totals.exchange, contribution.read
        with self._guarded() as database:
            batch = WriteBatch(raw_mode=True)
            put, delete, find = batch.put, batch.delete, database.heads.get
            in_heads, in_canonical = database.in_heads, database.in_canonical
            written: dict[bytes, bytes] = {}
            looked_up, self._looked_up = self._looked_up, {}
            made_ms: int | None = None
            for key, head, canonical, adds, replaced in outcomes:
                if guard:
                    before = written.get(key)
                    if before is None:
                        before = looked_up[key] if key in looked_up else find(key)
                    if before is not None:
                        if is_stale(order_of(head), order_of(before)):
                            ignored += 1
                            continue
                        replaced = contribution_of(before)
                written[key] = head
                if adds is not None or replaced:
                    exchange(read(replaced) if replaced else None, adds)
                if is_live(head):
                    put(key, head, in_heads)
                    if canonical is not None:
                        put(key, canonical, in_canonical)
                    continue
                delete(key, in_canonical)
                if self._exactly_once:
                    delete(key, in_heads)
                    continue
                put(key, head, in_heads)
                expires_ms = decode_marker(head).expires_ms
                put(markers.entry(expires_ms, key), b"")
                made_ms = expires_ms if made_ms is None else min(made_ms, expires_ms)
            next_expiry_ms = self._next_expiry_ms
            if next_expiry_ms is not None and next_expiry_ms <= now_ms:
                next_expiry_ms = markers.forget(database, batch, written, now_ms)
            if made_ms is not None:
                # The batch isn't written yet: `forget` has not seen what it makes.
                next_expiry_ms = made_ms if next_expiry_ms is None else min(next_expiry_ms, made_ms)
            if foreign and written:
                sums.put_untold(batch)
                self._totals.told = None
            keeps_reached = self._is_reached_by(written.values())
            if not keeps_reached:
                # Another worker had an older book.
                delete(_REACHED)
            if checkpoint is not None:
                self._put_checkpoint(batch, checkpoint)
            database.write(batch, logged=checkpoint is not None)
            self._next_expiry_ms = next_expiry_ms
            self.checkpoint = checkpoint or self.checkpoint
            if not keeps_reached:
                self._reached = NO_BOOK
        return ignored

    def _is_reached_by(self, heads: Iterable[bytes]) -> bool:
        """Whether none of these heads is of a lower book than what is reached."""
        reached = self._reached
        if reached == NO_BOOK:
            return True
        texts = {book_text(head) for head in heads if is_live(head)}
        return all(book_number(text.decode()) >= reached for text in texts)

    def _put_checkpoint(self, batch: WriteBatch, checkpoint: Checkpoint) -> None:
        sums.put(batch, self._totals)
        batch.put(_CHECKPOINT, checkpoint.encode())

    @contextmanager
    def _guarded(self) -> Iterator[Database]:
        database = self._database
        if database is None:
            raise self._not_open()
        try:
            yield database
        except Exception as error:
            if not is_rocksdb(error):
                raise
            # No name for the new error: its traceback holds this frame, and so would keep the files open until a
            # collection of garbage.
            raise self._told(error) from error

    def _not_open(self) -> RuntimeError:
        return RuntimeError(f"{self.directory}: used while it is not open")

    def _told(self, error: Exception) -> StateError:
        """The error as one that says what to do; damage is marked, for the next start to mend."""
        told = translate(error, self.directory)
        if isinstance(told, StateDamagedError):
            mark_damaged(self.directory)
        return told


def _moved(checkpoint: Checkpoint, position: int, saved_at_ms: int) -> Checkpoint:
    return Checkpoint(checkpoint.topic, checkpoint.topic_id, position, saved_at_ms)
