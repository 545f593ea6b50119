"""When the groups are judged after a new book: once every partition that adds to them is right under it.

Each lane that has brought what it holds up to a book tells its totals and then, in every partition of `lotrisk.totals`,
that it is there. Until all have said so, what a lane of groups would judge is a mixture of two books, and its flags
would rise, change and clear within seconds; so it waits, and judges each group once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Final

from streams.enrich.group_totals import read_rated
from streams.policy.book import BookNumber
from streams.transport.batch import RecordBatch

PATIENCE_SECONDS: Final = 60.0
"""How long groups wait for a partition, and a lane with its totals for its own re-rating; well below `stall_seconds`.
Then they go on, and say whose records are not all right yet."""
LOOK_SECONDS: Final = 0.02
"""How often a batch that waits is looked at for what has joined it."""


class Settling:
    """How far the partitions that add to groups are, as one lane of groups has read it. Belongs to that lane.

    Nothing is remembered on disk: whenever lanes are handed out anew, on whatever worker, each of them says it again.
    """

    def __init__(self, sources: Collection[str], clock: Callable[[], float] = time.monotonic) -> None:
        """`sources`: the input partitions, `topic/partition`; `clock` gives seconds."""
        self._rated: dict[str, BookNumber | None] = dict.fromkeys(sources)
        self._clock = clock
        self._since: float | None = None
        self._looked_at: RecordBatch | None = None
        self._seen = 0

    def look(self, batch: RecordBatch | None) -> None:
        """Take in what a batch that is not rated yet says; asked again, only what has joined it since."""
        if batch is None:
            return
        if batch is not self._looked_at:
            self._looked_at, self._seen = batch, 0
        for record in batch.records[self._seen :]:
            told = read_rated(record.key, record.value)
            if told is not None and told.source in self._rated:
                self._rated[told.source] = told.book
        self._seen = len(batch.records)

    def behind(self, book: BookNumber) -> frozenset[str]:
        """The partitions that have not said that they are right under `book`, or a higher one."""
        return frozenset(source for source, rated in self._rated.items() if rated is None or rated < book)

    def seconds_left(self, book: BookNumber) -> float:
        """How long the groups still wait with `book`; 0 or less: they are judged now, whoever is behind.

        The time counts from when somebody was behind first: books that follow each other closely don't mute for ever.
        """
        if not self.behind(book):
            self._since = None
            return 0.0
        if self._since is None:
            self._since = self._clock()
        return self._since + PATIENCE_SECONDS - self._clock()
