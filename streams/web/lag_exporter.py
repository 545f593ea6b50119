"""The lag exporter: a process beside the workers that asks the brokers how far the group is, and shows it on /metrics.

A worker's own view is what breaks: one that hangs, or that nobody started, reports no lag.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from kafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from streams.metrics import (
    BROKERS_ASKED,
    BROKERS_UP,
    GROUP_COMMITTED,
    GROUP_COMMITTED_AGE,
    GROUP_END,
    GROUP_LAG,
    LAG_CATALOGUE,
    LAG_DENIED,
    Kind,
    Metric,
)
from streams.progress import Progress
from streams.transport.lag import PartitionLag
from streams.web.health import JSON

log = logging.getLogger(__name__)

Ask = Callable[[], Sequence[PartitionLag]]


class LagView:
    """What the brokers last said about the group, as Prometheus reads it and as the health port reports it.

    Without an answer there is no lag to show: its series disappear and `lotrisk_brokers_up` is 0. Ages go on from the
    last answer when the brokers are back, since the offset has stood still all the while. `clock` gives Unix seconds.
    """

    def __init__(self, clock: Callable[[], float], stuck_seconds: float) -> None:
        self._clock = clock
        self._stuck_seconds = stuck_seconds
        self._asked_at = clock()
        self._answered_at = 0.0
        self._up = False
        self._refused = ""
        self._denied = 0
        self._lags: tuple[PartitionLag, ...] = ()
        self._progress: dict[tuple[str, int], Progress] = {}

    def answered(self, lags: Sequence[PartitionLag]) -> None:
        """Take in an answer; a partition that is no longer named has no series any more."""
        now = self._asked_at = self._answered_at = self._clock()
        known, found = self._progress, {}
        for lag in lags:
            key = (lag.topic, lag.partition)
            progress = found[key] = known.get(key) or Progress()
            progress.update(now=now, committed=lag.end - lag.lag, end=lag.end)
        self._progress, self._lags, self._up, self._refused = found, tuple(lags), True, ""

    def unanswered(self) -> None:
        """The brokers could not be asked."""
        self._asked_at = self._clock()
        self._up = False
        self._refused = ""
        self._lags = ()

    def denied(self, error: KafkaError) -> None:
        """The brokers answered that this user may not ask."""
        self.unanswered()
        self._refused = str(error)
        self._denied += 1

    # -- Prometheus

    def describe(self) -> Iterable[Family]:
        """The families without samples, for the registry's check of names."""
        return [
            (CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily)(
                metric.name, metric.help, labels=metric.labels
            )
            for metric in LAG_CATALOGUE
        ]

    def collect(self) -> Iterator[Family]:
        """Everything as it stands, for a scrape."""
        now, lags, progress = self._clock(), self._lags, self._progress
        yield GaugeMetricFamily(BROKERS_UP.name, BROKERS_UP.help, value=float(self._up))
        yield GaugeMetricFamily(BROKERS_ASKED.name, BROKERS_ASKED.help, value=self._answered_at)
        yield CounterMetricFamily(LAG_DENIED.name, LAG_DENIED.help, value=self._denied)
        shown: tuple[tuple[Metric, Callable[[PartitionLag], float]], ...] = (
            (GROUP_LAG, lambda lag: lag.lag),
            (GROUP_COMMITTED_AGE, lambda lag: progress.get((lag.topic, lag.partition), Progress()).stuck_seconds(now)),
            (GROUP_COMMITTED, lambda lag: lag.committed or 0),
            (GROUP_END, lambda lag: lag.end),
        )
        for metric, value in shown:
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for lag in lags:
                family.add_metric([lag.topic, str(lag.partition)], value(lag))
            yield family

    # -- health

    def not_live(self) -> tuple[str, ...]:
        """A question that neither was answered nor failed for long: the thread that asks hangs."""
        silent = self._clock() - self._asked_at
        return (f"the brokers were last asked {silent:.0f} s ago",) if silent > self._stuck_seconds else ()

    def not_ready(self) -> tuple[str, ...]:
        """The brokers don't answer, or not this user."""
        if self._refused:
            return (f"the brokers refuse this user: {self._refused}",)
        return () if self._up else ("the brokers do not answer",)

    def status(self) -> Mapping[str, JSON]:
        """Whether the brokers answer, and each partition's offsets and lag."""
        return {
            "brokers_up": self._up,
            "partitions": [
                {"topic": lag.topic, "partition": lag.partition, "committed": lag.committed, "end": lag.end,
                 "lag": lag.lag}
                for lag in self._lags
            ],
        }  # fmt: skip


def register(view: LagView) -> CollectorRegistry:
    """A registry of its own that shows `view`."""
    registry = CollectorRegistry()
    registry.register(view)
    return registry


def keep_asking(view: LagView, ask: Ask, every_seconds: float) -> asyncio.Future[None]:
    """Ask in a thread of its own, tell `view` on the running loop; brokers that are away are asked again.

    The future never has a result, only what nobody foresaw. The thread ends with the process: a stop need not wait for
    brokers that don't answer.
    """
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        pause = threading.Event()
        while not loop.is_closed():
            try:
                tell: Callable[[], None] = partial(view.answered, ask())
            except (TopicAuthorizationFailedError, GroupAuthorizationFailedError) as error:
                log.warning("the brokers refuse this user: %r", error)
                tell = partial(view.denied, error)
            except (KafkaError, OSError) as error:
                log.warning("the brokers did not answer: %r", error)
                tell = view.unanswered
            except Exception as error:
                tell = partial(_fail, failed, error)
            with suppress(RuntimeError):  # the loop was closed meanwhile: the process ends
                loop.call_soon_threadsafe(tell)
            pause.wait(every_seconds)

    threading.Thread(target=run, name="asking", daemon=True).start()
    return failed


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
