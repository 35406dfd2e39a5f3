"""Ready queries in PromQL over what the page's /metrics exposes, as links into a Prometheus. Pure."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote


class Query(NamedTuple):
    title: str
    promql: str


class QueryGroup(NamedTuple):
    title: str
    queries: tuple[Query, ...]


GROUPS = (
    QueryGroup(
        "Grids",
        (
            Query("Age of each grid's newest point, in seconds", "cloud_monitor_grid_age_seconds"),
            Query("VMs by state", "sum by (grid, state) (cloud_monitor_cloud_vms)"),
            Query("VMs lost, by cloud", "sum by (grid, cloud) (cloud_monitor_cloud_vms_lost)"),
            Query("Jobs by status", 'sum by (grid, status) (cloud_monitor_grid_jobs{type="all"})'),
            Query(
                "Held jobs by the code of the reason: the ten largest", "topk(10, cloud_monitor_grid_held)"
            ),
            Query(
                "So long 95 % of the waiting jobs wait at most, in seconds",
                'cloud_monitor_grid_wait_p95_seconds{type="all"}',
            ),
        ),
    ),
    QueryGroup(
        "Scheduler hosts",
        (
            Query("CPU in use, %", "cloud_monitor_host_cpu_percent"),
            Query("Memory in use, %", "cloud_monitor_host_memory_percent"),
            Query(
                "Disk in use in a day, %, if it goes on as in the last six hours",
                "predict_linear(cloud_monitor_host_disk_percent[6h], 86400)",
            ),
            Query(
                "Collectors whose runs failed in the last hour",
                "max_over_time(cloud_monitor_collector_failures[1h])",
            ),
        ),
    ),
    QueryGroup(
        "Worker fleet",
        (
            Query("Images a second", "cloud_monitor_fleet_images_per_second"),
            Query("Chunks by status", "sum by (grid, status) (cloud_monitor_fleet_chunks)"),
            Query("Failed images by kind", "sum by (grid, kind) (cloud_monitor_fleet_failures)"),
            Query("CPU of worker hosts, %", "cloud_monitor_fleet_host_cpu_percent"),
            Query(
                "So much before its deadline a batch is ready, in seconds",
                "cloud_monitor_fleet_batch_margin_seconds",
            ),
        ),
    ),
    QueryGroup(
        "This page, and alerts",
        (
            Query(
                "Requests a second by route", "sum by (route) (rate(cloud_monitor_http_requests_total[5m]))"
            ),
            Query(
                "So long 95 % of the answers take at most, in seconds, by route",
                "histogram_quantile(0.95, sum by (route, le) "
                "(rate(cloud_monitor_http_request_duration_seconds_bucket[15m])))",
            ),
            Query("CPU seconds a second", "rate(cloud_monitor_process_cpu_seconds_total[5m])"),
            Query("Memory in bytes", "cloud_monitor_process_resident_memory_bytes"),
            Query("Alerts that fire, where alerts.yml is loaded", 'ALERTS{alertstate="firing"}'),
        ),
    ),
)

# Where a query is shown below the address of a Prometheus or VictoriaMetrics, the best first, by what is
# asked for to learn whether that is there.
PLACES = {
    "/vmui/": "/vmui/#/?g0.expr={}&g0.range_input=1d",
    "/graph": "/graph?g0.expr={}&g0.tab=0&g0.range_input=1d",
    "/classic/graph": "/classic/graph?g0.expr={}&g0.tab=0&g0.range_input=1d",  # Debian's has no other
    "/api/v1/query?query=1": "/api/v1/query?query={}",  # the answer as JSON
}
AS_JSON = "/api/v1/query?query=1"


def query_address(url: str, place: str, promql: str) -> str:
    """`place` is one of PLACES."""
    return url + PLACES[place].format(quote(promql, safe=""))
