"""What a supervisor tells the queue about its host: load, workers, decisions, events; and, beside what the
gate looks at, storage, network, pages and GPUs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from cloud_monitor.program import running_version
from cloud_monitor.system.gpu import GpuReader
from cloud_monitor.system.memory_pages import read_memory_pages
from cloud_monitor.system.usage import read_disk
from worker.gate.model import MB, Decision, GateVerdict, Reason, TempUse
from worker.queue import DecisionNote, HostReport, Queue
from worker.queue.statistics.figures import HELD_BACK
from worker.settings import SupervisorSettings
from worker.supervisor.activity import Activity
from worker.supervisor.averages import Averages
from worker.supervisor.outbox import Outbox
from worker.supervisor.processes import WorkerProcess
from worker.telemetry import WorkerTelemetry

log = logging.getLogger(__name__)

REPORT_EVERY_S = 2.0
REPEAT_EVERY_S = 10.0  # an unchanged decision is noted again
# Passes by itself, or has events of its own
PATIENCE = frozenset({Reason.MEASURING, Reason.PREPARING, Reason.WARMING, Reason.SETTLING})


class Reporter:
    def __init__(self, queue: Queue, outbox: Outbox, host: str, settings: SupervisorSettings) -> None:
        self._queue = queue
        self._outbox = outbox
        self._host = host
        self._environment = settings.environment
        self._version = running_version()
        self._price_per_hour = settings.price_per_hour
        self._doubtful_below = settings.doubtful_below
        self._meter = HostMeter(settings.temp_dir)
        self._reported_s = 0.0
        self._last: Decision | None = None
        self._held: Reason | None = None
        self._noted_s = 0.0
        self._is_held = False
        self._temp_mb: float | None = None

    def tell(self, telemetry: WorkerTelemetry, activity: Activity) -> None:
        """The figures of this host that telemetry exports, as they were looked at last."""

        def active_chunks() -> float | None:
            state = self._outbox.queue_state
            return None if state.error else state.active_chunks

        telemetry.supervise(
            active_chunks=active_chunks,
            temp_mb=lambda: self._temp_mb,
            failed_chunks=lambda: self._outbox.given_up + activity.chunks_failed,
        )

    def event(self, kind: str, message: str, worker: str = "") -> None:
        log.info("%s: %s", kind, message)
        self._outbox.send(partial(self._queue.add_event, kind, message, self._host, worker))

    def decided(self, decision: Decision) -> None:
        """Note the decision; one like the last only now and then."""
        now_s, last = time.monotonic(), self._last
        self._last = decision
        same = last is not None and (last.verdict, last.reason) == (decision.verdict, decision.reason)
        if same and now_s - self._noted_s < REPEAT_EVERY_S:
            return
        self._noted_s = now_s
        subject = "drain" if decision.verdict is GateVerdict.DRAIN else "spawn"
        note = DecisionNote(
            self._host, subject, decision.admitted, decision.reason, decision.figures, decision.text
        )
        self._outbox.send(partial(self._queue.note_decision, note))
        if decision.verdict is GateVerdict.HOLD and decision.reason not in PATIENCE | {self._held}:
            self._held = decision.reason
            self.event("held_back", decision.text)

    def report(
        self,
        averages: Averages,
        workers: list[WorkerProcess],
        temp: TempUse,
        activity: Mapping[str, float],
        force: bool = False,
    ) -> None:
        now_s = time.monotonic()
        self._temp_mb = temp.used_bytes / MB
        if now_s - self._reported_s < REPORT_EVERY_S and not force:
            return
        self._reported_s = now_s
        self._tell_held([worker.status.held_reason for worker in workers])
        if averages.started:
            self._outbox.send(
                partial(self._queue.report_host, self._report(averages, workers, temp, activity))
            )

    def _tell_held(self, reasons: list[str]) -> None:
        """An event when a worker begins to hold back for its host, and when none does any more."""
        held = next((reason for reason in reasons if reason.startswith(HELD_BACK)), "")
        if bool(held) != self._is_held:
            self._is_held = bool(held)
            self.event(
                "host_held" if held else "host_goes_on", held or "it can do again what it could not do"
            )

    def _report(
        self, averages: Averages, workers: list[WorkerProcess], temp: TempUse, activity: Mapping[str, float]
    ) -> HostReport:
        seen = [(worker, worker.status) for worker in workers]
        figures: dict[str, float] = {
            **activity,
            **self._meter.read(averages),
            "cpus": averages.latest.cpus,
            "load_1min": averages.latest.load_1min,
            "memory_limit_bytes": averages.latest.tightest_memory.limit_bytes,
            "temp_limit_bytes": temp.limit_bytes,
            "doubtful_below": self._doubtful_below,
            **{f"pressure_{kind}_pct": value for kind, value in averages.pressure_pct.items()},
        }
        if self._price_per_hour is not None:
            figures["price_per_hour"] = self._price_per_hour
        return HostReport(
            host=self._host,
            environment=self._environment,
            workers=len(seen),
            loading=sum(status.ready_s is None for _, status in seen),
            cpu_pct=averages.cpu_pct,
            memory_pct=max(area.used_pct for area in averages.memory),
            temp_bytes=temp.used_bytes,
            figures=figures,
            version=self._version,
            workers_detail=tuple(
                {
                    "name": worker.name,
                    "pid": worker.process.pid,
                    "state": status.state,
                    "chunk": status.chunks[0].name if status.chunks else None,
                    "images_done": status.images_done,
                    "private_bytes": status.private_bytes,
                    "held_reason": status.held_reason,
                }
                for worker, status in seen
            ),
        )


class HostMeter:
    """`folder`: on the file system whose use is told, that of the workers' temporary files."""

    def __init__(self, folder: Path, gpus: GpuReader | None = None, proc: Path = Path("/proc")) -> None:
        self._folder = folder
        self._gpus = gpus or GpuReader()
        self._proc = proc

    def read(self, averages: Averages) -> dict[str, float]:
        """By name with unit; what is not known is left out."""
        figures: dict[str, float] = {}
        rates = averages.rates
        if rates is not None:
            figures |= {"net_in": rates.net_in_bytes_s, "net_out": rates.net_out_bytes_s}
        with suppress(OSError):  # the gate says what is wrong with it
            figures["storage_pct"] = read_disk(self._folder).used_pct
        pages = read_memory_pages(self._proc)
        if pages is not None:
            figures |= {
                "pages_total": pages.total,
                "pages_free": pages.free,
                "fragmentation_pct": pages.fragmentation_pct,
            }
        gpus = self._gpus.read()
        if gpus:
            total_bytes = sum(gpu.memory_total_bytes for gpu in gpus)
            figures["gpus"] = len(gpus)
            figures["gpu_pct"] = sum(gpu.busy_pct for gpu in gpus) / len(gpus)
            figures["gpu_memory_pct"] = 100 * sum(gpu.memory_used_bytes for gpu in gpus) / max(1, total_bytes)
        return figures
