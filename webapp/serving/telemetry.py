"""The page's requests as spans, and Azure's figures of VMs, for Application Insights or an OTLP receiver.

Off, and not imported, unless configured (docs/telemetry.md). Of a request its route is told, not its address:
that holds names, and what is asked for.
"""

from __future__ import annotations

import atexit
import logging
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from werkzeug.wsgi import ClosingIterator

from cloud_monitor.system.locks import FileLock, take_lock
from webapp.poll.current import Latest
from webapp.serving.middleware import ROUTE
from webapp.settings import PageTelemetrySettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from cloud_monitor.telemetry.providers import Telemetry

log = logging.getLogger(__name__)

CLOSE_S = 0.7  # mod_wsgi grants 5 s in all, and the poll and the alerts take of them too
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def trace_requests(settings: PageTelemetrySettings, latest: Latest, app: WSGIApplication) -> WSGIApplication:
    """`app` with a span for each request, where telemetry is configured; else as it is."""
    targets = settings.telemetry_targets(settings.state_dir)
    if not targets.any:
        return app
    try:
        from cloud_monitor.telemetry.providers import ExceptionHandler, Telemetry

        telemetry = Telemetry(targets, "webapp", socket.gethostname())
    except ImportError as error:
        log.warning("no telemetry: %s: pip install 'cloud-monitor[telemetry]'", error)
        return app
    except Exception:
        log.exception("no telemetry")  # such as an OTEL_* variable that its library refuses
        return app
    logging.getLogger("webapp").addHandler(ExceptionHandler(telemetry))
    figures = AzureFigures(latest, settings.state_dir / "telemetry-figures.lock")
    telemetry.gauge("azure_cpu", "%", lambda: figures.read("cpu_pct"))
    telemetry.gauge("azure_memory", "%", lambda: figures.read("memory_available_pct"))
    atexit.register(telemetry.close, CLOSE_S)
    return RequestSpans(app, telemetry)


class RequestSpans:
    """The WSGI application around the app's."""

    def __init__(self, app: WSGIApplication, telemetry: Telemetry) -> None:
        from opentelemetry.trace import SpanKind, StatusCode

        self._app = app
        self._tracer = telemetry.tracer
        self._kind, self._error = SpanKind.SERVER, StatusCode.ERROR

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        method = method if method in _METHODS else "_OTHER"
        span = self._tracer.start_span(method, kind=self._kind, attributes={"http.request.method": method})

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            route = environ.get(ROUTE, "none")
            span.update_name(f"{method} {route}")
            span.set_attributes({"http.route": route, "http.response.status_code": int(status[:3])})
            if status[0] == "5":
                span.set_status(self._error)
            return start_response(status, headers, *error)

        try:
            return ClosingIterator(self._app(environ, start), [span.end])
        except BaseException as error:
            span.record_exception(error)
            span.set_status(self._error)
            span.end()
            raise


class AzureFigures:
    """What Azure says of VMs, told by one process of the deployment: the one that holds the lock."""

    def __init__(self, latest: Latest, lock: Path) -> None:
        self._latest = latest
        self._lock = lock
        self._held: FileLock | None = None

    def read(self, figure: str) -> list[tuple[float, Mapping[str, str]]]:
        """The fresh values of all VMs, by grid and VM; of memory what is in use."""
        return list(self._values(figure)) if self._is_ours() else []

    def _values(self, figure: str) -> Iterator[tuple[float, Mapping[str, str]]]:
        view = self._latest.view()
        for grid in view.snapshot.grids:
            for vm, counts in grid.figures.table("azure_vms").items():
                value = counts.get(figure)
                if value is not None and value.value is not None and view.is_fresh(value):
                    amount = 100 - value.value if figure == "memory_available_pct" else value.value
                    yield amount, {"grid": grid.name, "vm": vm}

    def _is_ours(self) -> bool:
        if self._held is None:
            try:
                self._held = take_lock(self._lock)
            except OSError:
                return False
        return self._held is not None
