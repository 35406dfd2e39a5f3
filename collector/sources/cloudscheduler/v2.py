"""Cloud Scheduler 2: the JSON of its /cloud/status/ and /vm/list/ pages (pure).

Fields as in its views view_cloud_status and view_vms. A cloud belongs to a group: with one group configured a
cloud goes by its name, else by a clean form of group/cloud.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cloud_monitor.metrics.paths import build_path, clean
from collector.model import CloudVm, Collected, VmDetails
from collector.sources.cloudscheduler.fields import (
    NotCloudStatus,
    NotNumber,
    parse_count,
    parse_number,
    parse_time,
    parse_truth,
)

UNLIMITED = 999_999_999  # this and more stands for no limit, -1 for not set

VM_TYPE = "vm"  # where only sums over a cloud's VMs are known

# poller_status of a VM, or the ending of a cloud's VMs_ column, as a state; idle and unregistered VMs run
STATES = {
    "starting": "starting",
    "running": "running",
    "idle": "running",
    "unregistered": "running",
    "retiring": "retiring",
    "manual": "manual",
    "error": "error",
    "in_error": "error",
}


def parse_cloud_status(text: str, grid: str, group: str = "", with_vms: bool = False) -> Collected:
    """Quota, state, cores and memory of each cloud, and with `with_vms` the sums of its VMs by state."""
    values: dict[str, float] = {}
    complaints: list[str] = []
    for row in _rows(text, "cloud_status_list", group):
        cloud = _cloud_name(row, group)
        try:
            values.update(_cloud_values(row, grid, cloud))
            if with_vms:
                values.update(_vm_values(row, grid, cloud))
        except NotNumber as error:
            complaints.append(f"{row['cloud_name']}: {error}")
    return Collected(values=tuple(values.items()), complaints=tuple(complaints))


def parse_vm_list(text: str, group: str = "", with_details: bool = False) -> Collected:
    """The VMs that Cloud Scheduler manages; foreign ones are left to their owners."""
    rows = [row for row in _rows(text, "vm_list", group) if not _is_true(row.get("foreign_vm"))]
    return Collected(
        vms=tuple(_vm(row, group) for row in rows),
        vm_details=tuple(map(_details, rows)) if with_details else (),
    )


def _vm(row: dict[str, Any], group: str) -> CloudVm:
    hosts = (str(row.get(field) or "").strip().lower() for field in ("hostname", "machine"))
    return CloudVm(
        cloud=_cloud_name(row, group),
        vmtype=clean(str(row.get("flavor_name") or "unknown")),
        status=STATES.get(_poller_status(row), "unknown"),
        hosts=tuple(dict.fromkeys(host for host in hosts if host)),
    )


def _details(row: dict[str, Any]) -> VmDetails:
    """Cloud Scheduler 2 looks at HTCondor itself, so it says too whether a VM has slots there."""
    status = _poller_status(row)
    return VmDetails(
        name=str(row.get("vmid") or ""),
        since=parse_time(row.get("status_changed_time")),
        started_at=parse_time(row.get("start_time")),
        registered=status != "unregistered" if STATES.get(status) == "running" else None,
        slots=parse_count(row.get("condor_slots")),
        busy_slots=parse_count(row.get("condor_slots_used")),
    )


def _poller_status(row: dict[str, Any]) -> str:
    return str(row.get("poller_status")).strip().lower()


def _rows(text: str, name: str, group: str) -> Iterator[dict[str, Any]]:
    """The rows of a list, without those of other groups and the web view's totals."""
    try:
        rows = json.loads(text)[name]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NotCloudStatus(f"the answer is not JSON with `{name}`, but {text[:80]!r}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise NotCloudStatus(f"`{name}` is not a list of objects")
    for row in rows:
        if row.get("cloud_name") and not row.get("tag") and (not group or row.get("group_name") == group):
            yield row


def _cloud_name(row: dict[str, Any], group: str) -> str:
    name = str(row["cloud_name"])
    return clean(name if group else f"{row.get('group_name')}/{name}")


def _cloud_values(row: dict[str, Any], grid: str, cloud: str) -> Iterator[tuple[str, float]]:
    enabled, reachable = parse_truth(row.get("enabled")), parse_truth(row.get("communication_up"))
    frozen = parse_truth(row.get("freeze"))
    if enabled is not None:
        yield build_path("cloud_enabled", grid=grid, cloud=cloud), float(enabled and not frozen)
    if reachable is not None:
        yield build_path("cloud_reachable", grid=grid, cloud=cloud), float(reachable)
    if (quota := _limit(row, "VMs_quota")) is not None:
        yield build_path("cloud_quota", grid=grid, cloud=cloud), quota
    for key, prefix in (("cloud_cores", "cores"), ("cloud_memory", "ram")):
        for share in ("native", "foreign", "limit", "quota"):
            if (number := _limit(row, f"{prefix}_{share}")) is not None:
                yield build_path(key, grid=grid, cloud=cloud, share=share), number


def _vm_values(row: dict[str, Any], grid: str, cloud: str) -> Iterator[tuple[str, float]]:
    counts = dict.fromkeys((*STATES.values(), "shutdown", "unknown"), 0.0)
    for ending, state in STATES.items():
        counts[state] += parse_number(row.get(f"VMs_{ending}")) or 0.0
    known, total = sum(counts.values()), parse_number(row.get("VMs"))
    if total is not None:
        counts["unknown"] = max(0.0, total - known)
    counts["total"] = known + counts["unknown"]
    for state, count in counts.items():
        yield build_path("cloud_vms", grid=grid, cloud=cloud, vmtype=VM_TYPE, status=state), count
    for key, ending in (("cloud_idle", "idle"), ("cloud_unreg", "unregistered")):
        count = parse_number(row.get(f"VMs_{ending}")) or 0.0
        for vmtype in (VM_TYPE, "total"):
            yield build_path(key, grid=grid, cloud=cloud, vmtype=vmtype), count


def _limit(row: dict[str, Any], field: str) -> float | None:
    number = parse_number(row.get(field))
    return None if number is None or number < 0 or number >= UNLIMITED else number


def _is_true(value: object) -> bool:
    try:
        return bool(parse_truth(value))
    except NotNumber:
        return False
