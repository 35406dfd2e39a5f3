"""The inventory: every single VM and some single jobs as they are now, for the status page (pure).

VMs are joined with HTCondor's machines by the rules of the cloud figures (sources/clouds.py), so that whoever
counts the list gets those figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from cloud_monitor.inventory import LOST, vm_rank
from cloud_monitor.metrics.paths import build_path
from cloud_monitor.system.text import one_line
from collector.clouds import CloudFacts, Home, VmNames, homes_of, read_cloud_facts
from collector.isolate import SourceOutcome
from collector.model import CloudVm, CondorJob, Machine, VmDetails
from collector.settings import CloudSchedulerSettings
from collector.tasks import JOB_LIST

_SOURCES_OF_VMS = ("cloudscheduler", "condor_slots")


class ListedVm(NamedTuple):
    """None where neither HTCondor nor the cloud scheduler says."""

    host: str  # one of its own in the list: as the cloud scheduler calls it, else HTCondor
    machine: str  # as HTCondor calls it, "" where it does not know it
    name: str  # the cloud's id, or name, of it
    cloud: str  # clean, as the VM type
    vmtype: str
    status: str
    idle: bool | None  # runs without a busy slot
    registered: bool | None  # known to HTCondor
    busy_slots: int | None
    slots: int | None
    since: int | None  # Unix time: in its status since then
    started_at: int | None


class ListedJob(NamedTuple):
    """As collector.model.CondorJob; hosts have the names that they have in the list of VMs."""

    id: str
    schedd: str
    status: str
    types: tuple[str, ...]
    user: str
    group: str
    queued_at: int | None
    since: int | None
    host: str
    last_host: str
    cloud: str  # of the host that runs it, or ran it last; "" where that is not known
    hold_code: int | None
    hold_reason: str
    starts: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """A list is None where it is not known; one that is cut may lack rows: what is not in it may be there."""

    taken_at: int
    vms: tuple[ListedVm, ...] | None
    vms_total: int | None
    vms_cut: bool
    jobs: tuple[ListedJob, ...] | None
    jobs_total: dict[str, int] | None  # by status, of all jobs
    jobs_cut: bool


def compose_inventory(
    settings: CloudSchedulerSettings, outcomes: Sequence[SourceOutcome], timestamp: int
) -> Inventory:
    facts = read_cloud_facts(settings, outcomes)
    by_name = {outcome.source: outcome for outcome in outcomes if outcome.answered}
    vms = list_vms(facts) if facts and knows_vms(settings, facts) else None
    jobs = by_name[JOB_LIST].collected if JOB_LIST in by_name else None
    counts = by_name["condor_jobs"].collected.values if "condor_jobs" in by_name else ()
    # What failed, if only in part, may keep some from us: those of a cloud, or what only HTCondor knows.
    in_doubt = any(outcome.error for outcome in outcomes if outcome.source in _SOURCES_OF_VMS)
    return Inventory(
        taken_at=timestamp,
        vms=None if vms is None else tuple(vms[: settings.inventory_vms_max]),
        vms_total=None if vms is None else len(vms),
        vms_cut=vms is not None and (in_doubt or len(vms) > settings.inventory_vms_max),
        jobs=None if jobs is None else tuple(list_jobs(jobs.jobs, facts)),
        jobs_total=read_totals(settings.grid, counts),
        jobs_cut=jobs is not None and jobs.jobs_cut,
    )


def knows_vms(settings: CloudSchedulerSettings, facts: CloudFacts) -> bool:
    """Whether an empty list would mean that there are none."""
    by_attribute = bool(settings.condor_cloud_attribute or settings.condor_cloud_pattern)
    return facts.listed and (facts.has_scheduler or (by_attribute and facts.machines is not None))


def list_vms(facts: CloudFacts) -> list[ListedVm]:
    """Those with a problem first, then by cloud and host; no host twice."""
    homes = homes_of(facts.vms, facts.machines or ())
    on_vm: defaultdict[int, list[Machine]] = defaultdict(list)
    strays: list[ListedVm] = []
    for machine in facts.machines or ():
        home = homes.get(machine.host)
        if home is not None and home.vm is not None:
            on_vm[id(home.vm)].append(machine)
        elif home is not None:
            strays.append(_list_stray(machine, home, facts.has_scheduler))
    asked = facts.machines is not None
    known = [
        _list_vm(vm, details, on_vm[id(vm)], asked)
        for vm, details in zip(facts.vms, facts.details or repeat(VmDetails()), strict=False)
    ]
    rows = sorted(
        (*known, *strays), key=lambda row: (vm_rank(row.status, row.registered), row.cloud, row.host)
    )
    return list(_with_own_hosts(rows))


def _list_vm(vm: CloudVm, details: VmDetails, machines: Sequence[Machine], asked: bool) -> ListedVm:
    registered, slots, busy_slots = details.registered, details.slots, details.busy_slots
    if asked:
        registered = bool(machines)
        slots = sum(len(machine.slots) for machine in machines)
        busy_slots = sum(machine.busy_slots for machine in machines)
    idle = None
    if registered is not None and busy_slots is not None:
        idle = registered and vm.status == "running" and busy_slots == 0
    return ListedVm(
        host=one_line(vm.hosts[0] if vm.hosts else details.name),
        machine=one_line(machines[0].host) if machines else "",
        name=one_line(details.name),
        cloud=vm.cloud,
        vmtype=vm.vmtype,
        status=vm.status,
        idle=idle,
        registered=registered,
        busy_slots=busy_slots,
        slots=slots,
        since=details.since,
        started_at=details.started_at,
    )


def _list_stray(machine: Machine, home: Home, has_scheduler: bool) -> ListedVm:
    """A machine that no cloud scheduler knows, or where there is none."""
    return ListedVm(
        host=one_line(machine.host),
        machine=one_line(machine.host),
        name="",
        cloud=home.cloud,
        vmtype=home.vmtype,
        status=LOST if has_scheduler else "running",
        idle=machine.busy_slots == 0 and not has_scheduler,
        registered=True,
        busy_slots=machine.busy_slots,
        slots=len(machine.slots),
        since=None,
        started_at=None,
    )


def _with_own_hosts(rows: Sequence[ListedVm]) -> Iterator[ListedVm]:
    """A host that is there already, or is not known, becomes the cloud's name of it, numbered if need be."""
    seen: set[str] = set()
    for row in rows:
        host, number = row.host, 1
        if not host or host in seen:
            host = row.name or host or "unnamed"
        plain = host
        while host in seen:
            number += 1
            host = f"{plain[:280]} ({number})"
        seen.add(host)
        yield row if host == row.host else row._replace(host=host)


def list_jobs(jobs: Sequence[CondorJob], facts: CloudFacts | None) -> Iterator[ListedJob]:
    homes = homes_of(facts.vms, facts.machines or ()) if facts else {}
    names = VmNames(facts.vms if facts else ())
    for job in jobs:
        host, cloud = _located(job.host, homes, names)
        last_host, last_cloud = _located(job.last_host, homes, names)
        placed = (host, last_host, cloud if host else last_cloud)
        yield ListedJob(*job[:8], *placed, *job[10:])


def _located(machine: str, homes: Mapping[str, Home], names: VmNames) -> tuple[str, str]:
    """(host, cloud) of a machine by the names of the list of VMs; the VM may be gone from HTCondor."""
    home = homes.get(machine)
    vm = home.vm if home else names.find(machine)
    if vm is not None:
        return one_line(vm.hosts[0]), vm.cloud
    return machine, home.cloud if home else ""


def read_totals(grid: str, values: Sequence[tuple[str, float]]) -> dict[str, int] | None:
    """Numbers of jobs by status, out of the metrics; None where there are none."""
    total = build_path("jobs", grid=grid, jobtype="all", status="total")
    stem = total.removesuffix("total")
    counts = {path.removeprefix(stem): int(value) for path, value in values if path.startswith(stem)}
    return {status: count for status, count in counts.items() if status != "total"} or None
