"""What can go wrong with the embedded broker, each with what to do about it in its message."""

from __future__ import annotations


class BrokerError(Exception):
    """The embedded broker can't be had or can't run. The message is for a person."""


class DistributionUnavailableError(BrokerError):
    """Apache Kafka's jars are not in the cache and can't be fetched."""


class PortTakenError(BrokerError):
    """Something else listens on a port that was asked for."""


class NoSpaceError(BrokerError):
    """A directory's file system has too little room left."""


class BrokerFailedError(BrokerError):
    """Java or Kafka ended, or did not answer in time. The message ends with the broker's own log."""
