"""The embedded broker's `server.properties`: one KRaft node that is broker and controller, small and quick to start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streams.broker.ports import HOST
from streams.topics import OUTPUT_MAX_BYTES

Value = str | int | bool

CLIENTS = "PLAINTEXT"
"""Listener that lotrisk, its tests and the readiness probe use."""
CONTROLLER = "CONTROLLER"
NODE_ID = 1

DEFAULTS: Mapping[str, Value] = {
    "auto.create.topics.enable": False,
    # One node: nothing can be replicated.
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # Few partitions of the internal topics: each is created at the first use, while a client waits.
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 1,
    # A transaction past its time is aborted within 1 s of it, not 10: readers of committed data wait for that.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    "group.initial.rebalance.delay.ms": 100,
    "group.min.session.timeout.ms": 1000,
    # Room for the batch's own framing on top of the largest record; each topic sets its limit below this.
    "message.max.bytes": 2 * OUTPUT_MAX_BYTES,
    # After kill -9 the same node may register again only once its old session is over.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    # Memory and threads for a laptop: the cleaner alone would take 128 MiB of heap.
    "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
}


_DECIDED_HERE = frozenset({"process.roles", "node.id", "listeners", "controller.quorum.voters", "log.dirs"})


def protocol_of(listener: str) -> str:
    """Security protocol of a listener that is named after it, as in SASL_SSL or SASL_SSL_2."""
    for protocol in ("SASL_PLAINTEXT", "SASL_SSL", "PLAINTEXT", "SSL"):
        if listener == protocol or listener.startswith(f"{protocol}_"):
            return protocol
    raise ValueError(
        f"listener {listener!r}: name it after its protocol (PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL), "
        f"with _ and a suffix if there are several"
    )


def server_properties(ports: Mapping[str, int], log_dir: Path, settings: Mapping[str, Value]) -> dict[str, str]:
    """All properties of one node. `ports` by listener name has at least CLIENTS and CONTROLLER; `settings` win.

    Raises ValueError for a setting that the broker's directory and ports decide.
    """
    if refused := _DECIDED_HERE & settings.keys():
        raise ValueError(f"{', '.join(sorted(refused))}: set by the embedded broker itself; use its own parameters")
    clients = [name for name in ports if name != CONTROLLER]
    protocols = {name: protocol_of(name) for name in clients} | {CONTROLLER: "PLAINTEXT"}
    properties: dict[str, Value] = {
        "process.roles": "broker,controller",
        "node.id": NODE_ID,
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items()),
        "advertised.listeners": ",".join(f"{name}://{HOST}:{ports[name]}" for name in clients),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "inter.broker.listener.name": CLIENTS,
        "controller.listener.names": CONTROLLER,
        "controller.quorum.voters": f"{NODE_ID}@{HOST}:{ports[CONTROLLER]}",
        "log.dirs": str(log_dir),
        **DEFAULTS,
        **settings,
    }
    return {name: _text(value) for name, value in properties.items()}


def render(properties: Mapping[str, str]) -> str:
    """`properties` in the syntax of a Java properties file."""
    return "".join(f"{name}={_escape(value)}\n" for name, value in properties.items())


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _escape(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f"\\{escaped}" if escaped.startswith(" ") else escaped


LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
logger.values.name = org.apache.kafka.common.config.AbstractConfig
logger.values.level = WARN
logger.states.name = state.change.logger
logger.states.level = WARN
"""
"""log4j2 in its properties syntax: everything to standard output, which the supervisor appends to the broker's log.
Kafka would list every setting at each start; that is left out."""
