"""`dms.parts` to `parts.enriched`."""

from __future__ import annotations

import faust

from schemas.cloudevents import EventType
from schemas.enriched import OWNED_FIELDS_PART
from streams.app import LotriskApp, batch_topic
from streams.enrich.part import enrich_part
from streams.topics import PARTS, PARTS_DLQ, PARTS_ENRICHED, TOTALS
from streams.transport.batch import RecordBatch
from streams.transport.pipeline import Pipeline

PIPELINE = Pipeline(
    source=PARTS,
    enriched=PARTS_ENRICHED,
    dead_letters=PARTS_DLQ,
    enriched_event=EventType.PART_ENRICHED,
    removed_event=EventType.PART_REMOVED,
    enrich=enrich_part,
    identity="part_number",
    owned=OWNED_FIELDS_PART,
    totals=TOTALS,
)


def register(app: LotriskApp) -> None:
    """Add the agent to `app`."""

    @app.agent(batch_topic(app, PIPELINE), name="parts", concurrency=1)  # type: ignore[untyped-decorator]
    async def parts(batches: faust.StreamT[RecordBatch]) -> None:
        async for batch in batches:
            app.lanes.submit(batch)
