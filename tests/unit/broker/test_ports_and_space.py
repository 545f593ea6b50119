"""Ports and room are checked before Java starts, and what is wrong is said with its number and its name."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.broker import ports, space
from streams.broker.errors import BrokerError, NoSpaceError, PortTakenError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind((ports.HOST, 0))
        listening.listen()
        yield listening


def test_a_port_somebody_listens_on_is_refused_by_number(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert not ports.is_free(port)
    with pytest.raises(PortTakenError, match=f"Port {port} on 127.0.0.1 is taken.*--port"):
        ports.require_free(port)
    listener.close()
    assert ports.require_free(port) == port


def test_free_ports_differ_and_lie_outside_the_range_of_outgoing_connections() -> None:
    found: list[int] = []
    for _ in range(20):
        found.append(ports.free_port(found))
    assert len(set(found)) == 20
    assert max(found) < 32_768


def test_no_free_port_is_an_error_not_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)
    with pytest.raises(PortTakenError, match="No free port"):
        ports.free_port()


def test_too_little_space_names_directory_and_need(tmp_path: Path) -> None:
    space.require_space(tmp_path, 1, "the data")
    with pytest.raises(NoSpaceError, match=rf"{tmp_path} for the data: \d+ MiB free, 1099511627776 MiB needed"):
        space.require_space(tmp_path, 1 << 60, "the data")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BrokerError, match=r"file/data for the data: Not a directory"):
        space.make_directory(tmp_path / "file" / "data", "the data")
