"""What the sources said of VMs, machines and the jobs on them, gathered from a run's outcomes (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloud_monitor.metrics.paths import parse_path
from collector.isolate import Outcome
from collector.model import Machine, Placement, Vm, VmDetails
from collector.settings import Settings


@dataclass(frozen=True, slots=True)
class CloudFacts:
    """`machines` and `placements` are None where HTCondor did not answer, or is not asked."""

    vms: tuple[Vm, ...]
    details: tuple[VmDetails, ...]  # of `vms`, one for one, or none at all
    machines: tuple[Machine, ...] | None
    placements: tuple[Placement, ...] | None
    clouds: frozenset[str]  # known to the cloud scheduler, though they may have no VM
    has_scheduler: bool
    listed: bool  # whether the scheduler, if there is one, gives single VMs
    whole: bool  # everything that was asked answered in full


def read_cloud_facts(settings: Settings, outcomes: Sequence[Outcome]) -> CloudFacts | None:
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
