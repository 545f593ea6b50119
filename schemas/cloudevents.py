"""Record headers: CloudEvents 1.0 in binary mode for Kafka, the order key, and `traceparent` passed through.

Names and forms are those of the CloudEvents 1.0.2 Kafka protocol binding, section 3.2. Everything in them comes from
the input, never from a clock or a random number: the same input under the same book has the same headers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from schemas import VERSION

SPECVERSION = "ce_specversion"
ID = "ce_id"
SOURCE = "ce_source"
TYPE = "ce_type"
TIME = "ce_time"
DATASCHEMA = "ce_dataschema"
CONTENT_TYPE = "content-type"
TRACEPARENT = "traceparent"
ORDER = "lotrisk.order"
"""Source topic id, source offset and book number; see `OrderKey`."""

Headers = list[tuple[str, bytes]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last moment RFC 3339 can write."""


class EventType(StrEnum):
    """`ce_type` of what lotrisk publishes. A removal is a tombstone: a record without value."""

    VEHICLE_ENRICHED = "lotrisk.vehicle.enriched"
    VEHICLE_REMOVED = "lotrisk.vehicle.removed"
    PART_ENRICHED = "lotrisk.part.enriched"
    PART_REMOVED = "lotrisk.part.removed"
    GROUP_PARTIAL = "lotrisk.group.partial"
    GROUP_PARTIAL_REMOVED = "lotrisk.group.partial_removed"
    GROUP_ENRICHED = "lotrisk.group.enriched"
    GROUP_REMOVED = "lotrisk.group.removed"
    FLAG_RAISED = "lotrisk.flag.raised"
    FLAG_CHANGED = "lotrisk.flag.changed"
    FLAG_CLEARED = "lotrisk.flag.cleared"


_CONTRACT_OF = {
    EventType.VEHICLE_ENRICHED: "enriched-vehicle",
    EventType.PART_ENRICHED: "enriched-part",
    EventType.GROUP_PARTIAL: "group-partial",
    EventType.GROUP_ENRICHED: "enriched-group",
    EventType.FLAG_RAISED: "flag-event",
    EventType.FLAG_CHANGED: "flag-event",
    EventType.FLAG_CLEARED: "flag-event",
}


def schema_uri(contract: str) -> str:
    """The id of a contract's JSON Schema, as it stands in `$id` and in `ce_dataschema`."""
    return f"urn:lotrisk:schema:{contract}:{VERSION}"


def event_id(type: str, topic_id: str, partition: int, offset: int, book: str) -> str:
    """`ce_id`: 32 hexadecimal characters from what the output was made of.

    The same input gives the same id again; A → B → A gives three, since the offsets differ; a new book gives a new one.
    """
    return blake2b(f"{type}\n{topic_id}\n{partition}\n{offset}\n{book}".encode(), digest_size=16).hexdigest()


def rfc3339(timestamp_ms: int) -> str | None:
    """Kafka's timestamp as RFC 3339 in UTC, to the millisecond.

    None where the record has no timestamp (-1, or any before 1970); one past the year 9999 becomes that year's last.
    """
    if timestamp_ms < 0:
        return None
    moment = _EPOCH + timedelta(milliseconds=min(timestamp_ms, _LAST_MS))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def header(headers: Iterable[tuple[str, bytes | None]], name: str) -> bytes | None:
    """The last value of a header, which is the one that counts; None where it is absent or null."""
    value = None
    for found, content in headers:
        if found == name:
            value = content
    return value


class OrderKey(NamedTuple):
    """Where an output stands in its key's history: by source offset, then by book, within one source topic id.

    Another topic id counts as higher, since the topic was made anew; books are compared by `streams.policy`.
    """

    topic_id: str
    offset: int
    book: str

    def encode(self) -> bytes:
        """The header's bytes: `topic id/offset/book`."""
        return f"{self.topic_id}/{self.offset}/{self.book}".encode()

    @classmethod
    def decode(cls, value: bytes) -> OrderKey:
        """Read the header.

        Raises:
            ValueError: not `topic id/offset/book`.
        """
        parts = value.decode("ascii", "replace").split("/")
        if len(parts) != 3 or not parts[0] or not parts[1].isascii() or not parts[1].isdigit() or not parts[2]:
            raise ValueError(f"header {ORDER} is {value!r}; expected topic-id/offset/book")
        return cls(parts[0], int(parts[1]), parts[2])


class HeaderTemplate:
    """The headers of one kind of output from one source partition; only what changes by record is made by record."""

    __slots__ = ("_book", "_book_tail", "_hash", "_id_of", "_second", "_second_text", "constant", "hashed", "order")

    def __init__(self, type: EventType, source_topic: str, topic_id: str, partition: int) -> None:
        """`source_topic` is the input topic's full name, `topic_id` Kafka's id of it."""
        self.hashed = f"{type}\n{topic_id}\n{partition}\n".encode()
        """What the id is made of, before offset and book."""
        self.order = f"{topic_id}/".encode()
        """What the order key begins with."""
        self._hash = blake2b(self.hashed, digest_size=16)
        self._id_of = (type, topic_id, partition)
        self.constant: Headers = [
            (SPECVERSION, b"1.0"),
            (TYPE, type.value.encode()),
            (SOURCE, f"urn:lotrisk:topic:{source_topic}".encode()),
        ]
        contract = _CONTRACT_OF.get(type)
        if contract is not None:
            self.constant.append((DATASCHEMA, schema_uri(contract).encode()))
            self.constant.append((CONTENT_TYPE, b"application/json"))
        self._book: str | None = None
        self._book_tail = b""
        self._second = -1
        self._second_text = ""

    def hashed_of(self, subject: str) -> bytes:
        """`hashed` of one of several outputs of one input; see `headers_of`."""
        type, topic_id, partition = self._id_of
        return f"{type}/{subject}\n{topic_id}\n{partition}\n".encode()

    def headers(self, offset: int, book: str, timestamp_ms: int, traceparent: bytes | None = None) -> Headers:
        """The headers of the output of one input record.

        Args:
            offset: the input's offset.
            book: number of the book it was rated under.
            timestamp_ms: the input's own Kafka timestamp, unclamped.
            traceparent: the input's header, passed on as it is.
        """
        if book != self._book:
            self._book = book
            self._book_tail = book.encode()
        number = b"%d" % offset
        tail = self._book_tail
        digest = self._hash.copy()
        digest.update(b"%b\n%b" % (number, tail))
        headers = [
            *self.constant,
            (ID, digest.hexdigest().encode()),
            (ORDER, b"%b%b/%b" % (self.order, number, tail)),
        ]
        if 0 <= timestamp_ms <= _LAST_MS:
            second, millisecond = divmod(timestamp_ms, 1000)
            if second != self._second:
                self._second = second
                self._second_text = (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
            headers.append((TIME, f"{self._second_text}.{millisecond:03d}Z".encode()))
        elif timestamp_ms > _LAST_MS:
            headers.append((TIME, str(rfc3339(timestamp_ms)).encode()))
        if traceparent is not None:
            headers.append((TRACEPARENT, traceparent))
        return headers

    def headers_of(
        self, subject: str, offset: int, book: str, timestamp_ms: int, traceparent: bytes | None = None
    ) -> Headers:
        """`headers` of one of several outputs of one input, told apart by `subject`, which is part of the id."""
        type, topic_id, partition = self._id_of
        identity = event_id(f"{type}/{subject}", topic_id, partition, offset, book).encode()
        found = self.headers(offset, book, timestamp_ms, traceparent)
        return [(name, identity if name == ID else content) for name, content in found]
