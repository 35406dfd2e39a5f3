"""What this host's processes tell Application Insights or an OTLP receiver; off, and not imported, unless
set.

A supervisor gives figures, a worker events and spans: a chunk with its claim, download, recognising, storing
and upload, and the calls to storage and database meanwhile. Nothing here waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloud_monitor.telemetry.redact import redact_text
from worker.settings import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from cloud_monitor.telemetry.providers import Telemetry
    from worker.queue import Claim

log = logging.getLogger(__name__)

CLOSE_S = 2.0  # of a process's end, for the last of it
QUERY_CHARACTERS_MAX = 300
_TO_NS = 1_000_000_000

Figure = Callable[[], float | None]  # None: it is not known now


class ChunkTrace:
    """What is told of one chunk; this one tells nothing."""

    @contextmanager
    def step(self, name: str, **attributes: str | int) -> Iterator[None]:
        """A span within the chunk's. What is raised in it is told, and raised on."""
        yield

    def claimed(self, claim: Claim) -> None:
        """There is a chunk to be told of."""

    def started(self, claim: Claim, active_chunks: int, temp_bytes: int) -> None:
        """The event `chunk_started`."""

    def end(self, outcome: str, error: str = "", begun_s: float | None = None, images: int = 0) -> None:
        """It is this worker's no more; `begun_s` is when recognising of so many images began (epoch)."""


class WorkerTelemetry:
    """Of one process; this one is off."""

    is_on = False

    def supervise(self, active_chunks: Figure, temp_mb: Figure, failed_chunks: Figure) -> None:
        """The supervisor's figures: the queue's active chunks, what temporary files take here, and the chunks
        whose failure this supervisor or a worker of it recorded.
        """

    @contextmanager
    def claiming(self) -> Iterator[ChunkTrace]:
        """A claim; of one that finds no chunk nothing is told."""
        yield ChunkTrace()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        """The process ends: what there is goes to disk, and away while there is time."""


def open_telemetry(settings: TelemetrySettings, role: str, instance: str) -> WorkerTelemetry:
    """`role`: worker or supervisor. Where its packages are missing that is said once, and work goes on."""
    targets = settings.telemetry_targets(settings.state_dir)
    if not targets.any:
        return WorkerTelemetry()
    try:
        from cloud_monitor.telemetry.providers import Telemetry

        telemetry = Telemetry(targets, role, instance)
    except ImportError as error:
        log.warning("no telemetry: %s: pip install 'cloud-monitor[telemetry]'", error)
        return WorkerTelemetry()
    except Exception:
        log.exception("no telemetry")  # such as an OTEL_* variable that its library refuses
        return WorkerTelemetry()
    return OpenedTelemetry(telemetry)


class OpenedTelemetry(WorkerTelemetry):
    is_on = True

    def __init__(self, telemetry: Telemetry) -> None:
        from cloud_monitor.telemetry.providers import ExceptionHandler

        self._telemetry = telemetry
        logging.getLogger("worker").addHandler(ExceptionHandler(telemetry))

    def supervise(self, active_chunks: Figure, temp_mb: Figure, failed_chunks: Figure) -> None:
        self._telemetry.gauge("active_chunks", "{chunk}", _reading(active_chunks))
        self._telemetry.gauge("temp_storage_mb", "MB", _reading(temp_mb))
        self._telemetry.counter("failed_chunks", "{chunk}", _reading(failed_chunks))

    @contextmanager
    def claiming(self) -> Iterator[ChunkTrace]:
        _trace_database(self._telemetry)
        trace = OpenedChunkTrace(self._telemetry)
        try:
            with trace.step("claim"):
                yield trace
        except Exception as error:
            trace.refused(error)
            raise
        finally:
            trace.decide()

    def close(self, timeout_s: float = CLOSE_S) -> None:
        self._telemetry.close(timeout_s)


class OpenedChunkTrace(ChunkTrace):
    """Its span begins with the claim. Any thread may use it."""

    def __init__(self, telemetry: Telemetry) -> None:
        from opentelemetry import trace

        self._telemetry = telemetry
        self._set_current = trace.set_span_in_context
        self._span: Span = telemetry.tracer.start_span("chunk", kind=trace.SpanKind.CONSUMER)
        self._status = trace.StatusCode.ERROR
        self._is_wanted = False
        self._context = trace.set_span_in_context(self._span)
        telemetry.keep_back(self._span)

    @contextmanager
    def step(self, name: str, **attributes: str | int) -> Iterator[None]:
        _trace_storage()
        with self._telemetry.tracer.start_as_current_span(name, self._context, attributes=attributes):
            yield

    def claimed(self, claim: Claim) -> None:
        self._is_wanted = True
        self._span.set_attributes(
            {"chunk_id": claim.name, "attempt": claim.attempt, "images": len(claim.images)}
        )

    def started(self, claim: Claim, active_chunks: int, temp_bytes: int) -> None:
        said: dict[str, str | int | float] = {
            "chunk_id": claim.name, "active_chunks": active_chunks, "temp_storage_mb": temp_bytes / 1e6
        }  # fmt: skip
        self._telemetry.event("chunk_started", said, self._context)

    def refused(self, error: Exception) -> None:
        """There is no chunk, since the queue could not be asked."""
        self._is_wanted = True
        self.end("unclaimed", str(error))

    def decide(self) -> None:
        """After the claim: whether there is a chunk to be told of."""
        self._telemetry.decide(self._span, self._is_wanted)

    def end(self, outcome: str, error: str = "", begun_s: float | None = None, images: int = 0) -> None:
        if begun_s is not None:
            span = self._telemetry.tracer.start_span(
                "recognise", self._context, start_time=int(begun_s * _TO_NS), attributes={"images": images}
            )
            span.end()
        self._span.set_attribute("outcome", outcome)
        if error:
            self._span.set_status(self._status, redact_text(error))
        self._span.end()


def _reading(figure: Figure) -> Callable[[], list[tuple[float, Mapping[str, str]]]]:
    def read() -> list[tuple[float, Mapping[str, str]]]:
        value = figure()
        return [] if value is None else [(value, {})]

    return read


def _trace_storage() -> None:
    """Azure's own libraries trace each call to storage, where they are in use."""
    import sys

    if "azure.core.settings" in sys.modules:
        sys.modules["azure.core.settings"].settings.tracing_enabled = True


_database = threading.Lock()
_is_database_traced = False


def _trace_database(telemetry: Telemetry) -> None:
    """A span for each statement within a span of ours, without its values."""
    global _is_database_traced
    with _database:
        if _is_database_traced:
            return
        _is_database_traced = True
    from opentelemetry import trace
    from sqlalchemy import Engine, event

    def before(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        connection.info["begun_ns"] = time.time_ns()

    def after(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        tell(connection.engine, connection.info.pop("begun_ns", None), statement, None)

    def failed(context: Any) -> None:
        begun_ns = context.connection.info.pop("begun_ns", None) if context.connection else None
        tell(context.engine, begun_ns, context.statement or "connect", context.original_exception)

    def tell(engine: Any, begun_ns: int | None, statement: str, error: BaseException | None) -> None:
        if engine is None or not trace.get_current_span().get_span_context().is_valid:
            return
        if statement.startswith("BEGIN") and error is None:
            return
        system = engine.dialect.name
        place = {"server.address": engine.url.host} if engine.url.host else {}
        span = telemetry.tracer.start_span(
            f"{statement.split(None, 1)[0].upper()} {system}",
            kind=trace.SpanKind.CLIENT,
            start_time=begun_ns,
            attributes={
                "db.system": system, "db.statement": statement[:QUERY_CHARACTERS_MAX],
                "db.name": engine.url.database or "", **place,
            },
        )  # fmt: skip
        if error is not None:
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, redact_text(str(error)))
        span.end()

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    event.listen(Engine, "handle_error", failed)
