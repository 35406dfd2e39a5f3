"""Clouds as Cloud Scheduler and HTCondor see them together: VMs by state, idle, lost and unregistered (pure).

Without a Cloud Scheduler a cloud is what a startd attribute (or a pattern on the machine's name) says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cloud_monitor.metrics.paths import build_path, clean, parse_path
from collector.isolate import SourceOutcome
from collector.model import CloudVm, Machine, Placement, VmDetails
from collector.settings import CloudSchedulerSettings

ALWAYS_SHOWN = ("starting", "running", "retiring", "error", "shutdown", "unknown")
ALIVE = ("running", "retiring")


@dataclass(frozen=True, slots=True)
class Home:
    """Where a machine of HTCondor belongs."""

    cloud: str
    vmtype: str
    vm: CloudVm | None = None  # None: Cloud Scheduler does not know it


def cloud_values(
    grid: str,
    vms: Sequence[CloudVm],
    machines: Sequence[Machine] | None,
    placements: Sequence[Placement] | None,
    *,
    clouds: Iterable[str] = (),
    has_scheduler: bool,
) -> Iterator[tuple[str, float]]:
    """Every figure as (path, value).

    `machines` and `placements` are None where HTCondor did not answer, or is not asked: then only what Cloud
    Scheduler says is given. `clouds` are those that are known though they may have no VM.
    """
    homes = homes_of(vms, machines or ())
    known = vms if has_scheduler else [CloudVm(home.cloud, home.vmtype, "running") for home in homes.values()]
    yield from _state_values(grid, known)
    if machines is not None:
        names = {*clouds, *(vm.cloud for vm in known), *(home.cloud for home in homes.values())}
        yield from _comparison_values(grid, names, known, machines, homes, has_scheduler)
        yield from _slot_values(grid, names, machines, homes)
    if placements is not None:
        yield from _job_values(grid, placements, homes)


def live_host_values(
    grid: str, vms: Sequence[CloudVm], machines: Sequence[Machine], seen: Iterable[str], hosts_max: int
) -> Iterator[tuple[str, float]]:
    """1 for each running or retiring VM with a host name; beyond `hosts_max` they are summed as `other`.

    Hosts that were shown in the last day (`seen`, paths) keep their place and use it up, so that VMs that
    come and go cannot make ever more names. A machine of a VM that has another name there is no host more.
    """
    alive = {vm.hosts[0] for vm in vms if vm.status in ALIVE and vm.hosts}
    homes = homes_of(vms, machines)
    alive |= {host.lower() for host, home in homes.items() if home.vm is None}
    paths = {build_path("live_host", grid=grid, hostname=clean(host)) for host in alive}
    other = build_path("live_host", grid=grid, hostname="other")
    before = {path for path in seen if path.startswith(f"util.live_hosts.{grid}.")} - {other}
    room = max(0, hosts_max - len(before))
    shown = (paths & before) | set(sorted(paths - before)[:room])
    yield from ((path, 1.0) for path in sorted(shown))
    if paths - shown or other in seen:
        yield other, float(len(paths - shown))


def homes_of(vms: Sequence[CloudVm], machines: Sequence[Machine]) -> dict[str, Home]:
    """Machine host -> home."""
    names = VmNames(vms)
    homes = {}
    for machine in machines:
        vm = names.find(machine.host, machine.cloud)
        if vm is not None:
            homes[machine.host] = Home(vm.cloud, vm.vmtype, vm)
        elif machine.cloud:
            homes[machine.host] = Home(machine.cloud, machine.vmtype or "unknown")
    return homes


class VmNames:
    """Finds the VM of a host name, in whatever order VMs are listed: names are reused, and short or full."""

    def __init__(self, vms: Iterable[CloudVm]) -> None:
        self._by_host: defaultdict[str, list[CloudVm]] = defaultdict(list)
        self._by_label: defaultdict[str, list[CloudVm]] = defaultdict(list)  # the first of a full name
        for vm in vms:
            for host in vm.hosts:
                self._by_host[host].append(vm)
                label, dot, _ = host.partition(".")
                if dot:
                    self._by_label[label].append(vm)

    def find(self, host: str, cloud: str = "") -> CloudVm | None:
        """By the name as it is, else by its short form, else as the short form of a VM's only full name.

        Of several VMs of one name it is that of the machine's own `cloud`, where it says one, and a running
        one rather than one that is gone.
        """
        name = host.lower()
        label, dot, _ = name.partition(".")
        found = self._by_host.get(name) or (self._by_host.get(label) if dot else None)
        if not found and not dot:
            full = self._by_label.get(name, [])
            found = (
                full
                if len({host for vm in full for host in vm.hosts if host.startswith(f"{name}.")}) == 1
                else []
            )
        return min(found, key=lambda vm: (_doubt(vm, cloud), vm)) if found else None


def _doubt(vm: CloudVm, cloud: str) -> tuple[bool, int]:
    """The smaller, the rather a machine that reports to HTCondor is this VM."""
    return bool(cloud) and vm.cloud != cloud, ALIVE.index(vm.status) if vm.status in ALIVE else len(ALIVE)


def _state_values(grid: str, vms: Sequence[CloudVm]) -> Iterator[tuple[str, float]]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for vm in vms:
        counts[vm.cloud, vm.vmtype][vm.status] += 1
    for (cloud, vmtype), states in sorted(counts.items()):
        shown = dict.fromkeys(ALWAYS_SHOWN, 0) | states | {"total": states.total()}
        for status, count in shown.items():
            yield build_path("cloud_vms", grid=grid, cloud=cloud, vmtype=vmtype, status=status), float(count)


def _comparison_values(
    grid: str,
    clouds: Iterable[str],
    vms: Sequence[CloudVm],
    machines: Sequence[Machine],
    homes: dict[str, Home],
    has_scheduler: bool,
) -> Iterator[tuple[str, float]]:
    types = {cloud: {"total"} for cloud in clouds}
    for vm in vms:
        types[vm.cloud].add(vm.vmtype)
    for home in homes.values():
        types[home.cloud].add(home.vmtype)
    counts: dict[str, Counter[tuple[str, str]]] = {"cloud_idle": Counter()}
    if has_scheduler:
        counts |= {"cloud_lost": Counter(), "cloud_unreg": Counter()}

    def count(key: str, cloud: str, vmtype: str) -> None:
        counts[key].update([(cloud, vmtype), (cloud, "total")])

    busy_slots: Counter[int] = Counter()  # of a VM, which may have several machines
    registered = set()
    for machine in machines:
        at = homes.get(machine.host)
        if at is None:
            continue
        if at.vm is not None:
            registered.add(id(at.vm))
            busy_slots[id(at.vm)] += machine.busy_slots
        elif has_scheduler:
            count("cloud_lost", at.cloud, at.vmtype)
        elif machine.busy_slots == 0:
            count("cloud_idle", at.cloud, at.vmtype)
    for vm in vms if has_scheduler else ():
        if vm.status == "running" and id(vm) not in registered:
            count("cloud_unreg", vm.cloud, vm.vmtype)
        elif vm.status == "running" and not busy_slots[id(vm)]:
            count("cloud_idle", vm.cloud, vm.vmtype)
    for key, counter in counts.items():
        for cloud, vmtypes in sorted(types.items()):
            for vmtype in sorted(vmtypes):
                yield build_path(key, grid=grid, cloud=cloud, vmtype=vmtype), float(counter[cloud, vmtype])


def _slot_values(
    grid: str, clouds: Iterable[str], machines: Sequence[Machine], homes: dict[str, Home]
) -> Iterator[tuple[str, float]]:
    slots: Counter[tuple[str, str, str]] = Counter()
    mips, kflops = dict.fromkeys(clouds, 0.0), dict.fromkeys(clouds, 0.0)
    for machine in machines:
        home = homes.get(machine.host)
        if home is not None:
            slots.update((home.cloud, home.vmtype, clean(slot)) for slot in machine.slots)
            mips[home.cloud] += machine.mips
            kflops[home.cloud] += machine.kflops
    for (cloud, vmtype, slot), count in sorted(slots.items()):
        yield build_path("cloud_slots", grid=grid, cloud=cloud, vmtype=vmtype, slot=slot), float(count)
    for key, sums in (("cloud_mips", mips), ("cloud_kflops", kflops)):
        for cloud, figure in sorted(sums.items()):
            yield build_path(key, grid=grid, cloud=cloud), figure


def _job_values(
    grid: str, placements: Sequence[Placement], homes: dict[str, Home]
) -> Iterator[tuple[str, float]]:
    jobs: Counter[tuple[str, str, str]] = Counter()
    for placement in placements:
        home = homes.get(placement.host)
        if home is not None:
            for status in (placement.status, "total"):
                jobs[home.cloud, placement.jobtype, status] += placement.jobs
    for (cloud, jobtype, status), count in sorted(jobs.items()):
        yield build_path("cloud_jobs", grid=grid, cloud=cloud, jobtype=jobtype, status=status), float(count)


@dataclass(frozen=True, slots=True)
class CloudFacts:
    """`machines` and `placements` are None where HTCondor did not answer, or is not asked."""

    vms: tuple[CloudVm, ...]
    details: tuple[VmDetails, ...]  # of `vms`, one for one, or none at all
    machines: tuple[Machine, ...] | None
    placements: tuple[Placement, ...] | None
    clouds: frozenset[str]  # known to the cloud scheduler, though they may have no VM
    has_scheduler: bool
    listed: bool  # whether the scheduler, if there is one, gives single VMs
    whole: bool  # everything that was asked answered in full


def read_cloud_facts(
    settings: CloudSchedulerSettings, outcomes: Sequence[SourceOutcome]
) -> CloudFacts | None:
    """None where nobody can be asked about clouds, or the cloud scheduler did not answer."""
    by_name = {outcome.source: outcome for outcome in outcomes}
    scheduler, slots, jobs = (by_name.get(name) for name in ("cloudscheduler", "condor_slots", "condor_jobs"))
    if (scheduler is None and slots is None) or not settings.owner or (scheduler and not scheduler.answered):
        return None
    vms = scheduler.collected.vms if scheduler else ()
    machines = slots.collected.machines if slots and slots.answered else None
    placements = jobs.collected.placements if machines is not None and jobs and jobs.answered else None
    names = {
        parse_path(path).names.get("cloud", "")
        for path, _ in (scheduler.collected.values if scheduler else ())
    }
    return CloudFacts(
        vms=vms,
        details=scheduler.collected.vm_details if scheduler else (),
        machines=machines,
        placements=placements,
        clouds=frozenset(names - {""}),
        has_scheduler=scheduler is not None,
        listed=bool(vms)
        or not scheduler
        or settings.cloudscheduler_vm_list
        or not settings.cloudscheduler_url,
        whole=all(outcome is None or outcome.error is None for outcome in (scheduler, slots, jobs)),
    )
