"""Series in, tree out: put each value where the catalog says its path belongs, then add up. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cloud_monitor.metrics.catalog import METRICS, About, Metric, is_of_further_host
from cloud_monitor.metrics.paths import folder_metric, match_path
from webapp.model.tree import Cloud, Counts, Figures, Grid, Host, Snapshot, Value, VmType, path_of

_SUMS = frozenset({"total", "all"})  # written by collectors; a sum over names must not count them again
_ALL = "*"


@dataclass(frozen=True, slots=True)
class GridOrder:
    """Which grids are shown, and in which order: the named ones first, the others by name."""

    first: Sequence[str] = ()
    hidden: frozenset[str] = frozenset()

    def arrange(self, names: Iterable[str]) -> list[str]:
        place = {name: number for number, name in enumerate(self.first)}
        shown = (name for name in names if name not in self.hidden)
        return sorted(shown, key=lambda name: (place.get(name, len(place)), name))


def build_snapshot(taken_at: float, values: Iterable[Value], order: GridOrder | None = None) -> Snapshot:
    """Build the tree of the values; those whose path is not in the catalog are in `values` alone."""
    by_path = {value.path: value for value in values}
    found, live_hosts = _place_all(by_path.values())
    names = (order or GridOrder()).arrange(found)
    grids = tuple(_grid(name, found[name], live_hosts.get(name, {})) for name in names)
    statuses = sorted({status for grid in grids for status in grid.jobs.get("all", {})})
    return Snapshot(
        taken_at=taken_at,
        grids=grids,
        total=_sum_of_rows(_ALL, _ALL, [grid.total for grid in grids]),
        jobs={
            status: add_up(
                path_of("jobs", grid=_ALL, jobtype="all", status=status),
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
    for _, value, timestamp in parts:
        if value is None or timestamp is None:
            continue
        total = value if total is None else total + value
        oldest = timestamp if oldest is None or timestamp < oldest else oldest
    return Value(path, total, oldest)


class _Way(NamedTuple):
    """How to put a value of one metric into its family."""

    about: About
    of_further_host: bool
    family: str
    folders: tuple[str, ...]  # fields of the path that nest
    last: str  # the field that names the value in its folder; "" where `figure` does, or where it is alone
    figure: str  # the value's name where its family has several figures that no field tells apart


def _way_of(metric: Metric) -> _Way:
    segments = metric.template.split(".")
    fields = [segment.partition("{")[2].rstrip("}") for segment in segments if "{" in segment]
    further = is_of_further_host(metric)
    below = fields[2:] if metric.about == "cloud" or further else fields[1:]
    is_one_of_several = metric.family != metric.key.removeprefix("host_") and "{" not in segments[-1]
    if is_one_of_several or not below:
        figure = segments[-1] if is_one_of_several else ""
        return _Way(metric.about, further, metric.family, tuple(below), "", figure)
    return _Way(metric.about, further, metric.family, tuple(below[:-1]), below[-1], "")


_WAYS = {metric.key: _way_of(metric) for metric in METRICS}


class _Found:
    """What was found of one grid, cloud or host."""

    __slots__ = ("families", "newest")

    def __init__(self) -> None:
        self.families: dict[str, Any] = {}  # family -> value, or names -> ... -> value
        self.newest = 0  # no point is of that second


class _FoundGrid(_Found):
    __slots__ = ("clouds", "hosts", "own")

    def __init__(self) -> None:
        super().__init__()
        self.own = _Found()
        self.clouds: defaultdict[str, _Found] = defaultdict(_Found)
        self.hosts: defaultdict[str, _Found] = defaultdict(_Found)

    def place(self, about: About, of_further_host: bool, names: Mapping[str, str]) -> _Found:
        if about == "cloud":
            return self.clouds[names["cloud"]]
        if about == "host":
            return self.hosts[names["host"]] if of_further_host else self.own
        return self


def _place_all(values: Iterable[Value]) -> tuple[dict[str, _FoundGrid], dict[str, dict[str, Value]]]:
    """What was found of each grid; and its live hosts, which alone make no grid."""
    grids: defaultdict[str, _FoundGrid] = defaultdict(_FoundGrid)
    live_hosts: defaultdict[str, dict[str, Value]] = defaultdict(dict)
    shelves: dict[str, tuple[_Found, dict[str, Any]]] = {}  # by folder, where any name may end a path
    for value in values:
        path, _, timestamp = value
        folder, _, name = path.rpartition(".")
        shelf = shelves.get(folder)
        if shelf is None:
            matched = match_path(path)
            if matched is None:
                continue
            metric, names = matched
            about, of_further_host, family, folders, last, figure = _WAYS[metric.key]
            if about == "vm":
                live_hosts[names["grid"]][names[last]] = value
                continue
            place = grids[names["grid"]].place(about, of_further_host, names)
            holder, name = place.families, figure or (names[last] if last else family)
            if figure or last:
                holder = holder.setdefault(family, {})
                for field in folders:
                    holder = holder.setdefault(names[field], {})
            if folder_metric(folder) is not None:
                shelves[folder] = place, holder
        else:
            place, holder = shelf
        holder[name] = value
        if timestamp is not None and timestamp > place.newest:
            place.newest = timestamp
    return grids, live_hosts


def _figures(found: _Found) -> Figures:
    families = found.families
    return Figures(
        {name: _in_order(inner) if type(inner) is dict else inner for name, inner in families.items()}
    )


def _in_order(names: dict[str, Any]) -> dict[str, Any]:
    """The same, in alphabetical order all the way down; what comes so, as most does, is left as it is.

    A family has its values all at one depth.
    """
    if type(next(iter(names.values()), None)) is dict:
        names = {name: _in_order(inner) for name, inner in names.items()}
    in_order = sorted(names)
    return names if in_order == list(names) else {name: names[name] for name in in_order}


def _grid(name: str, found: _FoundGrid, live_hosts: dict[str, Value]) -> Grid:
    clouds = tuple(_cloud(name, cloud, found.clouds[cloud]) for cloud in sorted(found.clouds))
    places = (found, found.own, *found.hosts.values(), *found.clouds.values())
    return Grid(
        name=name,
        figures=_figures(found),
        own=_host(name, found.own),
        hosts=tuple(_host(host, found.hosts[host]) for host in sorted(found.hosts)),
        clouds=clouds,
        total=_sum_of_rows(name, _ALL, [cloud.total for cloud in clouds]),
        live_hosts=_in_order(live_hosts),
        newest=max(place.newest for place in places) or None,
    )


def _host(name: str, found: _Found) -> Host:
    return Host(name, _figures(found), found.newest or None)


_OF_VMTYPES = ("cloud_vms", "cloud_idle", "cloud_lost", "cloud_unreg", "cloud_slots")


def _cloud(grid: str, name: str, found: _Found) -> Cloud:
    figures = _figures(found)
    types = sorted({vmtype for key in _OF_VMTYPES for vmtype in figures.counts(key)} - _SUMS)
    rows = tuple(_vmtype(grid, name, vmtype, figures) for vmtype in types)
    total = _sum_of_rows(grid, name, rows)

    def written(key: str, summed: Value) -> Value:
        return figures.counts(key).get("total", summed)

    return Cloud(
        grid=grid,
        name=name,
        figures=figures,
        vmtypes=rows,
        total=VmType(
            "total",
            total.states,
            written("cloud_idle", total.idle),
            written("cloud_lost", total.lost),
            written("cloud_unreg", total.unreg),
            total.slots,
        ),
        newest=found.newest or None,
    )


def _vmtype(grid: str, cloud: str, name: str, figures: Figures) -> VmType:
    def figure(key: str) -> Value:
        found = figures.counts(key).get(name)
        return found or Value(path_of(key, grid=grid, cloud=cloud, vmtype=name), None, None)

    return VmType(
        name=name,
        states=figures.table("cloud_vms").get(name, {}),
        idle=figure("cloud_idle"),
        lost=figure("cloud_lost"),
        unreg=figure("cloud_unreg"),
        slots=figures.table("cloud_slots").get(name, {}),
    )


def _sum_of_rows(grid: str, cloud: str, rows: Sequence[VmType]) -> VmType:
    """Sum rows of one cloud, or of all (`*`) of a grid or of all grids.

    Sums over clouds plot the collectors' own `total` series: one a cloud is read then, not one a type.
    """
    row = "total" if cloud == _ALL else _ALL
    states_at = path_of("cloud_vms", grid=grid, cloud=cloud, vmtype=_ALL, status="")
    slots_at = path_of("cloud_slots", grid=grid, cloud=cloud, vmtype=_ALL, slot="")
    return VmType(
        name="total",
        states=_add_by_name(states_at, [each.states for each in rows]),
        idle=add_up(path_of("cloud_idle", grid=grid, cloud=cloud, vmtype=row), [each.idle for each in rows]),
        lost=add_up(path_of("cloud_lost", grid=grid, cloud=cloud, vmtype=row), [each.lost for each in rows]),
        unreg=add_up(
            path_of("cloud_unreg", grid=grid, cloud=cloud, vmtype=row), [each.unreg for each in rows]
        ),
        slots=_add_by_name(slots_at, [each.slots for each in rows]),
    )


def _add_by_name(at: str, rows: Iterable[Counts]) -> Counts:
    """Name -> sum of the values of that name; `at` is the path in front of a name."""
    parts: dict[str, list[Value]] = {}
    for counts in rows:
        for name, value in counts.items():
            if name in parts:
                parts[name].append(value)
            else:
                parts[name] = [value]
    return {name: add_up(at + name, parts[name]) for name in sorted(parts)}
