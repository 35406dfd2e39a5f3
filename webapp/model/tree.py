"""The shape of what the page knows: grids, clouds, VM types, jobs, hosts, fleet. Only types: see build.

Every figure is a Value that carries its path, so that a click can plot it, and the time of its newest
point, so that freshness can be judged at any later moment. A total's path has `*` where it sums over names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cloud_monitor.metrics.catalog import BY_KEY
from cloud_monitor.metrics.daemon_figures import OF_DAEMON


class Value(NamedTuple):
    """The newest point of a series. `value` and `timestamp` (epoch seconds) are None where there is none.

    A sum carries the oldest timestamp of its parts: it is as old as the oldest figure in it.
    """

    path: str
    value: float | None
    timestamp: int | None


Counts = Mapping[str, Value]  # name (a status, a figure, a code) -> value, in alphabetical order


def path_of(key: str, **names: str) -> str:
    """The path of a metric of the catalog; `*` stands for every name, and no name is looked at."""
    return BY_KEY[key].template.format(**names)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found of one grid, cloud or host, by the families of the catalog.

    A family nests its values by the names in their paths, then by the figure where it has several.
    """

    by_family: Mapping[str, Any] = field(default_factory=dict)

    def value(self, family: str) -> Value | None:
        """The value of a family that is a single figure."""
        found: Value | None = self.by_family.get(family)
        return found

    def counts(self, family: str) -> Counts:
        """The values of a family with one name a figure; empty where there is none."""
        found: Counts = self.by_family.get(family, {})
        return found

    def table(self, family: str) -> Mapping[str, Counts]:
        """The values of a family with two names a figure: the first one -> the second one -> value."""
        found: Mapping[str, Counts] = self.by_family.get(family, {})
        return found


@dataclass(frozen=True, slots=True)
class VmType:
    """One row of a cloud; also the sum of rows, then called `total`."""

    name: str
    states: Counts  # starting running retiring error shutdown unknown ... total
    idle: Value
    lost: Value
    unreg: Value
    slots: Counts  # slot1_1 ...


@dataclass(frozen=True, slots=True)
class Cloud:
    grid: str
    name: str
    figures: Figures
    vmtypes: tuple[VmType, ...]
    total: VmType
    newest: int | None  # epoch seconds of the newest point anywhere below

    @property
    def enabled(self) -> Value:
        return self._figure("cloud_enabled")

    @property
    def quota(self) -> Value:
        return self._figure("cloud_quota")

    @property
    def reachable(self) -> Value:
        return self._figure("cloud_reachable")

    @property
    def mips(self) -> Value:
        return self._figure("cloud_mips")

    @property
    def kflops(self) -> Value:
        return self._figure("cloud_kflops")

    @property
    def api_vms(self) -> Counts:
        return self.figures.counts("cloud_api_vms")

    @property
    def cores(self) -> Counts:
        """By share: native foreign limit quota."""
        return self.figures.counts("cloud_cores")

    @property
    def memory_mb(self) -> Counts:
        return self.figures.counts("cloud_memory")

    @property
    def jobs(self) -> Mapping[str, Counts]:
        """Job type -> status -> value."""
        return self.figures.table("cloud_jobs")

    def _figure(self, key: str) -> Value:
        found = self.figures.value(key)
        return found or Value(path_of(key, grid=self.grid, cloud=self.name), None, None)


@dataclass(frozen=True, slots=True)
class Fleet:
    """The worker fleet of a grid."""

    of_grid: Figures

    @property
    def chunks(self) -> Counts:
        return self.of_grid.counts("fleet_chunks")

    @property
    def images(self) -> Counts:
        return self.of_grid.counts("fleet_images")

    @property
    def figures(self) -> Counts:
        """Pace: images_per_s eta_s oldest_pending_s next_deadline_s cost_per_1000_images."""
        return self.of_grid.counts("fleet")

    @property
    def failures(self) -> Counts:
        """Kind of error -> images."""
        return self.of_grid.counts("fleet_failures")

    @property
    def deadlines(self) -> Counts:
        """Of chunks: met missed open."""
        return self.of_grid.counts("fleet_deadlines")

    @property
    def hosts(self) -> Mapping[str, Counts]:
        return self.of_grid.table("fleet_hosts")


@dataclass(frozen=True, slots=True)
class Host:
    """A head node: the grid's own, or a further scheduler host of it (then `name` is its name)."""

    name: str
    figures: Figures
    newest: int | None

    @property
    def sysinfo(self) -> Counts:
        """load cpu ram swap si so disk net_in net_out ..."""
        return self.figures.counts("sysinfo")

    @property
    def disks(self) -> Counts:
        return self.figures.counts("disks")

    @property
    def heartbeats(self) -> Counts:
        return self.figures.counts("heartbeat")

    @property
    def collector(self) -> Counts:
        """duration_s points failures spooled_points spool_age_s ..."""
        return self.figures.counts("collector")

    @property
    def sources(self) -> Mapping[str, Counts]:
        """Source -> duration_s points failed."""
        return self.figures.table("sources")

    @property
    def destinations(self) -> Mapping[str, Counts]:
        return self.figures.table("destinations")

    @property
    def commands(self) -> Counts:
        """`command.figure` or `command.group.figure` -> value."""
        flat = {
            f"{command}.{figure}": value
            for command, figures in self.figures.table("command").items()
            for figure, value in figures.items()
        }
        for command, groups in self.figures.by_family.get("command_grouped", {}).items():
            for group, figures in groups.items():
                flat.update((f"{command}.{group}.{figure}", value) for figure, value in figures.items())
        return {name: flat[name] for name in sorted(flat)}


@dataclass(frozen=True, slots=True)
class Grid:
    name: str
    figures: Figures
    own: Host  # the head node that owns the grid: heartbeats, sysinfo, collector
    hosts: tuple[Host, ...]  # further scheduler hosts
    clouds: tuple[Cloud, ...]
    total: VmType  # over its clouds
    live_hosts: Counts
    newest: int | None

    @property
    def jobs(self) -> Mapping[str, Counts]:
        """Job type or `all` -> status -> value."""
        return self.figures.table("jobs")

    @property
    def users(self) -> Mapping[str, Counts]:
        return self.figures.table("users")

    @property
    def groups(self) -> Mapping[str, Counts]:
        return self.figures.table("groups")

    @property
    def held(self) -> Counts:
        """HoldReasonCode as digits -> jobs."""
        return self.figures.counts("held")

    @property
    def wait(self) -> Mapping[str, Counts]:
        """Job type or `all` -> p50_s p95_s."""
        return self.figures.table("wait")

    @property
    def slots(self) -> Mapping[str, Counts]:
        """Static partitionable dynamic -> state -> value."""
        return self.figures.table("slots")

    @property
    def resources(self) -> Mapping[str, Counts]:
        """Those there are of cores memory_mb gpus -> total claimed idle unusable -> value."""
        found = {kind: self.figures.counts(kind) for kind in ("cores", "memory_mb", "gpus")}
        return {kind: counts for kind, counts in found.items() if counts}

    @property
    def condor(self) -> Mapping[str, Mapping[str, Counts]]:
        """Those there are of schedd negotiator collector -> name -> figure -> value."""
        found = {kind: self.figures.table(f"condor_{kind}") for kind in OF_DAEMON}
        return {kind: daemons for kind, daemons in found.items() if daemons}

    @property
    def fleet(self) -> Fleet:
        return Fleet(self.figures)

    @property
    def heartbeats(self) -> Counts:
        return self.own.heartbeats


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one good poll saw. `taken_at` is its start in epoch seconds, 0.0 before the first good poll."""

    taken_at: float
    grids: tuple[Grid, ...]  # in the order of the settings, hidden ones left out
    total: VmType  # over all grids
    jobs: Counts  # status -> sum over the grids' `all`
    values: Mapping[str, Value]  # every series by path
    clocks_ahead_s: Mapping[str, float] = field(default_factory=dict)  # by grid, or grid/host
    steps_s: Mapping[str, int] = field(
        default_factory=dict
    )  # of grids whose points are kept by more than a minute

    @property
    def is_empty(self) -> bool:
        return not self.values
