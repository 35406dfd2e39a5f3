"""The head node itself, or the container around the collector: load, CPU, memory, swap, disks, network.

Rates need two samples a while apart: the last run's counters are kept in the state directory.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from cloud_monitor.metrics.paths import clean
from cloud_monitor.system.files import replace_file
from cloud_monitor.system.usage import (
    Counters,
    CpuUse,
    Disk,
    HostSample,
    Rates,
    cpu_pct_between,
    rates_between,
    read_disks,
    read_host_sample,
)
from collector.model import Collected
from collector.settings import HostSettings

_KNOWN_FOR_S = 600  # an older sample would show a quiet night in the morning's first minute
_PAUSE_S = 0.3  # between two samples where there is none to compare with
_MB = 1 << 20


def collect(settings: HostSettings, keep_state: bool = True) -> Collected:
    whole_machine = settings.host_scope == "machine"
    state = settings.state_dir / "host.json"
    load = read_host_sample(whole_machine=whole_machine)
    previous = _read_sample(state, load)
    if previous is None:
        time.sleep(_PAUSE_S)
        previous, load = load, read_host_sample(whole_machine=whole_machine)
    if keep_state:
        with suppress(OSError):  # a full or read-only directory is told where points are kept
            _write_sample(state, load)
    rates = rates_between(previous, load)
    disks, complaints = _read_disks(settings)
    cpu_pct = cpu_pct_between(previous, load)
    return Collected(values=tuple(host_values(settings, load, cpu_pct, rates, disks)), complaints=complaints)


def host_values(
    settings: HostSettings,
    load: HostSample,
    cpu_pct: float | None,
    rates: Rates | None,
    disks: tuple[Disk, ...],
) -> Iterator[tuple[str, float]]:
    """Every figure as (path, value); what could not be measured is left out."""
    memory = load.tightest_memory
    swap_pct = 100.0 * load.swap_used_bytes / load.swap_total_bytes if load.swap_total_bytes else 0.0
    figures: dict[str, float | None] = {
        "load": load.load_1min,
        "cores": load.cpus,
        "cpu": cpu_pct,
        "ram": memory.used_pct,
        "ram_mb": memory.limit_bytes / _MB,
        "swap": swap_pct,
        "si": None if rates is None else rates.swapped_in_bytes_s / 1024,
        "so": None if rates is None else rates.swapped_out_bytes_s / 1024,
        "net_in": None if rates is None else rates.net_in_bytes_s,
        "net_out": None if rates is None else rates.net_out_bytes_s,
        "disk": max((disk.used_pct for disk in disks), default=None),
    }
    for name, value in figures.items():
        if value is not None:
            yield settings.own_path(f"sysinfo_{name}"), value
    for disk in disks:
        yield settings.own_path("sysinfo_disks", mount=_mount_name(disk.mount)), disk.used_pct
    pressures = {"cpu": load.pressure.cpu_pct, "memory": load.pressure.memory_pct, "io": load.pressure.io_pct}
    for resource, pct in pressures.items():
        if pct is not None:
            yield settings.own_path("sysinfo_pressure", resource=resource), pct


def _mount_name(mount: str) -> str:
    """`/` is root; `/var` is var; what would be either, or holds more slashes, takes the hashed form."""
    name = mount.removeprefix("/")
    return "root" if not name else clean(mount if name == "root" else name)


def _read_disks(settings: HostSettings) -> tuple[tuple[Disk, ...], tuple[str, ...]]:
    try:
        return read_disks(settings.host_disks), ()
    except OSError as error:
        return (), (f"{error.filename or 'a file system'}: {error.strerror}",)


def _write_sample(path: Path, load: HostSample) -> None:
    row = {"monotonic_s": load.monotonic_s, "counters": asdict(load.counters)}
    replace_file(path, json.dumps(row).encode(), private=False)


def _read_sample(path: Path, load: HostSample) -> HostSample | None:
    """The last run's counters, where they are of this boot and recent; the gauges are today's."""
    try:
        row = json.loads(path.read_bytes())
        cpu = tuple(CpuUse(**use) for use in row["counters"].pop("cpu"))
        sample = replace(
            load, monotonic_s=float(row["monotonic_s"]), counters=Counters(**row["counters"], cpu=cpu)
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    age_s = load.monotonic_s - sample.monotonic_s
    recent = 1 <= age_s <= _KNOWN_FOR_S
    return sample if recent and sample.counters.boot_id == load.counters.boot_id else None
