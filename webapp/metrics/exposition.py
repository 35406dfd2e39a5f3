"""What Prometheus is told: the app's own figures and each grid's main gauges, in its text format. Pure.

A gauge that has no fresh value is left out: Prometheus then shows a gap, never an old figure as a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from webapp.metrics.counters import BUCKETS_S, LATENCY, POLL_DURATION, POLLS, REQUESTS, CounterValues, Totals
from webapp.model.freshness import Freshness
from webapp.model.health import Level
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Grid, Value

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SHOWN = (Freshness.FRESH, Freshness.ZERO)
_HOST_GAUGES = (
    ("cloud_monitor_host_cpu_percent", "CPU time in use on the grid's head node.", "cpu"),
    ("cloud_monitor_host_memory_percent", "Memory in use on the grid's head node.", "ram"),
    ("cloud_monitor_host_swap_percent", "Swap in use on the grid's head node.", "swap"),
    ("cloud_monitor_host_disk_percent", "Fullest file system of the grid's head node.", "disk"),
    ("cloud_monitor_host_load1", "Load average over one minute of the grid's head node.", "load"),
)

_FLEET_GAUGES = (
    ("cloud_monitor_fleet_host_cpu_percent", "CPU in use on a worker host.", "cpu_pct"),
    ("cloud_monitor_fleet_host_memory_percent", "Memory in use on a worker host.", "memory_pct"),
    ("cloud_monitor_fleet_host_workers", "Workers on a worker host.", "workers"),
)


def expose(view: SnapshotView, totals: Totals, levels: Mapping[str, Level]) -> bytes:
    """The text for a scrape. `levels` are the grids' by name."""

    class Answer(Collector):
        def collect(self) -> Iterable[Metric]:
            yield from _own(view, totals)
            yield from _grids(view, levels)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Answer())
    return generate_latest(registry)


def _own(view: SnapshotView, totals: Totals) -> Iterator[Metric]:
    outcome = view.outcome
    if view.age_s is not None:
        yield _gauge("cloud_monitor_snapshot_age_seconds", "Age of the data that pages show.", view.age_s)
    yield _gauge("cloud_monitor_snapshot_series", "Series in the snapshot.", len(view.snapshot.values))
    yield _gauge(
        "cloud_monitor_poll_failing", "1 the last poll of Graphite failed, 0 it did not.", bool(outcome.error)
    )
    yield _gauge(
        "cloud_monitor_poll_refused_names",
        "Series that the last good poll left out because their names are no text that can be shown.",
        outcome.refused_names,
    )
    polls = CounterMetricFamily("cloud_monitor_polls", "Polls of Graphite.", labels=["result"])
    for result in ("ok", "failed"):
        polls.add_metric([result], totals.counters.get((POLLS, result), 0.0))
    yield polls
    yield _histogram(
        "cloud_monitor_poll_duration_seconds", "Duration of polls.", "result", POLL_DURATION, totals.counters
    )
    requests = CounterMetricFamily(
        "cloud_monitor_http_requests", "Requests answered.", labels=["route", "status"]
    )
    for key, count in sorted(totals.counters.items()):
        if key[0] == REQUESTS:
            requests.add_metric(key[1:], count)
    yield requests
    yield _histogram(
        "cloud_monitor_http_request_duration_seconds", "Time to answer.", "route", LATENCY, totals.counters
    )
    yield CounterMetricFamily(
        "cloud_monitor_process_cpu_seconds", "CPU time of all processes of the page.", value=totals.cpu_s
    )
    yield _gauge(
        "cloud_monitor_process_resident_memory_bytes",
        "Resident memory of all processes of the page; shared pages count in each.",
        totals.memory_bytes,
    )
    yield _gauge("cloud_monitor_processes", "Processes of the page.", totals.processes)


def _grids(view: SnapshotView, levels: Mapping[str, Level]) -> Iterator[Metric]:
    grids = view.snapshot.grids

    def table(
        name: str, text: str, labels: list[str], rows: Iterable[tuple[list[str], Value | None]]
    ) -> Metric:
        family = GaugeMetricFamily(name, text, labels=labels)
        for label, value in rows:
            if value is not None and value.value is not None and view.freshness(value) in _SHOWN:
                family.add_metric(label, value.value)
        return family

    ages = GaugeMetricFamily(
        "cloud_monitor_grid_age_seconds", "Age of a grid's newest point.", labels=["grid"]
    )
    words = ", ".join(f"{level:d} {level.word}" for level in Level)
    health = GaugeMetricFamily("cloud_monitor_grid_health", f"{words}.", labels=["grid"])
    for grid in grids:
        if grid.newest is not None:
            ages.add_metric([grid.name], max(0, view.as_of - grid.newest))
        health.add_metric([grid.name], levels[grid.name])
    yield ages
    yield health
    yield table(
        "cloud_monitor_grid_heartbeat", "1 the service answered the collector, 0 it did not.",
        ["grid", "service"],
        (([grid.name, name], value) for grid in grids for name, value in grid.heartbeats.items()),
    )  # fmt: skip
    yield table(
        "cloud_monitor_grid_jobs", "Jobs by type and status; all is the sum.", ["grid", "type", "status"],
        (
            ([grid.name, jobtype, status], value)
            for grid in grids for jobtype, counts in grid.jobs.items() for status, value in counts.items()
        ),
    )  # fmt: skip
    yield table(
        "cloud_monitor_cloud_vms", "VMs of a cloud by state, as the cloud scheduler says.",
        ["grid", "cloud", "state"],
        (
            ([grid.name, cloud.name, state], value)
            for grid in grids for cloud in grid.clouds for state, value in cloud.total.states.items()
        ),
    )  # fmt: skip
    for kind, text in (
        ("idle", "Running VMs without a busy slot."),
        ("lost", "VMs in HTCondor that the cloud scheduler does not know."),
        ("unregistered", "Running VMs that HTCondor does not know."),
    ):
        yield table(f"cloud_monitor_cloud_vms_{kind}", text, ["grid", "cloud"], _of_clouds(grids, kind))
    yield table(
        "cloud_monitor_cloud_quota_vms", "VMs that may run on a cloud at once.", ["grid", "cloud"],
        _of_clouds(grids, "quota"),
    )  # fmt: skip
    yield table(
        "cloud_monitor_cloud_enabled", "1 VMs may be booted on the cloud, 0 they may not.", ["grid", "cloud"],
        _of_clouds(grids, "enabled"),
    )  # fmt: skip
    yield table(
        "cloud_monitor_grid_cores", "Cores of the pool: total claimed idle unusable.", ["grid", "share"],
        (
            ([grid.name, share], value)
            for grid in grids for share, value in grid.resources.get("cores", {}).items()
        ),
    )  # fmt: skip
    for name, text, figure in _HOST_GAUGES:
        yield table(name, text, ["grid"], (([grid.name], grid.own.sysinfo.get(figure)) for grid in grids))
    for name, text, figure in _FLEET_GAUGES:
        yield table(
            name, text, ["grid", "host"],
            (
                ([grid.name, host], figures.get(figure))
                for grid in grids for host, figures in grid.fleet.hosts.items()
            ),
        )  # fmt: skip
    yield table(
        "cloud_monitor_fleet_chunks", "Chunks of the worker fleet by status.", ["grid", "status"],
        (([grid.name, status], value) for grid in grids for status, value in grid.fleet.chunks.items()),
    )  # fmt: skip
    yield table(
        "cloud_monitor_fleet_images", "Images of the worker fleet by status.", ["grid", "status"],
        (([grid.name, status], value) for grid in grids for status, value in grid.fleet.images.items()),
    )  # fmt: skip
    yield table(
        "cloud_monitor_fleet_deadlines", "Chunks with a deadline: met missed open.", ["grid", "status"],
        (([grid.name, status], value) for grid in grids for status, value in grid.fleet.deadlines.items()),
    )  # fmt: skip


def _of_clouds(grids: Iterable[Grid], kind: str) -> Iterator[tuple[list[str], Value]]:
    for grid in grids:
        for cloud in grid.clouds:
            value = {
                "idle": cloud.total.idle,
                "lost": cloud.total.lost,
                "unregistered": cloud.total.unreg,
                "quota": cloud.quota,
                "enabled": cloud.enabled,
            }[kind]
            yield [grid.name, cloud.name], value


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _histogram(name: str, text: str, label: str, key: str, counters: CounterValues) -> Metric:
    """Turn counts a bucket into Prometheus's, where a bucket counts all that is not longer than its bound."""
    family = HistogramMetricFamily(name, text, labels=[label])
    for value in sorted({found[1] for found in counters if found[0] == key}):
        buckets, sofar = [], 0.0
        for bound in (*map(str, BUCKETS_S), "+Inf"):
            sofar += counters.get((key, value, bound), 0.0)
            buckets.append((bound, sofar))
        family.add_metric([value], buckets, counters.get((key, value, "sum"), 0.0))
    return family
