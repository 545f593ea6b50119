"""`dms.vehicles` to `vehicles.enriched`."""

from __future__ import annotations

import faust

from schemas.cloudevents import EventType
from schemas.enriched import OWNED_FIELDS_VEHICLE
from streams.app import LotriskApp, batch_topic
from streams.enrich.unmoved import UnmovedVehicles
from streams.enrich.vehicle import enrich_vehicle
from streams.topics import TOTALS, VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED
from streams.transport.batch import RecordBatch
from streams.transport.pipeline import Pipeline

PIPELINE = Pipeline(
    source=VEHICLES,
    enriched=VEHICLES_ENRICHED,
    dead_letters=VEHICLES_DLQ,
    enriched_event=EventType.VEHICLE_ENRICHED,
    removed_event=EventType.VEHICLE_REMOVED,
    enrich=enrich_vehicle,
    identity="vin",
    owned=OWNED_FIELDS_VEHICLE,
    totals=TOTALS,
    unmoved=UnmovedVehicles,
)


def register(app: LotriskApp) -> None:
    """Add the agent to `app`."""

    @app.agent(batch_topic(app, PIPELINE), name="vehicles", concurrency=1)  # type: ignore[untyped-decorator]
    async def vehicles(batches: faust.StreamT[RecordBatch]) -> None:
        async for batch in batches:
            app.lanes.submit(batch)
