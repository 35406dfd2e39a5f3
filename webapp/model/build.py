"""Series in, tree out: nest values by the names in their paths, then give each place its type. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud_monitor.metrics.paths import ROOT, PathRefused, parse_path
from webapp.model.tree import Cloud, Counts, Fleet, Grid, Host, Snapshot, Value, VmType

Nested = dict[str, Any]  # name -> Nested or Value
_SUMS = frozenset({"total", "all"})  # written by collectors; a sum over names must not count them again


@dataclass(frozen=True, slots=True)
class GridOrder:
    """Which grids are shown, and in which order: the named ones first, the others by name."""

    first: Sequence[str] = ()
    hidden: frozenset[str] = frozenset()

    def arrange(self, names: Iterable[str]) -> list[str]:
        place = {name: number for number, name in enumerate(self.first)}
        shown = (name for name in names if name not in self.hidden)
        return sorted(shown, key=lambda name: (place.get(name, len(place)), name))


def is_known(path: str) -> bool:
    """Whether the path is in the vocabulary; whatever else lies in Graphite is not ours to show."""
    try:
        parse_path(path)
    except PathRefused:
        return False
    return True


def build_snapshot(taken_at: float, values: Iterable[Value], order: GridOrder | None = None) -> Snapshot:
    """Build the tree of values whose paths are in the vocabulary (see is_known)."""
    by_path = {value.path: value for value in values}
    nested = _nest(by_path.values())
    live_hosts = nested.get("util", {}).get("live_hosts", {})
    found: Nested = nested.get(ROOT, {})
    names = (order or GridOrder()).arrange(found)
    grids = tuple(_grid(name, found[name], live_hosts.get(name, {})) for name in names)
    statuses = sorted({status for grid in grids for status in grid.jobs.get("all", {})})
    return Snapshot(
        taken_at=taken_at,
        grids=grids,
        total=_sum_of_rows(f"{ROOT}.*.clouds.*", [grid.total for grid in grids]),
        jobs={
            status: add_up(
                f"{ROOT}.*.jobs.all.{status}",
                (grid.jobs["all"][status] for grid in grids if status in grid.jobs.get("all", {})),
            )
            for status in statuses
        },
        values=by_path,
    )


def add_up(path: str, parts: Iterable[Value]) -> Value:
    """The sum of the parts that have a value, as old as the oldest of them; missing when none has one."""
    total: float | None = None
    oldest: int | None = None
    for part in parts:
        if part.value is None or part.timestamp is None:
            continue
        total = part.value if total is None else total + part.value
        oldest = part.timestamp if oldest is None else min(oldest, part.timestamp)
    return Value(path, total, oldest)


def _nest(values: Iterable[Value]) -> Nested:
    nested: Nested = {}
    for value in values:
        *folders, name = value.path.split(".")
        place = nested
        for folder in folders:
            inner = place.setdefault(folder, {})
            if isinstance(inner, Value):  # an operator's command may use one name for a figure and a group
                inner = place.setdefault(f"{folder}.", {})
            place = inner
        if isinstance(place.get(name), dict):
            place[f"{name}."] = place[name]
        place[name] = value
    return nested


def _grid(name: str, raw: Nested, live_hosts: Nested) -> Grid:
    at = f"{ROOT}.{name}"
    clouds = tuple(_cloud(name, cloud, raw["clouds"][cloud]) for cloud in sorted(raw.get("clouds", {})))
    fleet = raw.get("fleet", {})
    return Grid(
        name=name,
        own=_host(name, raw),
        hosts=tuple(_host(host, raw["hosts"][host]) for host in sorted(raw.get("hosts", {}))),
        clouds=clouds,
        total=_sum_of_rows(f"{at}.clouds.*", [cloud.total for cloud in clouds]),
        jobs=_table(raw.get("jobs")),
        users=_table(raw.get("users")),
        groups=_table(raw.get("groups")),
        held={code.removeprefix("code_"): value for code, value in _counts(raw.get("held")).items()},
        wait=_table(raw.get("wait")),
        slots=_table(raw.get("slots")),
        resources={kind: _counts(raw[kind]) for kind in ("cores", "memory_mb", "gpus") if kind in raw},
        condor={daemon: _table(names) for daemon, names in sorted(raw.get("condor", {}).items())},
        fleet=Fleet(
            chunks=_counts(fleet.get("chunks")),
            images=_counts(fleet.get("images")),
            figures=_counts(fleet),
            failures=_counts(fleet.get("failures")),
            deadlines=_counts(fleet.get("deadlines")),
            hosts=_table(fleet.get("hosts")),
        ),
        live_hosts=_counts(live_hosts),
        newest=_newest(raw),
    )


def _host(name: str, raw: Nested) -> Host:
    sysinfo = raw.get("sysinfo", {})
    collector = raw.get("collector", {})
    own: Nested = {key: raw[key] for key in ("sysinfo", "heartbeat", "collector", "commands") if key in raw}
    return Host(
        name=name,
        sysinfo=_counts(sysinfo),
        disks=_counts(sysinfo.get("disks")),
        heartbeats=_counts(raw.get("heartbeat")),
        collector=_counts(collector),
        sources=_table(collector.get("source")),
        destinations=_table(collector.get("destinations")),
        commands=_flat(raw.get("commands", {})),
        newest=_newest(own),
    )


def _cloud(grid: str, name: str, raw: Nested) -> Cloud:
    at = f"{ROOT}.{grid}.clouds.{name}"
    types = sorted({key for group in ("vms", "idle", "lost", "unreg", "slots") for key in raw.get(group, {})})
    rows = tuple(_vmtype(at, vmtype, raw) for vmtype in types if vmtype not in _SUMS)
    total = _sum_of_rows(at, rows)

    def written(kind: str, summed: Value) -> Value:
        value = raw.get(kind, {}).get("total")
        return value if isinstance(value, Value) else summed

    def figure(key: str) -> Value:
        value = raw.get(key)
        return value if isinstance(value, Value) else Value(f"{at}.{key}", None, None)

    return Cloud(
        grid=grid,
        name=name,
        enabled=figure("enabled"),
        quota=figure("quota"),
        reachable=figure("reachable"),
        mips=figure("mips"),
        kflops=figure("kflops"),
        vmtypes=rows,
        total=VmType(
            "total",
            total.states,
            written("idle", total.idle),
            written("lost", total.lost),
            written("unreg", total.unreg),
            total.slots,
        ),
        api_vms=_counts(raw.get("api-vms")),
        cores=_counts(raw.get("cores")),
        memory_mb=_counts(raw.get("memory_mb")),
        jobs=_table(raw.get("jobs")),
        newest=_newest(raw),
    )


def _vmtype(at: str, name: str, raw: Nested) -> VmType:
    def figure(kind: str) -> Value:
        return raw.get(kind, {}).get(name) or Value(f"{at}.{kind}.{name}", None, None)

    return VmType(
        name=name,
        states=_counts(raw.get("vms", {}).get(name)),
        idle=figure("idle"),
        lost=figure("lost"),
        unreg=figure("unreg"),
        slots=_counts(raw.get("slots", {}).get(name)),
    )


def _sum_of_rows(at: str, rows: Sequence[VmType]) -> VmType:
    """Sum rows; `at` is the path above `vms`, with `*` where the sum goes over clouds or grids too.

    Sums over clouds plot the collectors' own `total` series: one a cloud is read then, not one a type.
    """
    of_clouds = at.endswith("*")
    row = "total" if of_clouds else "*"
    states = sorted({state for each in rows for state in each.states})
    slots = sorted({slot for each in rows for slot in each.slots})
    return VmType(
        name="total",
        states={
            state: add_up(
                f"{at}.vms.*.{state}", (each.states[state] for each in rows if state in each.states)
            )
            for state in states
        },
        idle=add_up(f"{at}.idle.{row}", (each.idle for each in rows)),
        lost=add_up(f"{at}.lost.{row}", (each.lost for each in rows)),
        unreg=add_up(f"{at}.unreg.{row}", (each.unreg for each in rows)),
        slots={
            slot: add_up(f"{at}.slots.*.{slot}", (each.slots[slot] for each in rows if slot in each.slots))
            for slot in slots
        },
    )


def _counts(raw: Nested | None) -> Counts:
    return {name: raw[name] for name in sorted(raw) if isinstance(raw[name], Value)} if raw else {}


def _table(raw: Nested | None) -> Mapping[str, Counts]:
    return {name: _counts(raw[name]) for name in sorted(raw) if isinstance(raw[name], dict)} if raw else {}


def _flat(raw: Nested, above: str = "") -> Counts:
    found: dict[str, Value] = {}
    for name in sorted(raw):
        inner = raw[name]
        if isinstance(inner, Value):
            found[above + name] = inner
        else:
            found.update(_flat(inner, f"{above}{name.removesuffix('.')}."))
    return found


def _newest(raw: Nested) -> int | None:
    newest: int | None = None
    for inner in raw.values():
        timestamp = inner.timestamp if isinstance(inner, Value) else _newest(inner)
        if timestamp is not None and (newest is None or timestamp > newest):
            newest = timestamp
    return newest
