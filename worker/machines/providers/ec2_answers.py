"""How EC2's answers and refusals are read (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from worker.machines.model import CloudMachine, CloudState, Leftover, MachineSize
from worker.machines.providers.base import (
    MIB_OF_GIB,
    NAME_TAG,
    CapacityRefused,
    ProviderError,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnavailable,
    QuotaRefused,
    tagged_names,
)

STATES = {
    "pending": CloudState.BOOTING,
    "running": CloudState.RUNNING,
    "shutting-down": CloudState.DELETING,
    "stopping": CloudState.STOPPED,
    "stopped": CloudState.STOPPED,
}
_THROTTLED = re.compile(r"Throttl|^RequestLimitExceeded$|^TooManyRequests|^SlowDown$")
_CAPACITY = re.compile(r"^Insufficient(Instance|Host|Reserved)?Capacity|^SpotMaxPriceTooLow$")
_QUOTA = re.compile(r"LimitExceeded$|CountExceeded$|^InsufficientFreeAddressesInSubnet$")
_GONE = re.compile(r"^Invalid\w+(ID)?\.NotFound$")


def read_instance(instance: Mapping[str, Any]) -> CloudMachine:
    tags = _tags(instance["Tags"])
    state = STATES[instance["State"]["Name"]]
    fault = str(instance.get("StateReason", {}).get("Message", ""))
    return CloudMachine(
        instance["InstanceId"],
        *tagged_names(tags, instance["InstanceId"]),
        state,
        created_at=instance["LaunchTime"].timestamp(),
        fault=fault if state is CloudState.STOPPED else "",
        spot=instance.get("InstanceLifecycle") == "spot",
        size=instance["InstanceType"],
    )


def read_leftover(kind: str, provider_id: str, tags: Sequence[Mapping[str, str]]) -> Leftover:
    found = _tags(tags)
    return Leftover(kind, provider_id, provider_id, found.get(NAME_TAG, ""))


def _tags(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def read_type(found: Mapping[str, Any]) -> MachineSize:
    gpus = sum(gpu["Count"] for gpu in found.get("GpuInfo", {}).get("Gpus", ()))
    return MachineSize(
        found["InstanceType"],
        found["VCpuInfo"]["DefaultVCpus"],
        found["MemoryInfo"]["SizeInMiB"] / MIB_OF_GIB,
        bandwidth_mbps=bandwidth_mbps(found.get("NetworkInfo", {}).get("NetworkPerformance", "")),
        gpus=gpus,
    )


def bandwidth_mbps(words: str) -> float:
    """Of EC2's words, such as "Up to 12.5 Gigabit"; 0 where they have no number ("Moderate")."""
    found = re.search(r"([\d.]+) (Gigabit|Megabit)", words)
    return 0 if found is None else float(found[1]) * (1000 if found[2] == "Gigabit" else 1)


def refusal_of(name: str, error: ClientError) -> ProviderError:
    code, words = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    said = f"provider {name}: {code}: {words}"
    if _THROTTLED.search(code):
        return ProviderThrottled(said)
    if _CAPACITY.search(code):
        return CapacityRefused(said)
    if _QUOTA.search(code):
        return QuotaRefused(said)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return ProviderRefused(said) if 400 <= status < 500 else ProviderUnavailable(said)


def is_gone(error: ClientError) -> bool:
    """Whether what was to be ended was not there."""
    return _GONE.match(error.response["Error"].get("Code", "")) is not None
