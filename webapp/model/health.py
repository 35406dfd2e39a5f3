"""Health marks: how a cloud, a host, a grid and everything is doing, and which child is the cause. Pure.

A level's mark is the worst among those below it, so worsening a leaf never improves what is above it. Only
fresh values are judged by thresholds; what has no fresh value at all is marked stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from webapp.model.snapshot_view import SnapshotView
from webapp.model.thresholds import Threshold, tone_of
from webapp.model.tree import Cloud, Counts, Fleet, Grid, Host, Snapshot, Value
from webapp.pages.cells import format_number, is_fresh

_HOST_FIGURES = {"cpu": "cpu_pct", "ram": "ram_pct", "swap": "swap_pct", "disk": "disk_pct"}


class Level(IntEnum):
    OK = 0
    WARN = 1
    BAD = 2
    STALE = (
        3  # not known: its figures are old; the worst, so that going quiet never looks like getting better
    )

    @property
    def word(self) -> str:
        return ("ok", "warning", "critical", "no data")[self]

    @property
    def kind(self) -> str:
        return ("ok", "warn", "bad", "stale")[self]


@dataclass(frozen=True, slots=True)
class Mark:
    level: Level
    reason: str = ""
    where: tuple[str, ...] = ()  # the child that is the cause, outermost name first

    @property
    def text(self) -> str:
        """The cause in words: `cloud-a: 3 VMs in error`; empty where all is well."""
        return f"{' / '.join(self.where)}: {self.reason}" if self.where else self.reason


OK = Mark(Level.OK)


def worst(marks: Iterable[Mark]) -> Mark:
    """The worst mark; of equally bad ones the first."""
    return max(marks, key=lambda mark: mark.level, default=OK)


def sort_worst_first(marks: Iterable[Mark]) -> list[Mark]:
    """What is not well, the worst first, otherwise in the order given."""
    return sorted((mark for mark in marks if mark.level), key=lambda mark: -mark.level)


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges places of the tree at one moment."""

    view: SnapshotView
    thresholds: Mapping[str, Threshold]
    grid_names: Mapping[str, str]
    heartbeat_names: Mapping[str, str]

    def tone(self, threshold: str, value: Value | None) -> str:
        """The class of a figure's cell by its threshold; none for what is not fresh."""
        if value is None or not is_fresh(value, self.view):
            return ""
        return tone_of(self.thresholds[threshold], value.value)

    def cloud(self, cloud: Cloud) -> Mark:
        return worst(self._of_cloud(cloud))

    def host(self, host: Host) -> Mark:
        return worst(self._of_host(host))

    def grid(self, grid: Grid) -> Mark:
        return worst(self.grid_marks(grid))

    def snapshot(self, snapshot: Snapshot) -> Mark:
        return worst(self.snapshot_marks(snapshot))

    def snapshot_marks(self, snapshot: Snapshot) -> Iterator[Mark]:
        """Every mark of every grid, with the grid's name in front."""
        for grid in snapshot.grids:
            name = self.grid_names.get(grid.name, grid.name)
            for mark in self.grid_marks(grid):
                yield Mark(mark.level, mark.reason, (name, *mark.where))

    def grid_marks(self, grid: Grid) -> Iterator[Mark]:
        """One mark for each thing of a grid that is not well."""
        if (age := self._too_old(grid.newest)) is not None:
            yield Mark(Level.STALE, f"no data for {age}")
            return
        yield from self._of_host(grid.own)
        for host in grid.hosts:
            yield from _under(host.name, self._of_host(host))
        for cloud in grid.clouds:
            yield from _under(cloud.name, self._of_cloud(cloud))
        yield from self._of_jobs(grid)
        yield from _under("fleet", self._of_fleet(grid.fleet))

    def _of_cloud(self, cloud: Cloud) -> Iterator[Mark]:
        if (age := self._too_old(cloud.newest)) is not None:
            yield Mark(Level.STALE, f"no data for {age}")
            return
        yield from self._above(
            "vms_error", cloud.total.states.get("error"), "{} VMs in error", "1 VM in error"
        )
        yield from self._above("vms_lost", cloud.total.lost, "{} VMs lost", "1 VM lost")
        yield from self._above("vms_unreg", cloud.total.unreg, "{} VMs unregistered", "1 VM unregistered")
        if is_fresh(cloud.reachable, self.view) and cloud.reachable.value == 0:
            yield Mark(Level.WARN, "its interface does not answer")

    def _of_host(self, host: Host) -> Iterator[Mark]:
        for service, value in host.heartbeats.items():
            name = self.heartbeat_names.get(service, service)
            if not is_fresh(value, self.view):
                yield Mark(Level.BAD, f"{name} heartbeat lost for {self.view.age(value)}")
            elif value.value == 0:
                yield Mark(Level.BAD, f"{name} does not answer")
        for figure, threshold in _HOST_FIGURES.items():
            yield from self._above(threshold, host.sysinfo.get(figure), figure.upper() + " at {} %")
        yield from self._above(
            "spool_age_s", host.collector.get("spool_age_s"), "figures wait for delivery since {} s"
        )

    def _of_jobs(self, grid: Grid) -> Iterator[Mark]:
        share = held_share(grid.jobs.get("all", {}))
        yield from self._above("held_pct", share, "{} % of the jobs are held")

    def _of_fleet(self, fleet: Fleet) -> Iterator[Mark]:
        failed = fleet.chunks.get("failed")
        yield from self._above("chunks_failed", failed, "{} chunks given up", "1 chunk given up")

    def _above(self, name: str, value: Value | None, text: str, singular: str = "") -> Iterator[Mark]:
        if value is None or value.value is None or not is_fresh(value, self.view):
            return
        warn, bad = self.thresholds[name]
        if value.value >= warn:
            reason = singular if singular and value.value == 1 else text.format(format_number(value.value))
            yield Mark(Level.BAD if value.value >= bad else Level.WARN, reason)

    def _too_old(self, newest: int | None) -> str | None:
        value = Value("", 1.0, newest)
        return None if is_fresh(value, self.view) else self.view.age(value) or "ever"


def _under(name: str, marks: Iterable[Mark]) -> Iterator[Mark]:
    for mark in marks:
        yield Mark(mark.level, mark.reason, (name, *mark.where))


def held_share(counts: Counts) -> Value | None:
    """Held jobs in % of all; None where that cannot be said."""
    held, total = counts.get("held"), counts.get("total")
    if held is None or total is None or held.value is None or not total.value:
        return None
    return Value(held.path, round(100 * held.value / total.value, 1), held.timestamp)
