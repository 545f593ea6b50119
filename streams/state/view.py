"""What a lane asks about what it published before, and what it tells after each commit.

The view is the compacted enriched topic, materialised: for each key the last enriched record, taken apart. One view a
partition; it belongs to its lane, and nobody else touches it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple, Protocol

from schemas.cloudevents import OrderKey
from streams.enrich.contribution import NOTHING
from streams.enrich.totals import Totals
from streams.policy.book import BookNumber
from streams.state.order import NO_BOOK


class Held(NamedTuple):
    """What was last published under a key.

    `digest`: 16 bytes of body and flags, by `streams.state.layout.digest_of`; all zero where the record is an older
    release's and so never counts as unchanged. `order`: as published. `updated_at_ms`: when the DMS changed the record,
    Unix milliseconds, None where it doesn't say. `book`: the one the record is known to be right under; it rises above
    the order key's with what all that is held has reached. `flags`: the JSON array of open flags. `canonical`: the
    record as the DMS sent it; None where it wasn't asked for, and in `apply` where it stays the one held.
    `contribution`: what the record adds to the totals (`streams.enrich.contribution`). `replaces`: in `apply`, the
    contribution held before.
    """

    digest: bytes
    order: OrderKey
    updated_at_ms: int | None
    book: BookNumber
    flags: bytes
    canonical: bytes | None = None
    contribution: bytes = NOTHING
    replaces: bytes = NOTHING


class Gone(NamedTuple):
    """A tombstone was published; `replaces`: the contribution held before."""

    order: OrderKey
    replaces: bytes = NOTHING


class Slice(NamedTuple):
    """A part of a scan. `after`: where the next one begins, None when it is through; `passed`: keys looked at.

    `above`: the highest book of those passed that is above the one asked for, None where there is none. `left_out`: how
    many were not taken because `leave_out` said so.
    """

    records: list[tuple[bytes, Held]]
    after: bytes | None
    passed: int
    above: BookNumber | None = None
    left_out: int = 0


class PartitionState(Protocol):
    """The state of one input partition."""

    @property
    def totals(self) -> Totals | None:
        """The sums over what is held; None where nothing is summed."""

    @property
    def position(self) -> tuple[str, int]:
        """Id of the enriched topic, and up to where its partition is in the state and the totals."""

    def told(self, change: int) -> None:
        """Note that the totals up to this change stand on `lotrisk.totals`."""

    async def restore(self) -> None:
        """Bring the view to the end of the enriched partition; after the producer's start, before the first batch."""

    def look_up(self, keys: Sequence[bytes]) -> None:
        """Read ahead what `held` will be asked for: together it takes two thirds of the time."""

    def held(self, key: bytes) -> Held | None:
        """What was last published under `key`, without its canonical record; None for a new or a removed one."""

    def canonical(self, key: bytes) -> bytes | None:
        """The canonical record held under `key`; None for a new or a removed one."""

    def apply(self, published: Mapping[bytes, Held | Gone], position: int | None, *, first: int | None = None) -> int:
        """Take in what a committed batch published, in one write with the checkpoint. Never before the commit.

        Args:
            published: the last outcome of each key.
            position: the offset after the batch's last record in the *enriched* partition; None where it published
                nothing there.
            first: the offset of its first record there; needed in at least once, where another writer may have come
                between (then the checkpoint stays and the next restore reads what it wrote).

        Returns how many were ignored because what is held has a higher order key (at least once only).
        """

    @property
    def reached(self) -> BookNumber:
        """The book under which all that is held is known to be right, whatever lower one it was published under."""

    def reach(self, book: BookNumber) -> None:
        """Note that all that is held is right under `book`; one that is not above what is reached is ignored."""

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
        """Records in key order, after the key `after`; with `below` only those whose book is lower.

        A slice ends after `limit` records or `seconds`, whichever comes first, and always looks at one key at least.
        `leave_out`, asked with key and canonical record of those that are right under what is reached and no higher
        book, tells which are not taken.
        """

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
        """One `scan` after the other, of what was held when the first began: close it before anything is written."""

    def estimate(self) -> int:
        """How many keys are held, about."""

    def disk_bytes(self) -> int:
        """How much the state takes on disk."""


class EveryRecordNew:
    """The state that remembers nothing: no record is unchanged or superseded, nothing is there to rate again."""

    totals = None
    position = ("", 0)

    def told(self, change: int) -> None:
        """Nothing to note."""

    async def restore(self) -> None:
        """Nothing to restore."""

    def look_up(self, keys: Sequence[bytes]) -> None:
        """Nothing to read."""

    def held(self, key: bytes) -> Held | None:
        """Always None."""
        return None

    def canonical(self, key: bytes) -> bytes | None:
        """Always None."""
        return None

    def apply(self, published: Mapping[bytes, Held | Gone], position: int | None, *, first: int | None = None) -> int:
        """Forget it."""
        return 0

    @property
    def reached(self) -> BookNumber:
        """Below every book."""
        return NO_BOOK

    def reach(self, book: BookNumber) -> None:
        """Nothing to note."""

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
        """Always through, with nothing."""
        return Slice([], None, 0)

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
        """One, with nothing."""
        yield self.scan()

    def estimate(self) -> int:
        """Always 0."""
        return 0

    def disk_bytes(self) -> int:
        """Always 0."""
        return 0
