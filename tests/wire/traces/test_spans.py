"""From a producer's `traceparent` to the one of each output, and the spans between, sent over OTLP. Real Kafka."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from schemas.cloudevents import TRACEPARENT
from streams.settings import Settings
from streams.topics import FLAGS, VEHICLES, VEHICLES_DLQ, VEHICLES_ENRICHED
from tests.rehearsal.fleet import wait_until
from tests.rehearsal.sink import Sink
from tests.wire import kafka_io
from tests.wire.kafka_io import Raw
from tests.wire.policy.desk import start_worker

VIN = "JTDKARFU5K3000016"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
ASKED = f"00-{TRACE}-{PARENT}-01".encode()
NOT_ASKED = f"00-{TRACE}-{PARENT}-00".encode()


class Collector(Sink):
    """An OTLP collector that keeps the spans it is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        super().__init__(self._take)

    def _take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def vehicle(dealer: str, **fields: object) -> bytes:
    return json.dumps({"dealer_id": dealer, "vin": VIN, "stock_class": "new", **fields}).encode()


def attribute(span: Span, name: str) -> object:
    (found,) = (one.value for one in span.attributes if one.key == name)
    return found.int_value if found.HasField("int_value") else found.string_value


def test_spans_reach_the_collector_and_dead_letters_the_log(
    settings: Settings, tmp_path: Path, collector: Collector
) -> None:
    kafka_io.create_topics(settings)
    headers = [(TRACEPARENT, ASKED)]
    kafka_io.produce(
        settings,
        VEHICLES,
        [
            Raw(vehicle("D1", msrp_usd="30000.00"), f"D1:{VIN}".encode(), headers, partition=0),
            Raw(vehicle("D1", msrp_usd="30000.00"), f"D1:{VIN}".encode(), headers, partition=0),
            Raw(b"not json", f"D2:{VIN}".encode(), headers, partition=0),
            Raw(vehicle("D3"), f"D3:{VIN}".encode(), [(TRACEPARENT, NOT_ASKED)], partition=0),
            Raw(vehicle("D4"), f"D4:{VIN}".encode(), partition=0),
            Raw(None, f"D1:{VIN}".encode(), headers, partition=0),
        ],
    )
    worker = start_worker(
        settings,
        tmp_path / "worker.log",
        LOTRISK_LOG_FORMAT="json",
        LOTRISK_TRACES="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="100",
    )
    try:
        wait_until(lambda: len(collector.spans) >= 4, 60, "four spans", worker.said)
        worker.send(signal.SIGTERM)
        assert worker.process.wait(timeout=20) == 0, worker.said()
    finally:
        worker.close()

    spans = {attribute(span, "messaging.kafka.offset"): span for span in collector.spans}
    outcomes = {offset: attribute(span, "lotrisk.outcome") for offset, span in spans.items()}
    assert outcomes == {0: "out", 1: "unchanged", 2: "dead_letter", 5: "tombstone"}
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    assert {span.parent_span_id.hex() for span in spans.values()} == {PARENT}
    assert len({span.span_id for span in spans.values()}) == 4

    out = kafka_io.read_all(settings, VEHICLES_ENRICHED)
    passed_on = {(record.key or b"", record.value is None): record.header(TRACEPARENT) for record in out}
    assert passed_on == {
        (f"D1:{VIN}".encode(), False): f"00-{TRACE}-{spans[0].span_id.hex()}-01".encode(),
        (f"D3:{VIN}".encode(), False): NOT_ASKED,
        (f"D4:{VIN}".encode(), False): None,
        (f"D1:{VIN}".encode(), True): f"00-{TRACE}-{spans[5].span_id.hex()}-01".encode(),
    }
    (letter,) = kafka_io.read_all(settings, VEHICLES_DLQ)
    assert letter.header(TRACEPARENT) == ASKED, "a dead letter keeps its headers untouched"
    # The flags of a record are part of its trace; which there are is the business of other tests.
    for event in kafka_io.read_all(settings, FLAGS):
        if (event.key or b"").startswith(b"D1:"):
            assert (event.header(TRACEPARENT) or b"").startswith(f"00-{TRACE}-".encode())

    said = (tmp_path / "worker.log").read_text("utf-8")
    lines = [json.loads(line) for line in said.splitlines()]
    (buried,) = (line for line in lines if line.get("reason"))
    assert (buried["topic"], buried["partition"], buried["offset"], buried["reason"]) == (
        VEHICLES.full_name(settings.topic_prefix), 0, 2, "not_json",
    )  # fmt: skip
    assert "not json" not in said, "no line holds the record"
