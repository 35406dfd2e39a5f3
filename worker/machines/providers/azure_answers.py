"""How Azure Resource Manager's answers and refusals are read (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from worker.machines.model import CloudMachine, CloudState, Leftover, MachineSize
from worker.machines.providers.base import (
    FLEET_TAG,
    CapacityRefused,
    ProviderError,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnavailable,
    QuotaRefused,
    retry_after_s,
    tagged_names,
)

DISKS, NICS = "Microsoft.Compute/disks", "Microsoft.Network/networkInterfaces"
# After a machine's name
DISK_SUFFIX, NIC_SUFFIX = "-os", "-nic"
_CAPACITY = re.compile(r"AllocationFailed|SkuNotAvailable|OverconstrainedAllocation|OverconstrainedZonal")
_POWER = {
    "running": CloudState.RUNNING,
    "starting": CloudState.BOOTING,
    "stopping": CloudState.STOPPED,
    "stopped": CloudState.STOPPED,  # off, and billed as if it ran
    "deallocating": CloudState.STOPPED,
    "deallocated": CloudState.STOPPED,  # its disk is billed
}


def read_machine(found: Mapping[str, Any], statuses: Sequence[Mapping[str, Any]]) -> CloudMachine:
    """`statuses`: of its instance view."""
    properties, tags = found["properties"], found["tags"]
    provisioning = properties["provisioningState"]
    power = ""
    fault = ""
    for status in statuses:
        kind, _, value = status["code"].partition("/")
        if kind == "PowerState":
            power = value
        elif value.startswith("failed"):
            fault = str(status.get("message") or status.get("displayStatus") or value)
    if provisioning == "Deleting":
        state = CloudState.DELETING
    elif provisioning == "Failed":
        state = CloudState.FAILED
    else:
        state = _POWER.get(power, CloudState.BOOTING)
    created = properties.get("timeCreated")
    return CloudMachine(
        found["id"],
        *tagged_names(tags, found["name"]),
        state,
        created_at=None if created is None else datetime.fromisoformat(created).timestamp(),
        fault=fault or (f"it is {power}" if state is CloudState.STOPPED else ""),
        spot=properties.get("priority") == "Spot",
        size=properties["hardwareProfile"]["vmSize"],
    )


def read_leftovers(
    parts: Sequence[Mapping[str, Any]], fleet: str, machines: Collection[str]
) -> Iterator[Leftover]:
    """Disks and interfaces named after a machine of the fleet that is none of `machines` (in lower case)."""
    for part in parts:
        kind, suffix = ("disk", DISK_SUFFIX) if part["type"] == DISKS else ("nic", NIC_SUFFIX)
        name = part["name"].lower()
        machine = name.removesuffix(suffix)
        other = (part.get("tags") or {}).get(FLEET_TAG, fleet) != fleet
        ours = name.startswith(f"{fleet[:20]}-") and name != machine and not other
        if ours and not part.get("managedBy") and machine not in machines:
            yield Leftover(kind, part["id"], part["name"], machine)


def read_sku(sku: Mapping[str, Any]) -> MachineSize:
    said = {one["name"]: one["value"] for one in sku["capabilities"]}
    return MachineSize(
        sku["name"], int(said["vCPUs"]), float(said["MemoryGB"]), gpus=int(said.get("GPUs", 0))
    )


def refusal_of(name: str, status: int, body: str, headers: Mapping[str, str]) -> ProviderError:
    code, words = "", body[:300]
    try:
        error = json.loads(body)["error"]
        code, words = str(error["code"]), str(error["message"])
    except (ValueError, TypeError, KeyError):
        pass
    said = f"provider {name}: {code or status}: {words}"
    if status == 429:
        return ProviderThrottled(said, retry_after_s(headers.get("Retry-After")))
    if _CAPACITY.search(code):
        return CapacityRefused(said)
    if "quota" in (code + words).lower():
        return QuotaRefused(said)
    return ProviderRefused(said) if 400 <= status < 500 else ProviderUnavailable(said)
