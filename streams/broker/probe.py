"""Ask a broker over the wire whether it works: ApiVersions, then Metadata, as any client does first."""

from __future__ import annotations

import socket
import struct

_API_VERSIONS, _METADATA = 18, 3
_METADATA_VERSION = 4
_CORRELATION = 1


def live_brokers(host: str, port: int, timeout: float = 1.0) -> int:
    """Number of brokers that the broker at `host:port` names as alive; 0 when it does not answer as Kafka does.

    A port that is merely open, or a broker that is still fenced by its controller, counts as 0. Plaintext only.
    """
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.settimeout(timeout)
            if not _supports_metadata(_ask(connection, _API_VERSIONS, 0, b"")):
                return 0
            # No topics (an empty list), no creation of any.
            return _count_brokers(_ask(connection, _METADATA, _METADATA_VERSION, struct.pack(">i?", 0, False)))
    except (OSError, struct.error, ValueError):
        return 0


def _ask(connection: socket.socket, api: int, version: int, body: bytes) -> bytes:
    client = b"lotrisk-probe"
    request = struct.pack(">hhih", api, version, _CORRELATION, len(client)) + client + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _receive(connection, 4))
    if not 4 <= size <= 1 << 20:
        raise ValueError(f"not Kafka: an answer of {size} bytes")
    answer = _receive(connection, size)
    if struct.unpack_from(">i", answer)[0] != _CORRELATION:
        raise ValueError("not Kafka: an answer to another question")
    return answer[4:]


def _receive(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk:
            raise ValueError("closed in the middle of an answer")
        received += chunk
    return received


def _supports_metadata(answer: bytes) -> bool:
    error, count = struct.unpack_from(">hi", answer)
    ranges: dict[int, range] = {
        api: range(low, high + 1) for api, low, high in struct.iter_unpack(">hhh", answer[6 : 6 + 6 * count])
    }
    return bool(error == 0 and _METADATA_VERSION in ranges.get(_METADATA, ()))


def _count_brokers(answer: bytes) -> int:
    """Metadata v4 begins with the throttle time (int32) and the array of live brokers, whose length leads it."""
    (count,) = struct.unpack_from(">i", answer, 4)
    return max(0, int(count))
