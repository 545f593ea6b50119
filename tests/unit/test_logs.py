"""Log lines for a person and for a log store."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from streams import __version__, logs
from streams.settings import LogFormat, Settings


@pytest.fixture(autouse=True)
def _the_log_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.CHATTY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_a_line_is_one_json_object_with_what_it_is_about() -> None:
    out = io.StringIO()
    logs.configure(Settings(log_format=LogFormat.JSON, group="g1"), "worker", to=out)
    log = logging.getLogger("streams.transport.lane")
    log.warning("%s[%d] is a dead\nletter", "dms.parts", 3, extra={"topic": "dms.parts", "partition": 3, "offset": 17})
    (line,) = out.getvalue().splitlines()
    written = json.loads(line)
    assert datetime.fromisoformat(written.pop("time")).utcoffset() is not None
    assert written.pop("host")
    assert written == {
        "message": "dms.parts[3] is a dead\nletter",
        "level": "WARNING",
        "logger": "streams.transport.lane",
        "topic": "dms.parts",
        "partition": 3,
        "offset": 17,
        "command": "worker",
        "group": "g1",
        "version": __version__,
    }


def test_a_traceback_stays_in_its_line() -> None:
    out = io.StringIO()
    logs.configure(Settings(log_format=LogFormat.JSON), "worker", to=out)
    try:
        raise ValueError("no such book")
    except ValueError:
        logging.getLogger("x").exception("the worker ends")
    (line,) = out.getvalue().splitlines()
    assert "ValueError: no such book" in json.loads(line)["exc_info"]


def test_text_is_the_default_and_libraries_keep_quiet() -> None:
    out = io.StringIO()
    logs.configure(Settings(), "worker", to=out)
    logging.getLogger("streams").info("ready")
    logging.getLogger("aiokafka.consumer").info("Metadata for topic has changed")
    logging.getLogger("aiokafka.consumer").warning("Heartbeat failed")
    first, second = out.getvalue().splitlines()
    assert first.endswith(" INFO streams: ready")
    assert second.endswith("Heartbeat failed")
