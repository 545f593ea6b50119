"""Spans of records that arrive with a sampled `traceparent`."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from streams.settings import Settings, Traces
from streams.tracing import TracesUnavailable, Tracing, tracing_for

TRACE = "0af7651916cd43dd8448eb211c80319c"
ASKED = f"00-{TRACE}-b7ad6b7169203331-01".encode()
CE_ID = "00f067aa0ba902b7ffffffffffffffff"


@pytest.fixture
def sent() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(sent: InMemorySpanExporter) -> Tracing:
    return Tracing(SimpleSpanProcessor(sent), "g1")


def test_a_span_continues_its_producers_trace_and_is_named_by_the_output(
    tracing: Tracing, sent: InMemorySpanExporter
) -> None:
    span = tracing.begin(ASKED, CE_ID, "dms.vehicles", 3, 17)
    assert span is not None
    assert span.traceparent == f"00-{TRACE}-00f067aa0ba902b7-01".encode()
    assert sent.get_finished_spans() == (), "a span is open until what it led to is committed"
    span.came_to("out")
    span.end()
    (done,) = sent.get_finished_spans()
    assert (done.name, done.kind) == ("enrich dms.vehicles", SpanKind.CONSUMER)
    assert done.parent is not None
    assert f"{done.parent.span_id:016x}" == "b7ad6b7169203331"
    assert done.context is not None
    assert f"{done.context.trace_id:032x}" == TRACE
    attributes = dict(done.attributes or {})
    assert attributes["lotrisk.outcome"] == "out"
    assert attributes["messaging.kafka.offset"] == 17
    assert attributes["messaging.destination.partition.id"] == "3"
    assert attributes["messaging.message.id"] == CE_ID
    assert done.resource.attributes["service.name"] == "lotrisk-worker"


def test_the_same_record_gets_the_same_header_again(tracing: Tracing) -> None:
    one, two = (tracing.begin(ASKED, CE_ID, "dms.vehicles", 3, 17) for _ in range(2))
    assert one is not None
    assert two is not None
    assert one.traceparent == two.traceparent


def test_what_was_given_up_ends_with_its_error(tracing: Tracing, sent: InMemorySpanExporter) -> None:
    span = tracing.begin(ASKED, CE_ID, "dms.vehicles", 3, 17)
    assert span is not None
    span.end("ProducerFenced()")
    (done,) = sent.get_finished_spans()
    assert done.status.status_code is StatusCode.ERROR
    assert done.status.description == "ProducerFenced()"


@pytest.mark.parametrize(
    "header",
    [
        ASKED[:-1] + b"0",
        b"",
        b"00-abc",
        b"\xff\xfe",
        f"00-{'0' * 32}-b7ad6b7169203331-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"ff-{TRACE}-b7ad6b7169203331-01".encode(),
    ],
    ids=["not sampled", "empty", "short", "not ASCII", "no trace", "no span", "forbidden version"],
)
def test_nobody_asked_so_there_is_no_span(tracing: Tracing, header: bytes, sent: InMemorySpanExporter) -> None:
    assert tracing.begin(header, CE_ID, "dms.vehicles", 3, 17) is None
    tracing.close()
    assert sent.get_finished_spans() == ()


def test_an_exporter_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith("opentelemetry.exporter"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TracesUnavailable, match=r"pip install 'lotrisk\[otlp\]'"):
        tracing_for(Settings(traces=Traces.OTLP))
