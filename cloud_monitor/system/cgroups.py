"""The control groups that bind this process, its own and its ancestors', of version 1, 2 or both at once.

Reads files only, under roots that are arguments; what no group says is None. Sources: the kernel's
admin-guide/cgroup-v1/{memory,cpuacct}.rst and admin-guide/cgroup-v2.rst, and proc_pid_mountinfo(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

UNLIMITED_BYTES = 1 << 60  # version 1 writes "no limit" as a number close to 2**63


@dataclass(frozen=True, slots=True)
class Group:
    """One control group; `name` is its path as the hierarchy has it."""

    name: str
    memory_limit_bytes: int | None = None
    memory_used_bytes: int | None = (
        None  # working set: usage without the file cache that can be dropped at once
    )
    cpus: float | None = None  # quota over period
    cpu_used_s: float | None = None  # counter
    oom_kills: int | None = None  # counter


@dataclass(frozen=True, slots=True)
class _Hierarchy:
    """One mounted hierarchy: its controllers ("" is version 2) and the group directories, own first."""

    controllers: frozenset[str]
    groups: tuple[tuple[str, Path], ...]


def read_groups(proc: Path = Path("/proc"), root: Path = Path("/")) -> tuple[Group, ...]:
    """Every group of every hierarchy from this process's own up to the outermost one it can see."""
    groups: list[Group] = []
    for hierarchy in _hierarchies(proc, root):
        for name, directory in hierarchy.groups:
            if "" in hierarchy.controllers:
                groups.append(_read_v2(name, directory))
            elif "memory" in hierarchy.controllers:
                groups.append(_read_v1_memory(name, directory))
            if {"cpu", "cpuacct"} & hierarchy.controllers:
                groups.append(_read_v1_cpu(name, directory))
    return tuple(group for group in groups if group != Group(group.name))


def own_group_directory(proc: Path = Path("/proc"), root: Path = Path("/")) -> Path | None:
    """The directory of this process's version 2 group, where there is one."""
    unified = (hierarchy for hierarchy in _hierarchies(proc, root) if "" in hierarchy.controllers)
    return next((hierarchy.groups[0][1] for hierarchy in unified), None)


def _hierarchies(proc: Path, root: Path) -> list[_Hierarchy]:
    mounts = _mounts(_read(proc / "self/mountinfo"))
    found = []
    for line in _read(proc / "self/cgroup").splitlines():
        _, controllers_text, path = line.split(":", 2)
        controllers = frozenset(controllers_text.split(","))
        mount = next(
            (mount for mount in mounts if controllers == {""} == mount[0] or controllers & mount[0] - {""}),
            None,
        )
        if mount is not None:
            found.append(_Hierarchy(controllers, _chain(path, mount[1], root / mount[2].lstrip("/"))))
    return found


def _mounts(mountinfo: str) -> list[tuple[set[str], str, str]]:
    """(controllers, the group that the mount shows, where) of each cgroup mount."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        filesystem, _, options = [*after.split(" "), "", "", ""][:3]
        fields = before.split(" ")
        if filesystem in ("cgroup", "cgroup2") and len(fields) > 4:
            found.append(({""} if filesystem == "cgroup2" else set(options.split(",")), fields[3], fields[4]))
    return found


def _chain(path: str, shown: str, mount: Path) -> tuple[tuple[str, Path], ...]:
    """The directories of a group and its ancestors, own first, as far as the mount shows them.

    A container often sees its own group as the mount's root while /proc/self/cgroup still names it as the
    host does.
    """
    try:
        below = PurePosixPath(path).relative_to(shown)
    except ValueError:
        below = PurePosixPath(".")
    if ".." in below.parts or not (mount / below).is_dir():
        below = PurePosixPath(".")
    chain = [below, *below.parents] if below.parts else [below]
    return tuple((str(PurePosixPath(shown) / step), mount / step) for step in chain)


def _read_v2(name: str, directory: Path) -> Group:
    current = _integer(directory / "memory.current")
    quota, _, period = _read(directory / "cpu.max").strip().partition(" ")
    used_us = _field(directory / "cpu.stat", "usage_usec")
    return Group(
        name=name,
        memory_limit_bytes=_smallest(_integer(directory / "memory.max"), _integer(directory / "memory.high")),
        memory_used_bytes=_without(current, _field(directory / "memory.stat", "inactive_file")),
        cpus=int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None,
        cpu_used_s=None if used_us is None else used_us / 1e6,
        oom_kills=_field(directory / "memory.events", "oom_kill"),
    )


def _read_v1_memory(name: str, directory: Path) -> Group:
    own = _integer(directory / "memory.limit_in_bytes")
    inherited = _field(
        directory / "memory.stat", "hierarchical_memory_limit"
    )  # of ancestors out of sight too
    limit = _smallest(own, inherited)
    usage = _integer(directory / "memory.usage_in_bytes")
    return Group(
        name=name,
        memory_limit_bytes=limit if limit is not None and limit < UNLIMITED_BYTES else None,
        memory_used_bytes=_without(usage, _field(directory / "memory.stat", "total_inactive_file")),
        oom_kills=_field(directory / "memory.oom_control", "oom_kill"),
    )


def _read_v1_cpu(name: str, directory: Path) -> Group:
    quota_us = _integer(directory / "cpu.cfs_quota_us")
    period_us = _integer(directory / "cpu.cfs_period_us")
    used_ns = _integer(directory / "cpuacct.usage")
    return Group(
        name=name,
        cpus=quota_us / period_us if quota_us and quota_us > 0 and period_us else None,
        cpu_used_s=None if used_ns is None else used_ns / 1e9,
    )


def _without(usage: int | None, cache: int | None) -> int | None:
    return None if usage is None else max(0, usage - (cache or 0))


def _smallest(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


def _read(path: Path) -> str:
    """A group can vanish while it is read, and a controller can be switched off: both are no answer."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _integer(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else None


def _field(path: Path, key: str) -> int | None:
    match = re.search(rf"^{key} ([0-9]+)$", _read(path), re.MULTILINE)
    return int(match[1]) if match else None
