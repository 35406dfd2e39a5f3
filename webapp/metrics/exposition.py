"""What Prometheus is told: the app's own figures and every figure of the grids, in its text format. Pure.

A gauge that has no fresh value is left out: Prometheus then shows a gap, never an old figure as a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from cloud_monitor import __version__
from webapp.metrics.counters import BUCKETS_S, LATENCY, POLL_DURATION, POLLS, REQUESTS, CounterValues, Totals
from webapp.metrics.gauges import expose_grids
from webapp.model.health import Health, Level

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def expose(health: Health, totals: Totals, channel_failures: Mapping[str, int]) -> bytes:
    """The text for a scrape: what was judged, what was counted, failures in a row of alerts' channels."""

    class Answer(Collector):
        def collect(self) -> Iterable[Metric]:
            yield from _own(health, totals)
            yield _channels(channel_failures)
            yield from _grids(health)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Answer())
    return generate_latest(registry) + expose_grids(health.view).encode()


def _own(health: Health, totals: Totals) -> Iterator[Metric]:
    view = health.view
    build = GaugeMetricFamily("cloud_monitor_build_info", "1; its label says what runs.", labels=["version"])
    build.add_metric([__version__], 1)
    yield build
    if view.age_s is not None:
        yield _gauge("cloud_monitor_snapshot_age_seconds", "Age of the data that pages show.", view.age_s)
    yield _gauge("cloud_monitor_snapshot_series", "Series in the snapshot.", len(view.snapshot.values))
    yield _gauge(
        "cloud_monitor_poll_failing",
        "1 the last poll of Graphite failed, or is too long ago, 0 neither.",
        health.is_poll_failing,
    )
    yield _gauge(
        "cloud_monitor_poll_refused_names",
        "Series that the last good poll left out because their names are no text that can be shown.",
        view.outcome.refused_names,
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


def _channels(failures: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(
        "cloud_monitor_alert_channel_failures",
        "Failures in a row of a channel that alerts are sent on.",
        labels=["channel"],
    )
    for name, count in failures.items():
        family.add_metric([name], count)
    return family


def _grids(judged: Health) -> Iterator[Metric]:
    view = judged.view
    ages = GaugeMetricFamily(
        "cloud_monitor_grid_age_seconds", "Age of a grid's newest point.", labels=["grid"]
    )
    clocks = GaugeMetricFamily(
        "cloud_monitor_grid_clock_ahead_seconds",
        "How much the clock of a grid's head node is ahead; 0 where it is not.",
        labels=["grid"],
    )
    further = GaugeMetricFamily(
        "cloud_monitor_further_clock_ahead_seconds",
        "The same of a further scheduler host.",
        labels=["grid", "host"],
    )
    words = ", ".join(f"{level:d} {level.word}" for level in Level)
    health = GaugeMetricFamily("cloud_monitor_grid_health", f"{words}.", labels=["grid"])
    for grid in view.snapshot.grids:
        if grid.newest is not None:
            ages.add_metric([grid.name], max(0, view.as_of - grid.newest))
        health.add_metric([grid.name], judged.grid(grid).level)
        if (ahead_s := view.snapshot.clocks_ahead_s.get(grid.name)) is not None:
            clocks.add_metric([grid.name], ahead_s)
        for host in grid.hosts:
            if (ahead_s := view.snapshot.clocks_ahead_s.get(f"{grid.name}/{host.name}")) is not None:
                further.add_metric([grid.name, host.name], ahead_s)
    yield ages
    yield clocks
    yield further
    yield health


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
