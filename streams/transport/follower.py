"""The follower of `trade.policy`: every worker reads all of it before it joins the group, then goes on reading.

start:   read to the last stable offset, refuse a log that lost records, make the book
follow:  records of a commit are taken in; a book is made only at the last stable offset, so one event is one book
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams import failpoints
from streams.connection import aiokafka_options
from streams.instruments import Metrics
from streams.settings import Settings
from streams.topics import POLICY
from streams.transport.books import Books
from streams.transport.heartbeat import read_standings
from streams.transport.pace import in_turns
from streams.transport.policy_log import EPOCH_KEY, PolicyLog, Refused
from streams.transport.preflight import TopicsNotReadyError, described_topics
from streams.transport.reading import STALLED_SECONDS, how_to_mend, why_unseen

log = logging.getLogger(__name__)

POLL_MS = 200
SHOWN_REFUSED = 10
"""Refused records named in a heartbeat; the metric counts all."""


class PolicyTopicError(TopicsNotReadyError):
    """`trade.policy` is missing, was made anew or lost records; the message says what to do."""


@dataclass(frozen=True, slots=True)
class PolicyStanding:
    """How far a worker has read `trade.policy`: the topic's id, the epoch, and the next offset."""

    topic_id: str
    epoch: int
    position: int


def lost_records(now: PolicyStanding, seen: Iterable[PolicyStanding]) -> str | None:
    """Why what stands on the topic can't be all that workers have read before; None if it can.

    A higher epoch answers for everything: it begins the log anew on purpose.
    """
    for before in sorted(seen, key=lambda one: one.epoch, reverse=True):
        if before.epoch > now.epoch:
            return f"it is at epoch {now.epoch}, and workers have been at epoch {before.epoch}"
        if before.epoch == now.epoch:
            if before.topic_id != now.topic_id and before.position > 0:
                return f"it was made anew (topic id {now.topic_id}; workers have read {before.topic_id})"
            if before.topic_id == now.topic_id and before.position > now.position:
                return f"it ends at offset {now.position}, and workers have read to {before.position}"
    return None


class PolicyFollower:
    """Reads `trade.policy` into `books`. Belongs to the app's loop."""

    def __init__(
        self,
        settings: Settings,
        books: Books,
        metrics: Metrics,
        fatal: Callable[[BaseException], None],
    ) -> None:
        """`fatal` is told when following can't go on: the book would be stale without a word."""
        self._settings = settings
        self._books = books
        self._metrics = metrics
        self._fatal = fatal
        self._topic = POLICY.full_name(settings.topic_prefix)
        self._tp = TopicPartition(self._topic, 0)
        self._log = PolicyLog(books.reference.trade)
        self._standing: PolicyStanding | None = None
        self._refused: tuple[Refused, ...] = ()
        self._expected = 0
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[], None]] = []

    def on_read(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when the follower has taken in more, whether or not it made a book."""
        self._listeners.append(listener)

    def report(self) -> dict[str, object]:
        """What a heartbeat says of it: standing, number of refused records, and the latest of them."""
        if self._standing is None:
            return {}
        return {
            "policy": asdict(self._standing),
            "rejected_measures": len(self._refused),
            "rejected": [one._asdict() for one in self._refused[-SHOWN_REFUSED:]],
        }

    async def start(self) -> None:
        """Read to the end, make the book, and begin to follow; before the group is joined.

        Raises:
            PolicyTopicError: the topic is missing, or holds less than workers have read before.
            TimeoutError: the end was not reached although nothing moved for half a minute.
        """
        topic_id = await asyncio.to_thread(self._topic_id)
        seen = [PolicyStanding(*found) for found in await read_standings(self._settings)]
        self._consumer = consumer = AIOKafkaConsumer(
            group_id=None,
            isolation_level="read_committed",
            auto_offset_reset="none",
            enable_auto_commit=False,
            fetch_max_wait_ms=POLL_MS,
            **aiokafka_options(self._settings),
        )
        await consumer.start()
        consumer.assign([self._tp])
        try:
            await self._read_all(consumer, topic_id, seen)
        except BaseException:
            await self.stop()
            raise
        self._task = asyncio.get_running_loop().create_task(self._follow(consumer, topic_id), name="policy")

    async def stop(self) -> None:
        """Stop following; safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    async def _read_all(self, consumer: AIOKafkaConsumer, topic_id: str, seen: Iterable[PolicyStanding]) -> None:
        begin = (await consumer.beginning_offsets([self._tp]))[self._tp]
        end = (await consumer.end_offsets([self._tp]))[self._tp]
        consumer.seek(self._tp, begin)
        self._expected = begin
        whole = begin == 0
        loop = asyncio.get_running_loop()
        moved, position = loop.time(), begin
        while position < max(end, consumer.last_stable_offset(self._tp) or 0):
            for record in (await consumer.getmany(self._tp, timeout_ms=POLL_MS)).get(self._tp, ()):
                whole = whole or record.key == EPOCH_KEY
                await self._take(record)
            now = await consumer.position(self._tp)
            if now != position:
                moved, position = loop.time(), now
            elif loop.time() - moved > STALLED_SECONDS:
                raise TimeoutError(f"{self._topic}: stands at {position}, the end is {end}")
        standing = PolicyStanding(topic_id, self._log.epoch, position)
        problem = None if whole else f"it begins at offset {begin}: its first records are gone"
        if problem := problem or lost_records(standing, seen):
            raise PolicyTopicError(
                f"{self._topic}: {problem}. Measures would silently be missing: restore them with "
                "`lotrisk policy import FILE`, which begins a new epoch (an empty file drops them all)"
            )
        await self._settle(standing)
        log.info("policy read to offset %d: book %s", position, self._books.number)

    async def _follow(self, consumer: AIOKafkaConsumer, topic_id: str) -> None:
        try:
            while True:
                found = await consumer.getmany(self._tp, timeout_ms=POLL_MS)
                for record in found.get(self._tp, ()):
                    await self._take(record)
                position = await consumer.position(self._tp)
                standing = PolicyStanding(topic_id, self._log.epoch, position)
                if standing != self._standing and position >= (consumer.last_stable_offset(self._tp) or 0):
                    await self._settle(standing)
                self._books.look()
        except Exception as error:
            self._fatal(error)

    async def _take(self, record: ConsumerRecord[bytes, bytes]) -> None:
        offset = record.offset
        if offset < self._expected:
            raise PolicyTopicError(f"{self._topic}: offset {offset} came after {self._expected - 1}; was it made anew?")
        self._expected = offset + 1
        # In a thread: compiling what a record fits into takes some 0.1 s, and the lanes go on meanwhile.
        refused = await asyncio.to_thread(self._log.apply, offset, record.key, record.value, record.timestamp)
        if refused is not None:
            log.error("%s: offset %d: %s: not taken: %s", self._topic, *refused)

    async def _settle(self, standing: PolicyStanding) -> None:
        known = self._log
        number = self._books.number
        if (known.epoch, known.offset) > (number.epoch, number.offset):
            prepared = await asyncio.to_thread(
                self._books.prepare, known.overrides, known.epoch, known.offset, known.changed_ms
            )
            await in_turns(prepared.steps)
            await failpoints.reach("book.prepared")
            self._books.publish(prepared)
            await failpoints.reach("book.changed")
        self._standing, self._refused = standing, known.refused
        self._metrics.policy_refused(len(self._refused))
        for listener in self._listeners:
            listener()

    def _topic_id(self) -> str:
        described = described_topics(self._settings, [self._topic])[self._topic]
        problem = why_unseen(self._topic, described["error_code"])
        if problem is not None:
            raise PolicyTopicError(f"{problem}. {how_to_mend([problem])}.")
        return str(described["topic_id"])
