"""Health and metrics over HTTP."""

from streams.web.health import Health, WorkerHealth
from streams.web.server import WebServer, WebUnavailable, start_web

__all__ = ["Health", "WebServer", "WebUnavailable", "WorkerHealth", "start_web"]
