"""A deployment as Graphite would show it: two busy grids and one that has gone quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cloud_monitor.metrics.paths import STEP_S, build_path, clean
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, write_outcome, write_polled

NOW = 1_760_000_040  # a minute of the past: tests that need not wait for a real one take place in it
GRIDS = ("belle", "atlas", "quiet")
STATES = {"starting": 2, "running": 40, "retiring": 1, "error": 1, "shutdown": 0, "unknown": 0, "total": 44}
STATUSES = {"idle": 120, "running": 80, "held": 7, "completed": 15, "removed": 0, "total": 222}


def sample_values(now: float, grids: tuple[str, ...] = GRIDS) -> list[Value]:
    """Values whose newest points are of this minute; the grid `quiet` has sent nothing for an hour."""
    minute = int(now) // STEP_S * STEP_S
    found = []
    for number, grid in enumerate(grids):
        timestamp = minute - (3600 if grid == "quiet" else 0)
        found += [Value(path, float(value), timestamp) for path, value in _paths(grid, number + 1)]
    return found


def clock() -> float:
    """What the app's clock shows in tests that are not about its going on."""
    return NOW + 20.0


def write_sample(
    state_dir: Path, now: float = NOW + 20.0, grids: tuple[str, ...] = GRIDS, batches: tuple[str, ...] = ()
) -> None:
    """Put a snapshot of the sample where `create_app(settings, poll=False)` finds it; with series of batches
    of the first grid's fleet.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    values = [*sample_values(now, grids), *_batch_values(now, grids[0], batches)]
    write_polled(state_dir, Polled(now, values))
    write_outcome(
        state_dir,
        PollOutcome(
            attempted_at=now,
            finished_at=now,
            succeeded_at=now,
            duration_s=0.2,
            requests=5,
            series=len(values),
        ),
    )


def _batch_values(now: float, grid: str, batches: tuple[str, ...]) -> Iterator[Value]:
    for batch in batches:
        for figure, value in (
            ("images", 10),
            ("read", 4),
            ("waiting", 6),
            ("images_per_s", 0.5),
            ("cpu_s", 9),
        ):
            path = build_path(f"fleet_batch_{figure}", grid=grid, batch=clean(batch))
            yield Value(path, float(value), int(now) // STEP_S * STEP_S)


@cache
def _paths(grid: str, size: int) -> tuple[tuple[str, float], ...]:
    return tuple(_grid(grid, size))


def _grid(grid: str, size: int) -> Iterator[tuple[str, float]]:
    for service in ("cloud_monitor", "cloud_scheduler", "condor"):
        yield build_path("heartbeat", grid=grid, service=service), 1
    for number, cloud in enumerate(("cern", "uvic", "empty")):
        yield build_path("cloud_enabled", grid=grid, cloud=cloud), float(cloud != "empty")
        yield build_path("cloud_quota", grid=grid, cloud=cloud), 50 * size
        for vmtype in ("small", "large") if cloud != "empty" else ("small",):
            scale = 0 if cloud == "empty" else size + number
            for status, count in STATES.items():
                yield (
                    build_path("cloud_vms", grid=grid, cloud=cloud, vmtype=vmtype, status=status),
                    count * scale,
                )
            yield build_path("cloud_idle", grid=grid, cloud=cloud, vmtype=vmtype), 3 * scale
            yield (
                build_path("cloud_lost", grid=grid, cloud=cloud, vmtype=vmtype),
                number * (vmtype == "large"),
            )
            yield build_path("cloud_unreg", grid=grid, cloud=cloud, vmtype=vmtype), 0
            for slot in range(1, 9 if scale else 1):
                name = f"slot1_{slot}"
                yield build_path("cloud_slots", grid=grid, cloud=cloud, vmtype=vmtype, slot=name), 5 * scale
        for status, count in STATUSES.items():
            yield (
                build_path("cloud_jobs", grid=grid, cloud=cloud, jobtype="all", status=status),
                count * number,
            )
    for jobtype in ("all", "sim", "analysis"):
        for status, count in STATUSES.items():
            share = 2 if jobtype == "all" else 1
            yield build_path("jobs", grid=grid, jobtype=jobtype, status=status), count * size * share
        yield build_path("wait_p50", grid=grid, jobtype=jobtype), 300 * size
        yield build_path("wait_p95", grid=grid, jobtype=jobtype), 4000 * size
    for user in ("alice", "bob", "other"):
        for status, count in STATUSES.items():
            yield build_path("users", grid=grid, user=user, status=status), count * size
    for code, count in (("1", 3), ("13", 2), ("26", 2)):
        yield build_path("held", grid=grid, code=code), count * size
    for state, count in (("claimed", 160), ("unclaimed", 12), ("drained", 0)):
        yield build_path("slots", grid=grid, slottype="dynamic", state=state), count * size
    for kind, total in (("cores", 640), ("memory_mb", 1_280_000), ("gpus", 0)):
        for share, part in (("total", 1.0), ("claimed", 0.75), ("idle", 0.2), ("unusable", 0.05)):
            yield build_path(kind, grid=grid, share=share), total * part * size
    for figure, value in (("duty_cycle", 0.12), ("starts", 12), ("exits", 11)):
        yield build_path(f"condor_schedd_{figure}", grid=grid, name="schedd_1"), value
    for name, value in (
        ("load", 1.5),
        ("cpu", 35),
        ("ram", 61),
        ("swap", 0),
        ("si", 0),
        ("so", 0),
        ("disk", 72),
    ):
        yield build_path(f"sysinfo_{name}", grid=grid), value
    yield build_path("collector_duration", grid=grid), 3.2
    yield build_path("collector_points", grid=grid), 400
    yield build_path("collector_failures", grid=grid), 0
    for status, count in (("pending", 10), ("active", 4), ("done", 120)):
        yield build_path("fleet_chunks", grid=grid, status=status), count
        yield build_path("fleet_images", grid=grid, status=status), count * 500
    yield build_path("fleet_next_deadline", grid=grid), 11_100
    yield build_path("fleet_rate", grid=grid), 2.5
    for status, count in (("met", 110), ("missed", 3), ("open", 14)):
        yield build_path("fleet_deadlines", grid=grid, status=status), count
    yield build_path("fleet_failures", grid=grid, kind="TruncatedImage"), 7
    for figure, value in (("workers", 4), ("cpu_pct", 70), ("memory_pct", 55), ("temp_mb", 210)):
        yield build_path(f"fleet_host_{figure}", grid=grid, host="worker-1"), value
    for host in ("vm-1", "vm-2"):
        yield build_path("live_host", grid=grid, hostname=host), 1


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]), time.time())
