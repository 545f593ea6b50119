"""`lotrisk.totals` to `groups.enriched`."""

from __future__ import annotations

import faust

from schemas.cloudevents import EventType
from schemas.group import OWNED_FIELDS_GROUP
from streams.app import LotriskApp, batch_topic
from streams.enrich.group import enrich_group
from streams.enrich.group_totals import join_total
from streams.topics import GROUPS_ENRICHED, TOTALS
from streams.transport.batch import RecordBatch
from streams.transport.pipeline import Pipeline

PIPELINE = Pipeline(
    source=TOTALS,
    enriched=GROUPS_ENRICHED,
    dead_letters=None,
    enriched_event=EventType.GROUP_ENRICHED,
    removed_event=EventType.GROUP_REMOVED,
    enrich=enrich_group,
    identity="group",
    owned=OWNED_FIELDS_GROUP,
    join=join_total,
)


def register(app: LotriskApp) -> None:
    """Add the agent to `app`."""

    @app.agent(batch_topic(app, PIPELINE), name="groups", concurrency=1)  # type: ignore[untyped-decorator]
    async def groups(batches: faust.StreamT[RecordBatch]) -> None:
        async for batch in batches:
            app.lanes.submit(batch)
