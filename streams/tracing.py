"""OpenTelemetry spans of records that arrive with a sampled `traceparent`: from that header to the one that goes out.

A record gets a span when its producer asked for one, by W3C's sampled flag; others pass their header on as it is. A
span's id is taken from the output's `ce_id`, so that a batch that is done again writes the same bytes again.

Imported only where spans are wanted: OpenTelemetry's SDK takes some megabytes.
"""

from __future__ import annotations

import time
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from streams import __version__
from streams.settings import Settings, Traces

_W3C: Final = TraceContextTextMapPropagator()


class TracesUnavailable(RuntimeError):
    """Spans can't be sent as the settings say; the message says what to do."""


class _FromInput(IdGenerator):
    """Span ids as they were asked for; lotrisk begins no trace of its own."""

    def __init__(self) -> None:
        self.next_span_id = 0
        self._random = RandomIdGenerator()

    def generate_span_id(self) -> int:
        return self.next_span_id or self._random.generate_span_id()

    def generate_trace_id(self) -> int:
        return self._random.generate_trace_id()


class RecordSpan:
    """The span of one input record, open until what it led to is committed."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        assert context is not None
        self.traceparent = b"00-%032x-%016x-%02x" % (context.trace_id, context.span_id, context.trace_flags)

    def came_to(self, outcome: str) -> None:
        """What the record came to: out, unchanged, superseded, tombstone or dead_letter."""
        self._span.set_attribute("lotrisk.outcome", outcome)

    def end(self, error: str | None = None) -> None:
        """What it led to is committed; or it was given up, because of `error`."""
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


class Tracing:
    """Begins spans and sends the ended ones in the background."""

    def __init__(self, processor: SpanProcessor, group: str) -> None:
        self._ids = _FromInput()
        self._provider = TracerProvider(
            sampler=ParentBased(ALWAYS_OFF),
            id_generator=self._ids,
            resource=Resource.create(
                {"service.name": "lotrisk-worker", "service.namespace": group, "service.version": __version__}
            ),
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("lotrisk", __version__)

    def begin(self, traceparent: bytes, ce_id: str, topic: str, partition: int, offset: int) -> RecordSpan | None:
        """The span of a record that came with `traceparent` and leads to `ce_id`; None where it isn't sampled."""
        parent = _W3C.extract({"traceparent": traceparent.decode("ascii", "replace")})
        asked = get_current_span(parent).get_span_context()
        if not asked.is_valid or not asked.trace_flags.sampled:
            return None
        self._ids.next_span_id = int(ce_id[:16], 16)
        span = self._tracer.start_span(
            f"enrich {topic}",
            context=parent,
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": topic,
                "messaging.destination.partition.id": str(partition),
                "messaging.kafka.offset": offset,
                "messaging.message.id": ce_id,
            },
            start_time=time.time_ns(),
        )
        return RecordSpan(span) if isinstance(span, Span) else None

    def close(self) -> None:
        """Send what has ended, within the exporter's own time limit."""
        self._provider.shutdown()


def tracing_for(settings: Settings) -> Tracing:
    """What makes spans and sends them where the settings say.

    Raises:
        TracesUnavailable: the exporter isn't installed.
    """
    return Tracing(BatchSpanProcessor(_exporter(settings.traces)), settings.group)


def _exporter(traces: Traces) -> SpanExporter:
    if traces is Traces.CONSOLE:
        return ConsoleSpanExporter()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise TracesUnavailable(
            "LOTRISK_TRACES is otlp and its exporter isn't installed: pip install 'lotrisk[otlp]'"
        ) from None
    # Address and headers by OpenTelemetry's own variables, OTEL_EXPORTER_OTLP_ENDPOINT and others.
    return OTLPSpanExporter()
