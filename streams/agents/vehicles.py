"""`dms.vehicles` to `vehicles.enriched`."""

from __future__ import annotations

import faust

from schemas.cloudevents import EventType
from streams.app import LotriskApp, batch_topic
from streams.enrich.vehicle import enrich_vehicle
from streams.topics import VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED
from streams.transport.batch import RecordBatch
from streams.transport.pipeline import Pipeline

PIPELINE = Pipeline(
    VEHICLES, VEHICLES_ENRICHED, VEHICLES_DLQ, EventType.VEHICLE_ENRICHED, EventType.VEHICLE_REMOVED, enrich_vehicle
)


def register(app: LotriskApp) -> None:
    """Add the agent to `app`."""

    @app.agent(batch_topic(app, PIPELINE), name="vehicles", concurrency=1)  # type: ignore[untyped-decorator]
    async def vehicles(batches: faust.StreamT[RecordBatch]) -> None:
        async for batch in batches:
            app.lanes.submit(batch)
