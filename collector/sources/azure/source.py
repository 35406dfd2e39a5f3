"""The source `azure`: asked each five minutes, within a budget of calls; in between it repeats what it knows.

What Azure said is repeated while it is young, with its age as a figure, and then falls silent. The state says
when it was asked last before it is asked, so that a run that is killed costs no second round.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cloud_monitor.metrics.catalog import UNITS
from cloud_monitor.metrics.paths import build_path, clean
from cloud_monitor.system import progress
from cloud_monitor.system.files import replace_file
from collector.azure.resources import ROUND_S, STORAGE, VM, batches, parse_resources
from collector.model import Collected
from collector.settings import AzureSourceSettings

KEEP_S = 2 * ROUND_S + 60  # two rounds: one that failed leaves no gap
_RETRY_MOST_S = 3600.0  # that Azure is left alone for; what is later comes of a clock that went back
_LEAVE_S = 8  # of the source's time, for the last call
_BYTES_IN_MB = UNITS["MB"].factor
CPU, MEMORY, CAPACITY = "Percentage CPU", "Available Memory Percentage", "UsedCapacity"
DISKS = tuple(
    f"{disk} {what} Consumed Percentage"
    for disk in ("OS Disk", "Data Disk")
    for what in ("IOPS", "Bandwidth")
)
_VM_SPAN = {"granularity": timedelta(minutes=5), "timespan": timedelta(minutes=15)}
_STORAGE_SPAN = {"granularity": timedelta(hours=1), "timespan": timedelta(hours=6)}


Figure = tuple[str, float | None]  # path, value; None: Azure does not say


class AzureFailed(Exception):
    """Azure gave nothing, and what it gave before is too old; the text says what to do."""


@dataclass(frozen=True, slots=True)
class AzureState:
    """`values`: path -> value and when it was read (epoch)."""

    asked_at: int = 0
    not_before: float = 0.0
    calls: int = 0
    errors: tuple[str, ...] = ()
    values: Mapping[str, tuple[float, int]] = field(default_factory=dict)


def collect(settings: AzureSourceSettings, timestamp: int, keep_state: bool) -> Collected:
    file = settings.state_dir / "azure.json"
    state = read_azure_state(file)
    if is_due(state, timestamp):
        asked = AzureState(timestamp, state.not_before, state.calls, state.errors, state.values)
        if keep_state:
            write_azure_state(file, asked)
        state = ask(settings, asked, timestamp)
        if keep_state:
            write_azure_state(file, state)
    return compose_azure(settings.grid, state, timestamp)


def is_due(state: AzureState, timestamp: int) -> bool:
    """Each ROUND_S, and not while Azure wants to be left alone; a clock that went back counts as due."""
    since_s = timestamp - state.asked_at
    return not 0 <= since_s < ROUND_S and not (timestamp < state.not_before <= timestamp + _RETRY_MOST_S)


def compose_azure(grid: str, state: AzureState, timestamp: int) -> Collected:
    """What is young enough, and why not all of it. Raises AzureFailed where nothing is."""
    young = {path: pair for path, pair in state.values.items() if 0 <= timestamp - pair[1] <= KEEP_S}
    if not young:
        raise AzureFailed("; ".join(state.errors) or "Azure has no figures of what COLLECTOR_AZURE_* names")
    age_s = timestamp - min(at for _, at in young.values())
    values = [(path, value) for path, (value, _) in young.items()]
    values.append((build_path("azure_age", grid=grid), float(age_s)))
    values.append((build_path("azure_calls", grid=grid), float(state.calls)))
    return Collected(tuple(values), complaints=state.errors)


def ask(settings: AzureSourceSettings, state: AzureState, timestamp: int) -> AzureState:
    """One round: what was read over what is known, and what failed, call by call."""
    progress.report("loading Azure's libraries")
    try:
        from collector.sources.azure.client import AzureClient, AzureRefused, QuotaUsage, make_credential
    except ImportError as error:
        raise AzureFailed(f"{error}: pip install 'cloud-monitor[collector,azure]'") from None
    deadline_s = time.monotonic() + settings.source_timeout_s - _LEAVE_S
    credential = make_credential(settings.azure_client_id)
    client = AzureClient(credential, settings.azure_arm_url, settings.azure_metrics_url, deadline_s)
    values = dict(state.values)
    errors: list[str] = []
    not_before = 0.0

    def keep(path: str, value: float | None) -> None:
        if value is not None:
            values[path] = (value, timestamp)

    def refused(what: str, error: AzureRefused) -> None:
        nonlocal not_before
        errors.append(f"{what}: {error}")
        not_before = max(not_before, timestamp + min(error.retry_after_s, _RETRY_MOST_S))

    def keep_usages(place: str, usages: list[QuotaUsage]) -> None:
        for usage in usages:
            for path, value in quota_values(settings.grid, place, usage.name, usage.used, usage.limit):
                keep(path, value)

    def of_storage(grid: str, name: str, newest: Mapping[str, float | None]) -> Iterator[Figure]:
        return storage_values(grid, name, newest, settings.azure_storage_limit_gb * 1e9)

    for table, kind, metrics, span, figures in (
        (settings.azure_vms, VM, (CPU, MEMORY, *DISKS), _VM_SPAN, vm_values),
        (settings.azure_storage, STORAGE, (CAPACITY,), _STORAGE_SPAN, of_storage),
    ):
        for batch in batches(parse_resources(table, kind)):
            progress.report(f"asking Azure about {len(batch)} of {kind}")
            try:
                answers = client.query_metrics([one for _, one in batch], kind, metrics, **span)
            except AzureRefused as error:
                refused(f"{len(batch)} of {kind} in {batch[0][1].region}", error)
                continue
            for (name, _), answer in zip(batch, answers, strict=True):
                for path, value in figures(settings.grid, name, answer):
                    keep(path, value)
    for place, subscription in parse_resources(settings.azure_quotas).items():
        for provider in ("Microsoft.Compute", "Microsoft.Storage"):
            progress.report(f"asking Azure about quotas of {provider}")
            try:
                keep_usages(place, client.query_usages(subscription, provider))
            except AzureRefused as error:
                refused(f"quotas of {provider} in {place}", error)
    young = {path: pair for path, pair in values.items() if timestamp - pair[1] <= KEEP_S}
    return AzureState(timestamp, not_before, client.calls, tuple(errors), young)


def vm_values(grid: str, vm: str, newest: Mapping[str, float | None]) -> Iterator[Figure]:
    """`disk_pct`: of the bandwidth or operations that its busiest disk may do."""
    yield build_path("azure_vm_cpu_pct", grid=grid, vm=vm), newest.get(CPU)
    yield build_path("azure_vm_memory_available_pct", grid=grid, vm=vm), newest.get(MEMORY)
    disks = [value for name in DISKS if (value := newest.get(name)) is not None]
    yield build_path("azure_vm_disk_pct", grid=grid, vm=vm), max(disks, default=None)


def storage_values(
    grid: str, account: str, newest: Mapping[str, float | None], limit_bytes: float
) -> Iterator[Figure]:
    used_bytes = newest.get(CAPACITY)
    if used_bytes is None:
        return
    names = {"grid": grid, "account": account}
    yield build_path("azure_storage_used_mb", **names), used_bytes / _BYTES_IN_MB
    yield build_path("azure_storage_limit_mb", **names), limit_bytes / _BYTES_IN_MB
    yield build_path("azure_storage_used_pct", **names), 100 * used_bytes / limit_bytes


def quota_values(grid: str, place: str, name: str, used: float, limit: float) -> Iterator[Figure]:
    """Of cores and storage accounts: those in all, and those of a VM family that is in use."""
    if limit <= 0 or not (
        name in ("cores", "lowPriorityCores", "StorageAccounts") or (name.endswith("Family") and used)
    ):
        return
    names = {"grid": grid, "place": place, "quota": clean(name)}
    yield build_path("azure_quota_used", **names), used
    yield build_path("azure_quota_limit", **names), limit
    yield build_path("azure_quota_used_pct", **names), 100 * used / limit


def read_azure_state(file: Path) -> AzureState:
    """An absent or unreadable file is an empty state: at worst one round too many."""
    try:
        rows = json.loads(file.read_bytes())
        values = {str(path): (float(value), int(at)) for path, (value, at) in rows["values"].items()}
        errors = tuple(map(str, rows["errors"]))
        return AzureState(
            int(rows["asked_at"]), float(rows["not_before"]), int(rows["calls"]), errors, values
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return AzureState()


def write_azure_state(file: Path, state: AzureState) -> None:
    rows = {
        "asked_at": state.asked_at, "not_before": state.not_before, "calls": state.calls,
        "errors": state.errors, "values": state.values,
    }  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, json.dumps(rows).encode())
