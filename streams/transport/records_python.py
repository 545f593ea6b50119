"""Records as they stand in a batch of Kafka's, written in Python, where `streams/_compiled.c` is not built."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from schemas.cloudevents import rfc3339
from streams.state import layout
from streams.transport.batch import Headers

_KEPT: Final = 1 << 16
_ID_BYTES: Final = 32


class _Varints(dict[int, bytes]):
    """Kafka's variable-length integers; the small ones, which nearly all are, are made once."""

    def __missing__(self, number: int) -> bytes:
        made = bytearray()
        left = number << 1 if number >= 0 else (-number << 1) - 1
        while left > 0x7F:
            made.append(left & 0x7F | 0x80)
            left >>= 7
        made.append(left)
        found = bytes(made)
        if -_KEPT < number < _KEPT:
            self[number] = found
        return found


VARINT: Final = _Varints()
NULL: Final = VARINT[-1]


def encode_headers(headers: Headers) -> bytes:
    """The headers as they stand in a record, with their number before them."""
    parts = [VARINT[len(headers)]]
    for name, content in headers:
        text = name.encode()
        parts += (VARINT[len(text)], text)
        parts += (NULL,) if content is None else (VARINT[len(content)], content)
    return b"".join(parts)


class Stamp:
    """What the headers of one kind of output share: see `records.stamp_of`."""

    __slots__ = ("_fronts", "_hash", "_moment_ms", "_names", "_order_prefix", "_time", "_time_name")

    def __init__(
        self, constant: bytes, count: int, hashed: bytes, order_prefix: bytes, names: tuple[bytes, ...]
    ) -> None:
        """`constant`: `count` headers, encoded; `hashed`: what ids are made of before offset and book.

        `names`: those of id, order key, time, trace, layout and contribution, encoded.
        """
        identity, order, time, trace, marks, adds = names
        before = constant + identity + VARINT[_ID_BYTES]
        self._fronts = [VARINT[count + varying] + before for varying in range(len(names) + 1)]
        self._hash = blake2b(hashed, digest_size=16)
        self._order_prefix = order_prefix
        self._names = (order, trace, marks, adds)
        self._moment_ms = -1
        self._time = b""
        self._time_name = time

    def headers(self, offset: int, book: str, input_ms: int, trace: bytes | None, marks: bytes, adds: bytes) -> bytes:
        """The headers of one record, encoded; `marks` is its layout."""
        order_name, trace_name, marks_name, adds_name = self._names
        place = b"%d/%b" % (offset, book.encode())
        digest = self._hash.copy()
        digest.update(place.replace(b"/", b"\n", 1))
        order = self._order_prefix + place
        if input_ms != self._moment_ms:
            self._moment_ms = input_ms
            moment = rfc3339(input_ms)
            self._time = b"" if moment is None else _field(self._time_name, moment.encode())
        varying = 3
        parts = [digest.hexdigest().encode(), order_name, VARINT[len(order)], order]
        if self._time:
            parts.append(self._time)
            varying += 1
        if trace is not None:
            parts.append(_field(trace_name, trace))
            varying += 1
        parts += (marks_name, VARINT[len(marks)], marks)
        if adds:
            parts += (adds_name, VARINT[len(adds)], adds)
            varying += 1
        return self._fronts[varying] + b"".join(parts)


def _field(name: bytes, content: bytes) -> bytes:
    return b"%b%b%b" % (name, VARINT[len(content)], content)


class Records:
    """The records of one batch, as they stand in it before they are compressed."""

    __slots__ = ("_limit", "_parts", "count", "first_ms", "last_ms", "size")

    def __init__(self, limit: int) -> None:
        """`limit`: most bytes of more than one record."""
        self._limit = limit
        self._parts: list[bytes] = []
        self.count = 0
        self.size = 0
        self.first_ms = self.last_ms = 0

    def add(self, key: bytes | None, value: bytes | None, headers: bytes, timestamp_ms: int) -> bool:
        """Append a record; False where the batch is full. The first is taken whatever its size.

        `headers` as `records.encode_headers` makes them.
        """
        count = self.count
        if not count:
            self.first_ms = self.last_ms = timestamp_ms
        record = b"".join(
            (
                b"\0", VARINT[timestamp_ms - self.first_ms], VARINT[count],
                NULL if key is None else VARINT[len(key)], key or b"",
                NULL if value is None else VARINT[len(value)], value or b"", headers,
            )
        )  # fmt: skip
        length = VARINT[len(record)]
        size = self.size + len(length) + len(record)
        if size > self._limit and count:
            return False
        self._parts += (length, record)
        self.size = size
        self.count = count + 1
        self.last_ms = max(self.last_ms, timestamp_ms)
        return True

    def add_enriched(
        self,
        stamp: Stamp,
        key: bytes,
        body: bytes,
        flags: bytes,
        book: str,
        canonical_end: int,
        updated_ms: int | None,
        digest: bytes,
        offset: int,
        input_ms: int,
        output_ms: int,
        trace: bytes | None,
        adds: bytes,
        /,
    ) -> bool:
        """`add` for an enriched record: its value as `layout.finish` makes it, its headers as `HeaderTemplate` does.

        After those come its layout and, unless it is empty, its contribution. `offset` and `input_ms` are the input's.
        """
        value, marks = layout.finish(
            body, flags, book, canonical_end=canonical_end, updated_at_ms=updated_ms, digest=digest
        )
        return self.add(key, value, stamp.headers(offset, book, input_ms, trace, marks, adds), output_ms)

    def take(self) -> bytes:
        """The bytes, which it holds no more then; number and times stay."""
        taken = b"".join(self._parts)
        self._parts = []
        self.size = 0
        return taken
