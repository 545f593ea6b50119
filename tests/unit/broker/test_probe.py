"""A port that is open is not yet a broker. (That a broker is one, the tests on real Kafka show.)"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from streams.broker.ports import HOST, free_port
from streams.broker.probe import live_brokers


@pytest.fixture
def answering() -> Iterator[Callable[[bytes | None], int]]:
    """A listener that answers each connection with fixed bytes and hangs up; None: says nothing."""
    sockets: list[socket.socket] = []

    def listen(answer: bytes | None) -> int:
        listener = socket.create_server((HOST, 0))
        sockets.append(listener)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            sockets.append(connection)
            if answer is not None:
                connection.recv(1024)
                connection.sendall(answer)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        return int(listener.getsockname()[1])

    yield listen
    for one in sockets:
        one.close()


def test_nobody_listens() -> None:
    assert live_brokers(HOST, free_port()) == 0


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\x00\x00\x04\x00\x00\x00\x01",
        b"\x00\x00\x00\x0a\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x23\x00\x00\x00\x00",
        b"\x00\x00\x00\x0b\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00",
    ],
    ids=["silence", "hang-up", "HTTP", "empty", "other question", "no APIs", "error code", "cut short"],
)
def test_what_is_not_kafka_counts_as_no_broker(answering: Callable[[bytes | None], int], answer: bytes | None) -> None:
    assert live_brokers(HOST, answering(answer), timeout=0.3) == 0
