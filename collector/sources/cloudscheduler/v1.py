"""Cloud Scheduler 1: the JSON of `cloud_status -aj` (pure).

Fields as in its info_server.py (ClusterJSONEncoder, VMJSONEncoder).
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
    parse_number,
    parse_time,
    parse_truth,
)

STATES = frozenset(
    {"starting", "running", "retiring", "shutdown", "error", "suspended", "stopped", "paused", "restarting"}
    | {"stoprole", "suspending", "provisioning", "expiredproxy", "noproxy", "connectionrefused"}
)


def parse_cloud_status(text: str, grid: str, with_details: bool = False) -> Collected:
    """Clouds with quota and state as values, VMs as facts; a faulty field is a complaint."""
    try:
        clouds = json.loads(text)["resources"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NotCloudStatus(f"cloud_status did not print JSON with `resources`, but {text[:80]!r}") from None
    if not isinstance(clouds, list) or not all(isinstance(cloud, dict) for cloud in clouds):
        raise NotCloudStatus("`resources` of cloud_status is not a list of clouds")
    values: dict[str, float] = {}
    vms: list[CloudVm] = []
    details: list[VmDetails] = []
    complaints: list[str] = []
    for row in clouds:
        if not row.get("name"):
            complaints.append("a cloud without a name is left out")
            continue
        cloud = clean(str(row["name"]))
        for path, field, number in _cloud_values(row, grid, cloud, complaints):
            if path in values:
                complaints.append(f"{row['name']} is listed twice ({field})")
            values[path] = number
        rows = list(_vm_rows(row, complaints))
        vms += (_vm(vm, cloud) for vm in rows)
        if with_details:
            details += map(_details, rows)
    return Collected(tuple(values.items()), (), (), tuple(vms), tuple(complaints), tuple(details))


def _cloud_values(
    row: dict[str, Any], grid: str, cloud: str, complaints: list[str]
) -> Iterator[tuple[str, str, float]]:
    fields = (("cloud_enabled", "enabled", parse_truth), ("cloud_quota", "max_slots", parse_number))
    for key, field, read in fields:
        try:
            value = read(row.get(field))
        except NotNumber as error:
            complaints.append(f"{row['name']}: {field}: {error}")
            continue
        if value is not None:
            yield build_path(key, grid=grid, cloud=cloud), field, float(value)
    problem = row.get("connection_problem")
    if problem is not None:
        yield build_path("cloud_reachable", grid=grid, cloud=cloud), "connection_problem", float(not problem)


def _vm_rows(row: dict[str, Any], complaints: list[str]) -> Iterator[dict[str, Any]]:
    rows = row.get("vms") or []
    if not isinstance(rows, list):
        complaints.append(f"{row['name']}: vms is not a list")
        return
    for vm in rows:
        if isinstance(vm, dict):
            yield vm
        else:
            complaints.append(f"{row['name']}: a VM that is no object is left out")


def _vm(row: dict[str, Any], cloud: str) -> CloudVm:
    hosts = (str(row.get(field) or "").strip().lower() for field in ("hostname", "alt_hostname"))
    return CloudVm(
        cloud=cloud,
        vmtype=clean(str(row.get("vmtype") or "unknown")),
        status=_status(row.get("override_status") or row.get("status")),
        hosts=tuple(dict.fromkeys(host for host in hosts if host)),
    )


def _details(row: dict[str, Any]) -> VmDetails:
    return VmDetails(
        name=str(row.get("id") or row.get("name") or ""),
        since=parse_time(row.get("last_state_change")),
        started_at=parse_time(row.get("initialize_time")),
    )


def _status(text: object) -> str:
    """A state that is not in the vocabulary is counted as unknown, never dropped."""
    status = str(text).strip().lower().replace(" ", "").replace("_", "")
    return status if status in STATES else "unknown"
