"""TCP ports of the loopback interface: find free ones, refuse taken ones."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from streams.broker.errors import PortTakenError

HOST = "127.0.0.1"

# Below the range from which kernels take the ports of outgoing connections (Linux 32768, macOS 49152): while a broker
# restarts, a client that tries to reconnect could be given the broker's own port as its source and connect to itself.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES = 200


def is_free(port: int) -> bool:
    """Whether `port` can be bound on the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As Java does: connections of the past that linger in TIME_WAIT don't count.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(taken: Iterable[int] = ()) -> int:
    """A free port outside the range of outgoing connections and not in `taken`.

    Raises PortTakenError when none is found.
    """
    avoid = set(taken)
    for _ in range(_TRIES):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - not a secret
        if port not in avoid and is_free(port):
            return port
    raise PortTakenError(f"No free port found between {_LOWEST} and {_HIGHEST} on {HOST} in {_TRIES} tries.")


def require_free(port: int) -> int:
    """`port` itself if it is free; raises PortTakenError if not."""
    if not is_free(port):
        raise PortTakenError(
            f"Port {port} on {HOST} is taken (or may not be bound by this user). Stop what listens there, choose "
            f"another with --port, or let --port 0 find a free one."
        )
    return port
