"""The Faust application: settings in, agents on lanes, nothing global."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import faust
from faust.types import TP

from streams.connection import aiokafka_options
from streams.enrich.context import Context
from streams.instruments import Metrics
from streams.settings import Settings
from streams.state.store import StateStore
from streams.transport.lanes import Lanes
from streams.transport.pipeline import Pipeline
from streams.transport.preflight import inspect_topics

if TYPE_CHECKING:
    from streams.tracing import Tracing
    from streams.transport.follower import PolicyFollower

log = logging.getLogger(__name__)


class BatchSchema(faust.Schema):  # type: ignore[misc]  # Faust ships no types
    """Hands a `RecordBatch` on as the event's value: bytes are decoded in the lane, never by Faust."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Faust asks this for the function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            del propagate
            return create_event(None, message.value, message.headers, message)

        return decode


class LotriskApp(faust.App):  # type: ignore[misc]  # Faust ships no types
    """Faust's app with lanes: it leases partitions before any seek and drains them when it stops."""

    settings: Settings
    lanes: Lanes
    pipelines: tuple[Pipeline, ...]
    follower: PolicyFollower | None

    async def on_start(self) -> None:
        """Check the topics and read the policy before the group is joined."""
        await super().on_start()
        found = await asyncio.to_thread(inspect_topics, self.settings, self.pipelines)
        self.lanes.topic_ids = found.topic_ids
        self.lanes.partition_counts = found.partition_counts
        if self.follower is not None:
            await self.follower.start()

    async def on_stop(self) -> None:
        """SIGTERM comes here, not to the revoke path: drain, commit what is finished, then stop."""
        if self._consumer is not None:
            await cast(Any, self._consumer).drain()
        await self.lanes.close()
        if self.follower is not None:
            await self.follower.stop()
        await super().on_stop()


def create_app(
    settings: Settings,
    pipelines: Iterable[Pipeline],
    *,
    context: Callable[[], Context],
    metrics: Metrics,
    fatal: Callable[[BaseException], None],
    follower: PolicyFollower | None = None,
    states: StateStore | None = None,
    since: Callable[[], datetime] | None = None,
    tracing: Tracing | None = None,
) -> LotriskApp:
    """The application for `settings`, without agents; `fatal` is told what no lane can go on after.

    Without a `follower` the book doesn't hear of `trade.policy`; without `states` nothing that was published before is
    remembered. `since` tells when the book in force came about. `tracing` makes the spans of records that ask for one.
    """
    app = LotriskApp(
        settings.group,
        broker=[f"lotrisk://{address}" for address in str(aiokafka_options(settings)["bootstrap_servers"]).split(",")],
        datadir=settings.state_dir,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=4096,
        stream_recovery_delay=0.0,
        broker_commit_interval=0.5,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_rebalance_timeout=settings.rebalance_timeout_seconds,
        broker_request_timeout=max(40.0, settings.session_timeout_seconds + 10),
        broker_max_poll_interval=max(300.0, settings.rebalance_timeout_seconds),
        broker_max_poll_records=settings.max_batch_records,
        producer_request_timeout=30.0,
    )
    app.settings = settings
    app.pipelines = tuple(pipelines)
    app.follower = follower
    app.lanes = Lanes(
        settings,
        app.pipelines,
        context=context,
        metrics=metrics,
        fatal=fatal,
        states=states,
        since=since,
        tracing=tracing,
    )

    async def lease(*_: object, **__: object) -> None:
        generation = app.consumer_generation_id
        assigned = {TP(tp.topic, tp.partition) for tp in app.consumer.assignment()}
        app.lanes.fetching = cast(Any, app.consumer)
        try:
            await app.lanes.lease(assigned, generation, lambda: app.consumer_generation_id)
        except Exception as error:
            fatal(error)
        metrics.rebalances.inc()

    app.on_rebalance_complete.connect(lease, weak=False)
    return app


def batch_topic(app: LotriskApp, pipeline: Pipeline) -> faust.TopicT:
    """The Faust topic of a pipeline's input, whose messages are record batches."""
    return app.topic(pipeline.source.full_name(app.settings.topic_prefix), schema=BatchSchema(), internal=False)
