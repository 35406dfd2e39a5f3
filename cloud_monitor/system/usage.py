"""What this machine, or the container around this process, has and uses: one frozen sample at a time.

The only module that imports psutil. Roots of /proc and of the file tree are arguments, so that captured trees
can be read. Percentages need two samples: give the previous one.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from cloud_monitor.system.cgroups import Group, own_group_directory, read_groups


@dataclass(frozen=True, slots=True)
class Pressure:
    """Percent of the last 10 s in which a task waited (PSI); None where the kernel does not say."""

    cpu_pct: float | None
    memory_pct: float | None
    io_pct: float | None


@dataclass(frozen=True, slots=True)
class CpuUse:
    """A counter of used CPU seconds under one bound: the host's cores or one group's quota."""

    name: str  # "host", or "cgroup " and the group's path
    cpus: float
    used_s: float


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Memory under one bound, without file cache that can be dropped at once."""

    name: str  # "host", or "cgroup " and the group's path
    used_bytes: int
    limit_bytes: int

    @property
    def free_bytes(self) -> int:
        return max(0, self.limit_bytes - self.used_bytes)

    @property
    def used_pct(self) -> float:
        return 100.0 * self.used_bytes / self.limit_bytes if self.limit_bytes else 100.0


@dataclass(frozen=True, slots=True)
class Counters:
    """They only grow until the next boot."""

    boot_id: str
    swapped_in_bytes: int
    swapped_out_bytes: int
    net_in_bytes: int
    net_out_bytes: int
    cpu: tuple[CpuUse, ...]


@dataclass(frozen=True, slots=True)
class HostSample:
    monotonic_s: float
    load_1min: float
    cpus: float  # cores that affinity and every quota leave
    cpu_pct: float | None  # of the tightest bound, since the previous sample; None without one
    memory: tuple[MemoryUse, ...]  # the host first, then each group that has a limit
    swap_total_bytes: int
    swap_used_bytes: int
    pressure: Pressure
    oom_kills: int  # counter: in the own group where it counts them, else on the host
    counters: Counters

    @property
    def tightest_memory(self) -> MemoryUse:
        """The bound under which the least memory is left."""
        return min(self.memory, key=lambda use: use.free_bytes)


@dataclass(frozen=True, slots=True)
class Rates:
    """Per second between two samples."""

    swapped_in_bytes_s: float
    swapped_out_bytes_s: float
    net_in_bytes_s: float
    net_out_bytes_s: float


@dataclass(frozen=True, slots=True)
class Disk:
    mount: str
    total_bytes: int
    free_bytes: int  # for ordinary users

    @property
    def used_pct(self) -> float:
        return 100.0 * (self.total_bytes - self.free_bytes) / self.total_bytes if self.total_bytes else 0.0


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    rss_bytes: int
    private_bytes: int  # anonymous, shared-memory and swapped pages: what goes when the process goes
    file_bytes: int  # mapped files, shared with other processes that map them


def read_host_sample(
    previous: HostSample | None = None,
    *,
    proc: Path = Path("/proc"),
    root: Path = Path("/"),
    whole_machine: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> HostSample:
    """Take one sample. `whole_machine` looks past the groups of this process: a service's own limit."""
    groups = () if whole_machine else read_groups(proc, root)
    now_s = clock()
    with _procfs(proc):
        swap, host_memory = psutil.swap_memory(), psutil.virtual_memory()
        counters = _read_counters(groups, swap.sin, swap.sout, proc)
    sample = HostSample(
        monotonic_s=now_s,
        load_1min=float((proc / "loadavg").read_text().split()[0]),
        cpus=min([counters.cpu[0].cpus, *(group.cpus for group in groups if group.cpus is not None)]),
        cpu_pct=None,
        memory=_memory_uses(host_memory.total, host_memory.available, groups),
        swap_total_bytes=swap.total,
        swap_used_bytes=swap.used,
        pressure=_read_pressures(proc, None if whole_machine else own_group_directory(proc, root)),
        oom_kills=_oom_kills(groups, proc),
        counters=counters,
    )
    return sample if previous is None else replace(sample, cpu_pct=cpu_pct_between(previous, sample))


def cpu_pct_between(previous: HostSample, current: HostSample) -> float | None:
    """Percent used of the tightest bound: the cores this process may run on, or a quota above it.

    None where the two samples cannot be compared: no time between them, or a boot.
    """
    seconds = current.monotonic_s - previous.monotonic_s
    if seconds <= 0 or previous.counters.boot_id != current.counters.boot_id:
        return None
    before = {use.name: use for use in previous.counters.cpu}
    shares = [
        (use.used_s - before[use.name].used_s) / (seconds * use.cpus)
        for use in current.counters.cpu
        if use.name in before
    ]
    return min(100.0, max(0.0, 100.0 * max(shares))) if shares else None


def rates_between(previous: HostSample, current: HostSample) -> Rates | None:
    """None where the two samples cannot be compared: no time between them, or a boot."""
    seconds = current.monotonic_s - previous.monotonic_s
    before, after = previous.counters, current.counters
    if seconds <= 0 or before.boot_id != after.boot_id:
        return None
    return Rates(
        *(
            max(0, getattr(after, name) - getattr(before, name)) / seconds
            for name in ("swapped_in_bytes", "swapped_out_bytes", "net_in_bytes", "net_out_bytes")
        )
    )


def read_disks(mounts: Iterable[str] = (), proc: Path = Path("/proc")) -> tuple[Disk, ...]:
    """The named file systems, or else the root and every local one that can be written (each device once)."""
    with _procfs(proc):
        names = list(mounts) or ["/", *_local_mounts()]
    disks: dict[int, Disk] = {}
    for mount in names:
        disks.setdefault(os.stat(mount).st_dev, read_disk(mount))
    return tuple(disks.values())


def read_disk(path: str | Path) -> Disk:
    """The file system that holds `path`."""
    figures = os.statvfs(path)
    reserved = figures.f_bfree - figures.f_bavail
    return Disk(
        str(path), (figures.f_blocks - reserved) * figures.f_frsize, figures.f_bavail * figures.f_frsize
    )


def read_process_memory(pid: int, proc: Path = Path("/proc")) -> ProcessMemory | None:
    """None where there is no such process any more."""
    try:
        lines = (proc / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    sizes = {
        name: int(text.split()[0]) * 1024
        for name, _, text in (line.partition(":") for line in lines)
        if name in _SIZES
    }
    if "VmRSS" not in sizes:  # a zombie has no memory left
        return ProcessMemory(0, 0, 0)
    private = sizes.get("RssAnon", 0) + sizes.get("RssShmem", 0) + sizes.get("VmSwap", 0)
    return ProcessMemory(sizes["VmRSS"], private, sizes.get("RssFile", 0))


_SIZES = frozenset({"VmRSS", "RssAnon", "RssFile", "RssShmem", "VmSwap"})


@contextmanager
def _procfs(proc: Path) -> Iterator[None]:
    """psutil takes another root of /proc only as a variable of its module; it gets back what it had."""
    before = psutil.PROCFS_PATH
    psutil.PROCFS_PATH = str(proc)
    try:
        yield
    finally:
        psutil.PROCFS_PATH = before


def _local_mounts() -> list[str]:
    read_only_kinds = {"squashfs", "iso9660", "erofs"}
    return [
        partition.mountpoint
        for partition in psutil.disk_partitions(all=False)
        if partition.fstype not in read_only_kinds and Path(partition.mountpoint).is_dir()
    ]


def _memory_uses(total: int, available: int, groups: tuple[Group, ...]) -> tuple[MemoryUse, ...]:
    """A group's limit above the host's memory binds nothing and is left out."""
    return (
        MemoryUse("host", total - available, total),
        *(
            MemoryUse(f"cgroup {group.name}", group.memory_used_bytes, group.memory_limit_bytes)
            for group in groups
            if group.memory_limit_bytes is not None
            and group.memory_used_bytes is not None
            and group.memory_limit_bytes <= total
        ),
    )


def _read_counters(groups: tuple[Group, ...], swapped_in: int, swapped_out: int, proc: Path) -> Counters:
    cards = {
        name: card for name, card in psutil.net_io_counters(pernic=True, nowrap=False).items() if name != "lo"
    }
    return Counters(
        boot_id=(proc / "sys/kernel/random/boot_id").read_text().strip(),
        swapped_in_bytes=swapped_in,
        swapped_out_bytes=swapped_out,
        net_in_bytes=sum(card.bytes_recv for card in cards.values()),
        net_out_bytes=sum(card.bytes_sent for card in cards.values()),
        cpu=(_host_cpu(), *_group_cpus(groups)),
    )


def _host_cpu() -> CpuUse:
    """The cores this process may run on: their number and the time that anybody used of them."""
    allowed = os.sched_getaffinity(0)
    cores = dict(enumerate(psutil.cpu_times(percpu=True)))
    mine = [cores[core] for core in allowed if core in cores] or list(cores.values())
    busy = sum(sum(core) - core.idle - core.iowait - core.guest - core.guest_nice for core in mine)
    return CpuUse("host", float(len(mine)), busy)


def _group_cpus(groups: tuple[Group, ...]) -> list[CpuUse]:
    """Quotas with the time used under them; version 1 may keep the two apart, or not count."""
    used = {group.name: group.cpu_used_s for group in groups if group.cpu_used_s is not None}
    return [
        CpuUse(f"cgroup {group.name}", group.cpus, used[group.name])
        for group in groups
        if group.cpus is not None and group.name in used
    ]


def _read_pressures(proc: Path, group: Path | None) -> Pressure:
    """Of the own version 2 group where there is one, else of the whole host."""

    def pressure(resource: str) -> float | None:
        for path in (*([group / f"{resource}.pressure"] if group else []), proc / "pressure" / resource):
            with suppress(OSError):
                if match := re.search(r"^some avg10=([0-9.]+)", path.read_text(), re.MULTILINE):
                    return float(match[1])
        return None

    return Pressure(pressure("cpu"), pressure("memory"), pressure("io"))


def _oom_kills(groups: tuple[Group, ...], proc: Path) -> int:
    own = next((group.oom_kills for group in groups if group.oom_kills is not None), None)
    if own is not None:
        return own
    lines = (proc / "vmstat").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
