"""Spans on their way to an exporter: secrets go, and what turned out to be nothing is dropped."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from cloud_monitor.telemetry.redact import redact_text, redact_values

_UNDECIDED_MOST = 1000  # spans kept back of one trace


class RedactingExporter(SpanExporter):
    """Passes spans on without secrets in their names, attributes, events and status."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([redact_span(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def redact_span(span: ReadableSpan) -> ReadableSpan:
    text = span.status.description
    return ReadableSpan(
        name=redact_text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=redact_values(span.attributes),
        events=[Event(event.name, redact_values(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, redact_text(text) if text else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class Undecided(SpanProcessor):
    """Keeps the spans of a trace back until it is known whether they are worth anything."""

    def __init__(self, processors: Sequence[SpanProcessor]) -> None:
        self._processors = processors
        self._kept: dict[int, list[ReadableSpan]] = {}
        self._lock = threading.Lock()

    def keep_back(self, trace: int) -> None:
        with self._lock:
            self._kept[trace] = []

    def decide(self, trace: int, wanted: bool) -> None:
        with self._lock:
            spans = self._kept.pop(trace, [])
        for span in spans if wanted else ():
            self._pass_on(span)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        pass

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            kept = self._kept.get(span.context.trace_id) if span.context else None
            if kept is not None:
                if len(kept) < _UNDECIDED_MOST:
                    kept.append(span)
                return
        self._pass_on(span)

    def _pass_on(self, span: ReadableSpan) -> None:
        for processor in self._processors:
            processor.on_end(span)

    def shutdown(self) -> None:
        for processor in self._processors:
            processor.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        flushed = [processor.force_flush(timeout_millis) for processor in self._processors]
        return all(flushed)
