"""VMs and jobs one by one, as the collectors of the scene list them: a plain function of the time.

VMs are as many in each state as the scene's figures say. Jobs move through the queue: two a minute begin to
run, two end; those that are held ran first. Jobs are more than a list has room for.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tests.browser.scene import CLOUDS, ERRORS, HELD, JOBS, LOST, SLOTS, USERS
from tests.services import ask

GRIDS = ("belle", "atlas")
JOBS_MAX = 1000
TOKEN = "c2VjcmV0LW9mLXRoZS1zY2VuZQ"
LISTED_BEFORE_S = (2400, 1200, 300, 60)  # lists that have come already when a test begins
_SINCE_EPOCH = 1_790_000_000
_A_MINUTE = 2  # jobs that begin, and end
_REASONS = {
    34: "Error from slot1_3@{host}: Job has gone over memory limit of 4096 megabytes. Peak usage: 5391 MB.",
    26: "The job attribute PeriodicHold expression 'NumJobStarts > 5' evaluated to TRUE",
    13: "Transfer input files failure at execution point {host}: reading from file in.root: (errno 5)",
}


def list_of(grid: str, at: int, start: int) -> dict[str, Any]:
    """What the collector of `grid` sends at the minute `at`, in a scene that begins at the minute `start`."""
    vms = list(vms_of(grid, at, start))
    jobs = list(jobs_of(grid, at, start, [vm["host"] for vm in vms if vm["status"] == "running"]))
    running, idle, held = JOBS[grid]
    return {
        "version": 1,
        "taken_at": at,
        "vms": vms,
        "vms_total": len(vms),
        "vms_cut": False,
        "jobs": jobs[:JOBS_MAX],
        "jobs_total": {"held": held, "running": running, "idle": idle},
        "jobs_cut": True,
    }


def vms_of(grid: str, at: int, start: int) -> Iterator[dict[str, Any]]:
    for cloud, types in CLOUDS[grid].items():
        for place, (vmtype, count) in enumerate(types.items()):
            error = ERRORS.get((grid, cloud), 0) if place == 0 else 0
            states = (
                ["running"] * count
                + ["starting"] * (count and count // 20 + 1)
                + ["retiring"] * (count // 25)
                + ["error"] * error
                + ["lost"] * LOST.get((grid, cloud), 0)
            )
            for number, status in enumerate(states, 1):
                yield vm(grid, cloud, vmtype, number, status, at, start)
    if at < start:  # gone since
        yield vm(grid, "cern", next(iter(CLOUDS[grid]["cern"])), 900, "retiring", at, start)


def vm(grid: str, cloud: str, vmtype: str, number: int, status: str, at: int, start: int) -> dict[str, Any]:
    host = f"{grid}-{vmtype}-{number:03}.{cloud}.example"
    is_idle = status == "running" and number % 12 == 0
    was_starting = status == "error" and at < start - 600
    age_s = {"starting": 240, "error": 600}.get(status, 3600 + number * 1973 % 200_000)
    return {
        "host": host,
        "name": f"{cloud}-{abs(hash_of(host)):08x}",
        "cloud": cloud,
        "vmtype": vmtype,
        "status": "starting" if was_starting else status,
        "machine": host if status != "starting" else "",
        "idle": is_idle,
        "registered": status in ("running", "retiring", "lost") and number % 59 != 0,
        "busy_slots": 0 if is_idle or status in ("starting", "error") else 1 + number % SLOTS[vmtype],
        "slots": 0 if status in ("starting", "error") else SLOTS[vmtype],
        "since": start - age_s if not was_starting else start - 4000,
        "started_at": None if status == "lost" else start - age_s - (0 if status == "starting" else 4000),
    }


def jobs_of(grid: str, at: int, start: int, hosts: list[str]) -> Iterator[dict[str, Any]]:
    """Held, then running, then idle ones."""
    running, idle, held = JOBS[grid]
    codes = [int(code) for code, share in HELD.items() for _ in range(round(held * share))]
    for number in range(held):
        code = codes[number % len(codes)]
        held_since = start - 60 * (5 + number * 11 % 600)
        host = hosts[number * 7 % len(hosts)]
        is_held = at >= held_since
        yield job(
            71000 + number,
            0,
            "held" if is_held else "running",
            number,
            held_since if is_held else start - 40_000,
            start - 90_000,
            host="" if is_held else host,
            last_host=host,
            hold_code=code if is_held else None,
            hold_reason=_REASONS[code].format(host=host) if is_held else "",
        )
    first = (at - _SINCE_EPOCH) // 60 * _A_MINUTE
    for place in range(first, first + running + idle):
        begins = _SINCE_EPOCH + 60 * -(-(place - running + 1) // _A_MINUTE)
        is_running = place < first + running
        host = hosts[place % len(hosts)]
        yield job(
            80000 + place // 10,
            place % 10,
            "running" if is_running else "idle",
            place,
            begins if is_running else begins - 60 * (idle // _A_MINUTE),
            begins - 60 * (idle // _A_MINUTE),
            host=host if is_running else "",
        )


def job(
    cluster: int, proc: int, status: str, number: int, since: int, queued_at: int, **more: Any
) -> dict[str, Any]:
    host = more.get("host") or more.get("last_host") or ""
    return {
        "id": f"{cluster}.{proc}",
        "schedd": "",
        "status": status,
        "types": ["sim" if number % 5 < 3 else "skim"],
        "user": list(USERS)[number % 3],
        "group": "group_prod" if number % 5 else "group_analysis",
        "queued_at": queued_at,
        "since": since,
        "host": "",
        "last_host": "",
        "cloud": host.split(".")[1] if host else "",
        "hold_code": None,
        "hold_reason": "",
        "starts": 1 if host else 0,
        **more,
    }


def hash_of(text: str) -> int:
    return sum(ord(char) * 31**place for place, char in enumerate(text)) % 2**32


def send_list(url: str, grid: str, body: dict[str, Any]) -> None:
    """Leave a list at the page as a collector does."""
    answer = ask.put(
        f"{url}/api/inventory/{grid}",
        gzip.compress(json.dumps(body).encode()),
        headers={
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        },
    )
    assert answer.status_code == 204, answer.text
