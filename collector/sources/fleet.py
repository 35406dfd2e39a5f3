"""The worker fleet as its queue database shows it: one read, done by the queue's own figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from cloud_monitor.metrics.catalog import UNITS
from cloud_monitor.metrics.paths import build_path, clean
from cloud_monitor.system import progress
from collector.model import Collected
from collector.settings import FleetSettings
from collector.sources.fleet_figures import TOTAL, batch_values, machine_values, sent_batches
from collector.sources.top_n import OTHER, top_names
from worker.queue.statistics.batches import BatchHistory, read_batch_histories
from worker.queue.statistics.machines import FleetMachines, read_fleet_machines
from worker.queue.statistics.queue import HostFigures, QueueFigures, read_figures

_BYTES_IN_MB = UNITS["MB"].factor
# Figures of a host that its worker's report may lack: it is older, or the host has no such thing
_FURTHER = (
    "storage_pct",
    "net_in",
    "net_out",
    "gpu_pct",
    "gpu_memory_pct",
    "pages_total",
    "pages_free",
    "fragmentation_pct",
)


def collect(settings: FleetSettings, timestamp: int) -> Collected:
    figures = query_figures(settings)
    histories = query_histories(settings, figures)
    return Collected(
        (
            *fleet_values(settings.grid, figures, settings.fleet_names_max),
            *batch_values(settings.grid, figures, histories, settings.fleet_batches_max),
            *machine_values(settings.grid, query_machines(settings), settings.fleet_names_max),
        )
    )


def query_figures(settings: FleetSettings) -> QueueFigures:
    """Errors name the database, without its password."""
    progress.report("reading the fleet's queue (COLLECTOR_FLEET_DATABASE_URL)")
    return read_figures(settings.fleet_database_url, last=0)


def query_histories(settings: FleetSettings, figures: QueueFigures) -> Mapping[str, BatchHistory]:
    names = [batch.name for batch in sent_batches(figures, settings.fleet_batches_max)]
    return read_batch_histories(settings.fleet_database_url, names) if names else {}


def query_machines(settings: FleetSettings) -> FleetMachines | None:
    return read_fleet_machines(settings.fleet_database_url, last=0)


def fleet_values(grid: str, figures: QueueFigures, names_max: int) -> Iterator[tuple[str, float]]:
    yield from _counts("fleet_chunks", grid, figures.chunks)
    yield build_path("fleet_chunks_paused", grid=grid), figures.paused
    yield build_path("fleet_held", grid=grid), float(figures.hold is not None)
    yield from _counts("fleet_images", grid, figures.images)
    failures = top_names({(kind, ""): images for kind, images in figures.failures.items()}, names_max)
    for (kind, _), images in sorted(failures.counts.items()):
        yield build_path("fleet_failures", grid=grid, kind=kind), images
    yield build_path("fleet_overflow", grid=grid, names="failures"), failures.overflow
    for outcome, claims in figures.attempts.items():
        yield build_path("fleet_attempts", grid=grid, outcome=clean(outcome)), claims
    for status, chunks in figures.deadlines.items():
        yield build_path("fleet_deadlines", grid=grid, status=status), chunks
    yield from _pace(grid, figures)
    alive = [host for host in figures.hosts if host.alive]
    yield from _hosts(grid, alive, names_max)
    yield from _gate(grid, alive)


def _counts(metric: str, grid: str, counts: Mapping[str, int]) -> Iterator[tuple[str, float]]:
    for status, count in (*counts.items(), (TOTAL, sum(counts.values()))):
        yield build_path(metric, grid=grid, status=status), count


def _pace(grid: str, figures: QueueFigures) -> Iterator[tuple[str, float]]:
    """What has no value now is left out."""
    until_s = figures.next_deadline - figures.at if figures.next_deadline is not None else None
    for metric, value in (
        ("fleet_rate", figures.images_per_s),
        ("fleet_eta", figures.eta_s),
        ("fleet_oldest", figures.oldest_pending_s),
        ("fleet_next_deadline", until_s),
        ("fleet_cost", figures.cost_per_1000_images),
    ):
        if value is not None:
            yield build_path(metric, grid=grid), value


def _hosts(grid: str, hosts: list[HostFigures], names_max: int) -> Iterator[tuple[str, float]]:
    """Figures of each host; of those above the cap the sums of what can be summed."""
    hosts = sorted(hosts, key=lambda host: (-host.workers, host.name))
    for host in hosts[:names_max]:
        for figure, value in (
            ("workers", host.workers),
            ("loading", host.loading),
            ("held_workers", len(host.held)),
            ("cpu_pct", host.cpu_pct),
            ("memory_pct", host.memory_pct),
            ("temp_mb", host.temp_bytes / _BYTES_IN_MB),
            ("temp_limit_mb", _mb(host.figures.get("temp_limit_bytes"))),
            *((name, host.figures.get(name)) for name in _FURTHER),
        ):
            if value is not None:
                yield build_path(f"fleet_host_{figure}", grid=grid, host=clean(host.name)), value
    if rest := hosts[names_max:]:
        yield build_path("fleet_host_workers", grid=grid, host=OTHER), sum(host.workers for host in rest)
        yield build_path("fleet_host_loading", grid=grid, host=OTHER), sum(host.loading for host in rest)
    yield build_path("fleet_overflow", grid=grid, names="hosts"), len(hosts) - len(hosts[:names_max])


def _mb(size_bytes: object) -> float | None:
    """None for what an older worker's report does not have."""
    return size_bytes / _BYTES_IN_MB if isinstance(size_bytes, int | float) else None


def _gate(grid: str, hosts: list[HostFigures]) -> Iterator[tuple[str, float]]:
    """Hosts by what their gate decided last on each subject, and why."""
    reasons: Counter[tuple[str, str]] = Counter()
    for host in hosts:
        newest = {decision.subject: decision.reason for decision in reversed(host.decisions)}
        reasons.update(newest.items())
    for (subject, reason), count in sorted(reasons.items()):
        yield build_path("fleet_gate", grid=grid, subject=clean(subject), reason=clean(reason)), count
