"""The exporters to Application Insights and to an OTLP receiver; the only module that imports them.

What they would send goes into the spool, and they are told that it was taken: so no export waits for a
network, and no end of a process. As they come the exporters hold it for 90 s when the other end takes the
connection and says nothing.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import requests
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from cloud_monitor.telemetry.addresses import OTLP_PATHS, TelemetryTargets, plain_connection_string
from cloud_monitor.telemetry.spool import TelemetrySpool

log = logging.getLogger(__name__)

_TAKEN = b'{"itemsReceived":0,"itemsAccepted":0,"errors":[]}'
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


def spooling_session(spool: TelemetrySpool, kind: str, spooled: Callable[[], None]) -> requests.Session:
    """A session for an exporter; `spooled` is called for each body that was kept."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _SpoolAdapter(spool, kind, spooled))
    return session


class _SpoolAdapter(BaseAdapter):
    def __init__(self, spool: TelemetrySpool, kind: str, spooled: Callable[[], None]) -> None:
        super().__init__()
        self._spool, self._kind, self._spooled = spool, kind, spooled
        self._cannot = ""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        try:
            self._spool.put(self._kind, body.encode() if isinstance(body, str) else body)
            self._cannot = ""
            self._spooled()
        except OSError as error:
            if error.strerror != self._cannot:  # once, until it can again
                self._cannot = str(error.strerror)
                log.warning("telemetry is lost: %s: %s", self._spool.folder, error.strerror)
        response = requests.Response()
        response.status_code, response.reason = 200, "OK"
        response.url, response.request = str(request.url), request
        response.headers["Content-Type"] = "application/json"
        response.raw = HTTPResponse(
            body=io.BytesIO(_TAKEN),
            headers={"Content-Type": "application/json"},
            status=200,
            preload_content=False,
        )
        return response

    def close(self) -> None:
        pass
