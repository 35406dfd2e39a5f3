"""The shape of what the page knows: grids, clouds, VM types, jobs, hosts, fleet. Only types: see tree_build.

Every figure is a Value that carries its path, so that a click can plot it, and the time of its newest
point, so that freshness can be judged at any later moment. A total's path has `*` where it sums over names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Value(NamedTuple):
    """The newest point of a series. `value` and `timestamp` (epoch seconds) are None where there is none.

    A sum carries the oldest timestamp of its parts: it is as old as the oldest figure in it.
    """

    path: str
    value: float | None
    timestamp: int | None


Counts = Mapping[str, Value]  # name (a status, a figure, a code) -> value, in alphabetical order


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
    enabled: Value
    quota: Value
    reachable: Value
    mips: Value
    kflops: Value
    vmtypes: tuple[VmType, ...]
    total: VmType
    api_vms: Counts
    cores: Counts  # native foreign limit quota
    memory_mb: Counts
    jobs: Mapping[str, Counts]  # job type -> status -> value
    newest: int | None  # epoch seconds of the newest point anywhere below


@dataclass(frozen=True, slots=True)
class Fleet:
    chunks: Counts
    images: Counts
    figures: Counts  # images_per_s eta_s oldest_pending_s next_deadline_s cost_per_1000_images
    failures: Counts  # kind -> images
    deadlines: Counts  # met missed open
    hosts: Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class Host:
    """A head node: the grid's own, or a further scheduler host of it (then `name` is its name)."""

    name: str
    sysinfo: Counts  # load cpu ram swap si so disk net_in net_out ...
    disks: Counts
    heartbeats: Counts
    collector: Counts  # duration_s points failures spooled_points spool_age_s ...
    sources: Mapping[str, Counts]  # source -> duration_s points failed
    destinations: Mapping[str, Counts]
    commands: Counts  # `command.figure` or `command.group.figure` -> value
    newest: int | None


@dataclass(frozen=True, slots=True)
class Grid:
    name: str
    own: Host  # the head node that owns the grid: heartbeats, sysinfo, collector
    hosts: tuple[Host, ...]  # further scheduler hosts
    clouds: tuple[Cloud, ...]
    total: VmType  # over its clouds
    jobs: Mapping[str, Counts]  # job type or `all` -> status -> value
    users: Mapping[str, Counts]
    groups: Mapping[str, Counts]
    held: Counts  # HoldReasonCode as digits -> jobs
    wait: Mapping[str, Counts]  # job type or `all` -> p50_s p95_s
    slots: Mapping[str, Counts]  # static partitionable dynamic -> state -> value
    resources: Mapping[str, Counts]  # cores memory_mb gpus -> total claimed idle unusable -> value
    condor: Mapping[str, Mapping[str, Counts]]  # schedd negotiator collector -> name -> figure -> value
    fleet: Fleet
    live_hosts: Counts
    newest: int | None

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

    @property
    def is_empty(self) -> bool:
        return not self.values
