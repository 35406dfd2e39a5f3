"""Deployments of 1k, 10k and 100k series: grids of ten clouds each, in the shape collectors send."""

from __future__ import annotations

from collections.abc import Iterator

from cloud_monitor.metrics.paths import build_path

SERIES_OF_A_GRID = 500
CLOUDS_OF_A_GRID = 10

_STATES = ("starting", "running", "retiring", "error", "shutdown", "unknown", "total")
_STATUSES = ("idle", "running", "removed", "completed", "held", "transferring_output", "suspended", "total")


def make_series(count: int) -> list[tuple[str, float]]:
    """About `count` (path, value) pairs: a grid for each 500, each with ten clouds."""
    grids = max(1, count // SERIES_OF_A_GRID)
    return [pair for grid in range(grids) for pair in _grid(f"grid{grid:03d}", grid)]


def _grid(grid: str, seed: int) -> Iterator[tuple[str, float]]:
    for service in ("cloud_monitor", "cloud_scheduler", "condor"):
        yield build_path("heartbeat", grid=grid, service=service), 1
    for name in ("load", "cpu", "ram", "swap", "si", "so", "disk"):
        yield build_path(f"sysinfo_{name}", grid=grid), 20 + seed % 10
    for number, jobtype in enumerate(("all", "sim", "analysis", "merge")):
        for place, status in enumerate(_STATUSES):
            yield build_path("jobs", grid=grid, jobtype=jobtype, status=status), 10 * number + place
    for code in ("1", "13", "26"):
        yield build_path("held", grid=grid, code=code), 3
    for number in range(CLOUDS_OF_A_GRID):
        yield from _cloud(grid, f"cloud{number}", 0 if number % 3 == 2 else seed + number + 1)


def _cloud(grid: str, cloud: str, size: int) -> Iterator[tuple[str, float]]:
    yield build_path("cloud_enabled", grid=grid, cloud=cloud), float(size > 0)
    yield build_path("cloud_quota", grid=grid, cloud=cloud), 100
    for vmtype in ("small", "large", "gpu"):
        for status in _STATES:
            yield build_path("cloud_vms", grid=grid, cloud=cloud, vmtype=vmtype, status=status), size
        for kind in ("cloud_idle", "cloud_lost", "cloud_unreg"):
            yield build_path(kind, grid=grid, cloud=cloud, vmtype=vmtype), 0
        for slot in range(1, 5):
            name = f"slot1_{slot}"
            yield build_path("cloud_slots", grid=grid, cloud=cloud, vmtype=vmtype, slot=name), size
    for status in ("running", "held"):
        yield build_path("cloud_jobs", grid=grid, cloud=cloud, jobtype="all", status=status), 2 * size
