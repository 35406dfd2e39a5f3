"""What Azure is asked about, and how many calls that takes: checked at start, without its libraries. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

ROUND_S = 300
CALLS_PER_HOUR_MAX = 1200
BATCH_MAX = 50  # resources of one call
_ROUNDS_PER_HOUR = 3600 // ROUND_S
_CALLS_OF_QUOTAS = 2  # compute, storage
VM, STORAGE = "Microsoft.Compute/virtualMachines", "Microsoft.Storage/storageAccounts"

_SUBSCRIPTION = r"(?P<region>[a-z0-9]+):(?P<id>/subscriptions/(?P<subscription>[0-9a-fA-F-]{36})"
_NAME = r"[\w().-]+"


class AzureResource(NamedTuple):
    """`id` is Azure's own; of quotas that of the subscription."""

    region: str
    id: str
    subscription: str


def parse_resource(text: str, kind: str = "") -> AzureResource:
    """Of `region:/subscriptions/...`; `kind` is VM, STORAGE or empty. Raises ValueError."""
    below = rf"/resourceGroups/{_NAME}/providers/{re.escape(kind)}/{_NAME}" if kind else ""
    match = re.fullmatch(rf"{_SUBSCRIPTION}{below})", text.strip(), re.IGNORECASE)
    if match is None:
        group = f"/resourceGroups/GROUP/providers/{kind}/NAME" if kind else ""
        raise ValueError(f"{text[:200]!r} is not REGION:/subscriptions/UUID{group}")
    return AzureResource(match["region"].lower(), match["id"], match["subscription"].lower())


def batches(resources: Mapping[str, AzureResource]) -> list[list[tuple[str, AzureResource]]]:
    """Those that one call can ask about: of one region and subscription, at most BATCH_MAX."""
    groups: defaultdict[tuple[str, str], list[tuple[str, AzureResource]]] = defaultdict(list)
    for name, resource in resources.items():
        groups[resource.region, resource.subscription].append((name, resource))
    return [
        group[start : start + BATCH_MAX]
        for group in groups.values()
        for start in range(0, len(group), BATCH_MAX)
    ]


def calls_per_hour(
    vms: Mapping[str, AzureResource], storage: Mapping[str, AzureResource], quotas: Sequence[object]
) -> int:
    calls = len(batches(vms)) + len(batches(storage)) + _CALLS_OF_QUOTAS * len(quotas)
    return calls * _ROUNDS_PER_HOUR


def parse_resources(table: Mapping[str, str], kind: str = "") -> dict[str, AzureResource]:
    return {name: parse_resource(text, kind) for name, text in table.items()}


def check_resources(table: dict[str, str], kind: str = "") -> dict[str, str]:
    """Raises ValueError with all that is none."""
    faults = list(_faults(table, kind))
    if faults:
        raise ValueError("; ".join(faults))
    return table


def _faults(table: Mapping[str, str], kind: str) -> Iterable[str]:
    for name, text in table.items():
        try:
            parse_resource(text, kind)
        except ValueError as error:
            yield f"{name}: {error}"


def check_azure_url(url: str) -> str:
    """An https address; http on this host alone, since a token goes there. `{region}` may stand in it."""
    try:
        parts = urlsplit(url.replace("{region}", "westeurope"))
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    is_here = host in ("localhost", "127.0.0.1", "::1")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
        raise ValueError("is no https address")
    return url.rstrip("/")
