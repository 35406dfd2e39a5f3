"""A deployment for the browser: grids with a history of an hour, the same hours yesterday and a week ago.

Everything is written as the collector writes it: paths built by its grammar, frames of its making, sent to
Carbon. Every value is a plain function of its path and time, so that a test can say what must be on the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from zlib import crc32

from cloud_monitor.metrics.paths import STEP_S, build_path
from collector.delivery.carbon import Timeouts, send_frames
from collector.delivery.destinations import Address
from collector.delivery.frames import encode_frame, split_points
from collector.model import Point

RETENTIONS = "60s:9d"
HISTORY_S = 75 * 60
DAY_S = 86400
SHORT = ("atlas", 3, 2)  # a grid of so many schedds, of which so many answered from 20 to 15 minutes ago
GAP = "grids.belle.jobs.all.running"  # has no points from 40 to 30 minutes ago
STATES = ("total", "starting", "running", "retiring", "error", "shutdown", "unknown")
STATUSES = ("total", "unexpanded", "idle", "running", "removed", "completed", "held", "suspended")

CLOUDS = {  # grid -> cloud -> VM type -> running VMs
    "belle": {
        "cern": {"medium": 24, "large": 60},
        "victoria": {"large": 36, "xlarge-gpu": 4},
        "arbutus": {"large": 18},
        "beaver": {"large": 0},
        "chameleon": {"small": 0},
    },
    "atlas": {
        "cern": {"mcore": 110, "himem": 12},
        "ecdf": {"mcore": 48},
        "munich": {"mcore": 31},
        "otter": {"mcore": 0},
    },
    "quiet": {"cern": {"large": 5}},
}
ERRORS = {("atlas", "munich"): 12, ("belle", "victoria"): 2}
LOST = {("belle", "arbutus"): 3}
SLOTS = {"medium": 4, "large": 8, "xlarge-gpu": 16, "small": 2, "mcore": 8, "himem": 8}
JOBTYPES = {
    "belle": {"all": 1.0, "sim": 0.6, "skim": 0.4},
    "atlas": {"all": 1.0, "mcore": 0.7, "analysis": 0.3},
}
JOBS = {"belle": (420, 910, 37), "atlas": (1310, 2240, 96)}  # running, idle, held
HELD = {"26": 0.5, "34": 0.3, "13": 0.2}
USERS = {"alice": 0.5, "bob": 0.3, "carol": 0.15, "other": 0.05}
_WITH_HISTORY = frozenset({"vms", "idle", "lost", "unreg", "jobs", "held", "sysinfo", "cores", "fleet"})
QUIET_FOR_S = 1800
HOSTILE = "<script>"  # a slash would be a folder to Whisper


def minute_of(now: float) -> int:
    return int(now) // STEP_S * STEP_S


def wave(path: str, value: float, timestamp: int) -> float:
    """The value at a time: small figures stand still, others go up and down around what is given.

    What belongs together (the statuses of one VM type, the types of jobs) does so together: it adds up.
    """
    if value < 8 or ".fleet." in path:
        return float(value)
    kind = path.split(".jobs.")[0] if ".jobs." in path else path.rpartition(".")[0]
    phase = crc32(kind.encode()) % 628 / 100
    noise = crc32(f"{kind} {timestamp // 180}".encode()) % 1000 / 1000 - 0.5
    slow, quick = math.sin(phase + timestamp / 9700), math.sin(2 * phase + timestamp / 1900)
    return float(round(value * (1 + 0.08 * slow + 0.03 * quick + 0.03 * noise)))


def grid_values(grid: str) -> Iterator[tuple[str, float]]:
    """Path and figure of everything that a grid's collectors send each minute."""
    for service in ("cloud_monitor", "cloud_scheduler", "condor"):
        yield build_path("heartbeat", grid=grid, service=service), 1
    for cloud, types in CLOUDS[grid].items():
        yield from cloud_values(grid, cloud, types)
    yield from host_values(grid)
    if grid in JOBS:
        yield from job_values(grid)
        yield from pool_values(grid)
    if grid == "belle":
        yield from fleet_values(grid)


def cloud_values(grid: str, cloud: str, types: dict[str, int]) -> Iterator[tuple[str, float]]:
    running = sum(types.values())
    yield build_path("cloud_enabled", grid=grid, cloud=cloud), float(cloud not in ("beaver", "chameleon"))
    yield build_path("cloud_quota", grid=grid, cloud=cloud), max(20, running * 1.25 // 10 * 10)
    yield build_path("cloud_mips", grid=grid, cloud=cloud), running * 4100.0
    yield build_path("cloud_kflops", grid=grid, cloud=cloud), running * 1.4e6
    for place, (vmtype, count) in enumerate(types.items()):
        error = ERRORS.get((grid, cloud), 0) if place == 0 else 0
        figures = (count and count // 20 + 1, count, count // 25, error, 0, 0)
        states = dict(zip(STATES, (sum(figures), *figures), strict=True))
        names = {"grid": grid, "cloud": cloud, "vmtype": vmtype}
        for status, figure in states.items():
            yield build_path("cloud_vms", **names, status=status), figure
        yield build_path("cloud_idle", **names), count // 12
        yield build_path("cloud_lost", **names), LOST.get((grid, cloud), 0)
        yield build_path("cloud_unreg", **names), 1 if count > 50 else 0
        for slot in range(1, (SLOTS[vmtype] if count else 0) + 1):
            yield build_path("cloud_slots", **names, slot=f"slot1_{slot}"), max(0, count - slot)
    for kind in ("idle", "lost", "unreg"):
        total = sum(
            {"idle": count // 12, "lost": LOST.get((grid, cloud), 0), "unreg": int(count > 50)}[kind]
            for count in types.values()
        )
        yield build_path(f"cloud_{kind}", grid=grid, cloud=cloud, vmtype="total"), total
    for status, figure in (("total", running * 8), ("running", running * 7), ("held", running // 10)):
        yield build_path("cloud_jobs", grid=grid, cloud=cloud, jobtype="all", status=status), figure
    if cloud == "cern":
        for status, figure in (("running", running), ("starting", 2), ("error", 1)):
            yield build_path("cloud_api_vms", grid=grid, cloud=cloud, status=status), figure
        for share, cores in (("native", running * 8), ("limit", running * 10), ("quota", running * 10)):
            yield build_path("cloud_cores", grid=grid, cloud=cloud, share=share), cores


def job_values(grid: str) -> Iterator[tuple[str, float]]:
    running, idle, held = JOBS[grid]
    for jobtype, share in JOBTYPES[grid].items():
        figures = (0, idle, running, 0, running // 9, held, 0)
        counts = [round(figure * share) for figure in figures]
        for status, count in zip(STATUSES, (sum(counts), *counts), strict=True):
            yield build_path("jobs", grid=grid, jobtype=jobtype, status=status), count
        yield build_path("wait_p50", grid=grid, jobtype=jobtype), 540 * (1 + share)
        yield build_path("wait_p95", grid=grid, jobtype=jobtype), 7300 * (1 + share)
    for code, share in HELD.items():
        yield build_path("held", grid=grid, code=code), round(held * share)
    for user, share in USERS.items():
        for status, figure in (
            ("total", running + idle + held),
            ("running", running),
            ("idle", idle),
            ("held", held),
        ):
            yield build_path("users", grid=grid, user=user, status=status), round(figure * share)
    for group, share in (("group_prod", 0.8), ("group_analysis", 0.2)):
        for status, figure in (("total", running + idle + held), ("running", running), ("idle", idle)):
            yield build_path("groups", grid=grid, group=group, status=status), round(figure * share)


def pool_values(grid: str) -> Iterator[tuple[str, float]]:
    running = JOBS[grid][0]
    for kind, size in (("cores", 1.3), ("memory_mb", 2600.0), ("gpus", 0.01)):
        for share, part in (("total", 1.0), ("claimed", 0.78), ("idle", 0.17), ("unusable", 0.05)):
            yield build_path(kind, grid=grid, share=share), round(running * size * part)
    for slottype, state, part in (
        ("dynamic", "claimed", 1.0),
        ("partitionable", "unclaimed", 0.2),
        ("dynamic", "preempting", 0.01),
    ):
        yield build_path("slots", grid=grid, slottype=slottype, state=state), round(running * part)
    for figure, value in (
        ("duty_cycle", 0.31), ("jobs_running", running), ("recent_starts", 410), ("recent_exits", 390),
        ("recent_wait_sum_s", 81200), ("recent_badput_sum_s", 320),
    ):  # fmt: skip
        for name in (f"sched-1-{grid}", f"sched-2-{grid}"):
            yield build_path(f"condor_schedd_{figure}", grid=grid, name=name), value
    for figure, value in (("duty_cycle", 0.07), ("cycle_s", 3.4), ("matches", 36), ("rejections", 4)):
        yield build_path(f"condor_negotiator_{figure}", grid=grid, name=grid), value


def host_values(grid: str) -> Iterator[tuple[str, float]]:
    for name, value in (
        ("load", 2.4), ("cpu", 34 if grid == "belle" else 83), ("ram", 58), ("swap", 3), ("si", 0), ("so", 0),
        ("disk", 70), ("net_in", 2.1e6), ("net_out", 8.4e5), ("cores", 16), ("ram_mb", 64000),
    ):  # fmt: skip
        yield build_path(f"sysinfo_{name}", grid=grid), value
    for mount, value in (("root", 70), ("var", 44)):
        yield build_path("sysinfo_disks", grid=grid, mount=mount), value
    yield build_path("collector_duration", grid=grid), 2.7
    yield build_path("collector_points", grid=grid), 640
    yield build_path("collector_failures", grid=grid), 0
    for source, duration in (("condor_jobs", 1.9), ("cloudscheduler", 0.8), ("host", 0.1)):
        yield build_path("source_duration", grid=grid, source=source), duration
        yield build_path("source_points", grid=grid, source=source), 200
        yield build_path("source_failed", grid=grid, source=source), 0
    if grid == "belle":
        for name, value in (("load", 0.6), ("cpu", 12), ("ram", 31), ("disk", 40)):
            yield build_path(f"host_sysinfo_{name}", grid=grid, host="sched-2"), value
        yield build_path("host_heartbeat", grid=grid, host="sched-2", service="condor"), 1


def fleet_values(grid: str) -> Iterator[tuple[str, float]]:
    for status, count in (("pending", 240), ("active", 32), ("done", 1830), ("failed", 0)):
        yield build_path("fleet_chunks", grid=grid, status=status), count
        yield build_path("fleet_images", grid=grid, status=status), count * 100
    for number in (1, 2, 3):
        for figure, value in (("workers", 8), ("cpu_pct", 71), ("memory_pct", 55), ("temp_mb", 310)):
            yield build_path(f"fleet_host_{figure}", grid=grid, host=f"worker-{number}"), value + number


def has_history(path: str) -> bool:
    """Whether tests and pictures look at the past of this path: what pages plot, small or large."""
    return not _WITH_HISTORY.isdisjoint(path.split("."))


def past(path: str, value: float, at: int, now: int) -> float:
    """The value at a time that is over. What stands still of late has moved before, and work has got on."""
    age_min = (now - at) / 60
    if ".fleet." in path:
        per_minute = 110 if ".images." in path else 1.1
        if path.endswith(".done"):
            return round(max(value * 0.1, value - per_minute * age_min))
        if path.endswith(".pending"):
            return round(value + per_minute * age_min)
    if value == 0 or age_min < 25 or (value >= 8 and ".fleet." not in path):
        return wave(path, value, at)
    swing = math.sin(crc32(path.encode()) % 628 / 100 + at / 2700) + 0.5 * math.sin(at / 830)
    moved = value * (1 + (0.45 if value < 8 else 0.08) * swing)
    return max(0.0, float(round(moved)) if value == int(value) else round(moved, 2))


def scene_points(now: float, history_s: int = HISTORY_S) -> Iterator[Point]:
    """All points up to the minute of `now`, with a history for the main ones."""
    minute = minute_of(now)
    recent = range(minute - history_s, minute + 1, STEP_S)
    earlier = [
        at - days * DAY_S for days in (1, 7) for at in range(minute - HISTORY_S, minute + 1200, STEP_S)
    ]
    for grid in CLOUDS:
        newest = minute - (QUIET_FOR_S if grid == "quiet" else 0)
        for path, value in grid_values(grid):
            times = (
                [*earlier, *recent] if has_history(path) else range(minute - 2 * STEP_S, minute + 1, STEP_S)
            )
            for at in times:
                if grid == "quiet":
                    at = min(at, newest)
                if path == GAP and minute - 2400 <= at < minute - 1800:
                    continue
                yield Point(path, at, past(path, value, at, minute))
    grid, asked, answered = SHORT
    for at in recent:
        is_short = minute - 1200 <= at < minute - 900
        for key, value in (("condor_asked", asked), ("condor_answered", answered if is_short else asked)):
            yield Point(build_path(key, grid=grid, peers="schedds"), at, value)


def hostile_points(now: float) -> Iterator[Point]:
    """What no collector would send: a cloud whose name is markup."""
    yield Point(f"grids.hostile.clouds.{HOSTILE}.enabled", minute_of(now), 1.0)
    yield Point("grids.hostile.heartbeat.cloud_monitor", minute_of(now), 1.0)


def newest_points(now: float) -> Iterator[Point]:
    """What the collectors of the live grids send in the minute of `now`."""
    minute = minute_of(now)
    for grid in CLOUDS:
        if grid != "quiet":
            for path, value in grid_values(grid):
                yield Point(path, minute, wave(path, value, minute))


def send_points(carbon: str, points: Iterable[Point]) -> None:
    """Deliver to Carbon at "host:port" as the collector does, shown by the close handshake."""
    host, port = carbon.split(":")
    frames = (encode_frame(some) for some in split_points(list(points)))
    send_frames(Address(host, int(port)), frames, Timeouts(5, 20))
