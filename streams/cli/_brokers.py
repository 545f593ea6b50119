"""What a command says of brokers that do not answer, or refuse."""

from __future__ import annotations

_CLIENTS = ("kafka.errors", "aiokafka.errors")
_UNREACHABLE = {"KafkaConnectionError", "KafkaTimeoutError", "NoBrokersAvailable", "NodeNotReadyError"}


def is_of_kafka(error: BaseException) -> bool:
    """Whether it comes from either of the client libraries."""
    return any(kind.__name__ == "KafkaError" and kind.__module__ in _CLIENTS for kind in type(error).__mro__)


def what_brokers_said(servers: str, error: BaseException) -> str:
    """One line for a person: where was asked, and what came of it."""
    if type(error).__name__ in _UNREACHABLE:
        return (
            f"{servers}: no broker answers ({type(error).__name__}); check LOTRISK_BOOTSTRAP_SERVERS and, where the "
            "brokers ask for it, LOTRISK_SECURITY_PROTOCOL"
        )
    text = str(error)
    return f"{servers}: {text if type(error).__name__ in text else f'{type(error).__name__}: {text}'}"
