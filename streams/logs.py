"""Log lines of long-running commands: text for a person, or one JSON object a line for a log store.

A line about a record names it by its place (`topic`, `partition`, `offset`) and never holds the record. What a line is
about goes into `extra`, so that a log store can search by it; the text says the same in words.
"""

from __future__ import annotations

import logging
import socket
import sys
from typing import Final, TextIO

from streams.settings import LogFormat, Settings

CHATTY: Final = ("faust", "mode", "aiokafka", "kafka")
"""Libraries that tell much; of them warnings and worse are shown."""
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure(settings: Settings, command: str, *, to: TextIO | None = None) -> None:
    """Send the log of this process to `to` (standard error), as the settings say."""
    handler = logging.StreamHandler(sys.stderr if to is None else to)
    as_json = settings.log_format is LogFormat.JSON
    handler.setFormatter(_json(settings, command) if as_json else logging.Formatter(_TEXT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _json(settings: Settings, command: str) -> logging.Formatter:
    """RFC 3339 UTC time, level, logger, message, what the line is about, and which process wrote it."""
    from pythonjsonlogger.orjson import OrjsonFormatter

    from streams import __version__

    return OrjsonFormatter(
        "{message}{levelname}{name}",
        style="{",
        timestamp="time",
        rename_fields={"levelname": "level", "name": "logger"},
        static_fields={
            "command": command,
            "group": settings.group,
            "host": socket.gethostname(),
            "version": __version__,
        },
    )
