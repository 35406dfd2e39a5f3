"""Telemetry of one process by OpenTelemetry: figures, events, spans, exceptions; and its bounded end."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.types import AttributeValue

from cloud_monitor import __version__
from cloud_monitor.telemetry.addresses import TelemetryTargets
from cloud_monitor.telemetry.exporters import make_exporters
from cloud_monitor.telemetry.redact import redact_text, redact_values
from cloud_monitor.telemetry.sender import TelemetrySender
from cloud_monitor.telemetry.spans import RedactingExporter, Undecided
from cloud_monitor.telemetry.spool import TelemetrySpool

log = logging.getLogger(__name__)

SCOPE = "cloud_monitor"
FLUSH_S = 1.5  # to the spool, when a process ends
EVENT_NAME = "microsoft.custom_event.name"  # makes a log record an event of Application Insights

# (value, attributes), one for each that is known now
Reading = Callable[[], Iterable[tuple[float, Mapping[str, str]]]]


class Telemetry:
    """Every call returns at once, whatever the other end does."""

    def __init__(self, targets: TelemetryTargets, role: str, instance: str) -> None:
        """`role` is what the process is (worker, supervisor, webapp), `instance` which of them. Figures are
        exported each minute, or as OTEL_METRIC_EXPORT_INTERVAL says (milliseconds).

        Raises ImportError where a package is missing.
        """
        self._spool = spool = TelemetrySpool(targets.folder, targets.bytes_max)
        headers = {kind: dict(targets.headers) for kind in targets.urls} | {"azure": {}}
        self._sender = TelemetrySender(spool, targets.urls, headers)
        exporters = make_exporters(targets, spool, self._sender.wake)
        resource = Resource.create(
            {
                "service.namespace": "cloud-monitor",
                "service.name": role,
                "service.instance.id": instance,
                "service.version": __version__,
            }
        )
        readers = [PeriodicExportingMetricReader(exporter) for exporter in exporters.metrics]
        self._meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False)
        self._logs = LoggerProvider(resource, shutdown_on_exit=False)
        for logs in exporters.logs:
            self._logs.add_log_record_processor(BatchLogRecordProcessor(logs))
        self._undecided = Undecided([BatchSpanProcessor(RedactingExporter(one)) for one in exporters.spans])
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracers.add_span_processor(self._undecided)
        trace.set_tracer_provider(self._tracers)  # libraries that trace, and the Azure exporter, ask for it
        self.tracer = self._tracers.get_tracer(SCOPE, __version__)
        self._meter = self._meters.get_meter(SCOPE, __version__)
        self._logger = self._logs.get_logger(SCOPE, __version__)
        self._closing = threading.Lock()
        self._closed = False
        self._sender.wake()  # of an earlier run something may wait

    def gauge(self, name: str, unit: str, read: Reading) -> None:
        """The last value, read as often as figures are exported."""
        self._meter.create_observable_gauge(name, [_observing(read)], unit)

    def counter(self, name: str, unit: str, read: Reading) -> None:
        """A total since the process began, read as a gauge is; receivers get what was added, or the total."""
        self._meter.create_observable_counter(name, [_observing(read)], unit)

    def event(
        self, name: str, attributes: Mapping[str, AttributeValue], context: Context | None = None
    ) -> None:
        """Something that happened now; `context` is of the span that it belongs to."""
        self._emit(name, {EVENT_NAME: name, **redact_values(attributes)}, SeverityNumber.INFO, context, name)

    def exception(self, text: str, error: BaseException) -> None:
        self._emit(
            redact_text(f"{text}: {error}"),
            {
                "exception.type": type(error).__name__,
                "exception.message": redact_text(str(error)),
                "exception.stacktrace": redact_text("".join(traceback.format_exception(error))),
            },
            SeverityNumber.ERROR,
        )

    def keep_back(self, span: trace.Span) -> None:
        """Spans of its trace wait until `decide` says whether they are wanted."""
        self._undecided.keep_back(span.get_span_context().trace_id)

    def decide(self, span: trace.Span, wanted: bool) -> None:
        self._undecided.decide(span.get_span_context().trace_id, wanted)

    def close(self, timeout_s: float) -> None:
        """Bring what there is to the disk, then send it while there is time; returns by then."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        deadline_s = time.monotonic() + timeout_s
        providers = (self._meters, self._logs, self._tracers)
        threads = [threading.Thread(target=_shut_down, args=(one,), daemon=True) for one in providers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, min(FLUSH_S, deadline_s - time.monotonic())))
        self._sender.stop(deadline_s)
        with suppress(OSError):  # the sender has told of it
            if waiting := len(self._spool.files()):
                log.warning("%d files of telemetry wait in %s to be sent", waiting, self._spool.folder)

    def _emit(
        self,
        body: str,
        attributes: Mapping[str, AttributeValue],
        severity: SeverityNumber,
        context: Context | None = None,
        event_name: str | None = None,
    ) -> None:
        now_ns = time.time_ns()
        self._logger.emit(
            LogRecord(
                timestamp=now_ns,
                observed_timestamp=now_ns,
                context=context,
                severity_number=severity,
                severity_text=severity.name,
                body=body,
                attributes=attributes,
                event_name=event_name,
            )
        )


def _shut_down(provider: MeterProvider | LoggerProvider | TracerProvider) -> None:
    try:
        provider.shutdown()
    except Exception:
        log.exception("the last telemetry could not be kept")


def _observing(read: Reading) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [Observation(value, dict(attributes)) for value, attributes in read()]


class ExceptionHandler(logging.Handler):
    """Errors that are logged with a traceback are exceptions of the telemetry too."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__(logging.ERROR)
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or record.name.startswith("cloud_monitor.telemetry"):
            return
        try:
            self._telemetry.exception(record.getMessage(), error)
        except Exception:  # noqa: BLE001 - logging must not raise
            self.handleError(record)
