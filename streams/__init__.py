"""lotrisk: rare-earth and tariff risk for every VIN and part on a dealer's lot, as Kafka streams."""

from importlib.metadata import version

__version__ = version("lotrisk")
