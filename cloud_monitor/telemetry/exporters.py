"""The exporters to Application Insights and to an OTLP receiver; the only module that imports them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from cloud_monitor.telemetry.addresses import OTLP_PATHS, TelemetryTargets, plain_connection_string
from cloud_monitor.telemetry.spool import TelemetrySpool
from cloud_monitor.telemetry.transport import spooling_session

# What the vendor's exporter would say of itself to the vendor, and ask there, unless told not to
_SILENT = {
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_ENABLED_PREVIEW": "false",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "true",
}


class Exporters(NamedTuple):
    metrics: list[MetricExporter]
    logs: list[LogRecordExporter]
    spans: list[SpanExporter]


def make_exporters(
    targets: TelemetryTargets, spool: TelemetrySpool, spooled: Callable[[], None]
) -> Exporters:
    """To each configured target. Raises ImportError where a package is missing."""
    found = Exporters([], [], [])
    if targets.connection_string:
        _add_azure(found, targets.connection_string, spool, spooled)
    if targets.otlp_endpoint:
        _add_otlp(found, targets.otlp_endpoint, spool, spooled)
    return found


def _add_azure(
    found: Exporters, connection_string: str, spool: TelemetrySpool, spooled: Callable[[], None]
) -> None:
    os.environ.update(_SILENT)  # read while the package is imported and used
    from azure.core.pipeline.transport import RequestsTransport
    from azure.monitor.opentelemetry.exporter import (
        AzureMonitorLogExporter,
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    def given() -> dict[str, Any]:
        session = spooling_session(spool, "azure", spooled)
        return {
            "connection_string": plain_connection_string(connection_string),
            "disable_offline_storage": True,
            "max_envelopes_per_second": 0,
            "retry_total": 0,
            "transport": RequestsTransport(session=session, session_owner=False),
        }

    found.metrics.append(AzureMonitorMetricExporter(**given()))
    found.logs.append(AzureMonitorLogExporter(**given()))
    found.spans.append(AzureMonitorTraceExporter(**given()))


def _add_otlp(found: Exporters, endpoint: str, spool: TelemetrySpool, spooled: Callable[[], None]) -> None:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def given(kind: str) -> dict[str, Any]:
        session = spooling_session(spool, kind, spooled)
        url = endpoint.rstrip("/") + OTLP_PATHS[kind]
        return {"endpoint": url, "session": session, "compression": Compression.NoCompression}

    found.metrics.append(OTLPMetricExporter(**given("otlp-metrics")))
    found.logs.append(OTLPLogExporter(**given("otlp-logs")))
    found.spans.append(OTLPSpanExporter(**given("otlp-traces")))
