"""What a source gives back: values under paths, and facts about VMs that are compared across sources.

It crosses from the source's process to the collector's as JSON, so nothing of it is ever unpickled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple


class Machine(NamedTuple):
    """One startd host as HTCondor's collector knows it."""

    host: str  # the Machine attribute
    cloud: str = ""  # by the configured startd attribute, where there is one
    vmtype: str = ""
    busy_slots: int = 0  # dynamic (or static) slots that are busy; none: the VM is idle
    slots: tuple[str, ...] = ()  # names of its dynamic slots, before the @: slot1_1 ...
    mips: float = 0.0  # sum over its dynamic slots
    kflops: float = 0.0


class Placement(NamedTuple):
    """Jobs of one type and status on one startd host."""

    host: str
    jobtype: str
    status: str
    jobs: int


class CloudVm(NamedTuple):
    """One VM as the cloud scheduler knows it."""

    cloud: str  # clean name
    vmtype: str  # clean name
    status: str  # lower case: starting running retiring error shutdown unknown ...
    hosts: tuple[str, ...] = ()  # host names it may have in HTCondor, in lower case; the first is its own


class VmDetails(NamedTuple):
    """What else the cloud scheduler knows of a VM; None where it does not say."""

    name: str = ""  # the cloud's own id, or name, of it
    since: int | None = None  # Unix time: in its status since then
    started_at: int | None = None
    registered: bool | None = None  # has slots in HTCondor
    slots: int | None = None  # dynamic ones
    busy_slots: int | None = None


class CondorJob(NamedTuple):
    """One job in the queue of a schedd; each of its texts is one line, "" where there is none."""

    id: str  # Cluster.Proc
    schedd: str  # "" is the host's own
    status: str
    types: tuple[str, ...]
    user: str
    group: str
    queued_at: int | None  # Unix time, as the next
    since: int | None  # in its status since then
    host: str  # that runs it, the Machine attribute
    last_host: str  # that ran it last
    hold_code: int | None
    hold_reason: str
    starts: int


@dataclass(frozen=True, slots=True)
class Collected:
    """Values are (path, value). A complaint tells of a failure in part; the values stand."""

    values: tuple[tuple[str, float], ...] = ()
    machines: tuple[Machine, ...] = ()
    placements: tuple[Placement, ...] = ()
    vms: tuple[CloudVm, ...] = ()
    complaints: tuple[str, ...] = ()
    # for the inventory, and empty without one
    vm_details: tuple[VmDetails, ...] = ()  # of `vms`, one for one
    jobs: tuple[CondorJob, ...] = ()
    jobs_cut: bool = False  # there are more than those
    notes: tuple[str, ...] = ()  # what was read otherwise than it stands, or left out, though nothing failed


def write_collected(collected: Collected) -> bytes:
    rows: dict[str, Any] = {
        "values": collected.values,
        "machines": collected.machines,
        "placements": collected.placements,
        "vms": collected.vms,
        "complaints": collected.complaints,
    }
    if collected.notes:
        rows["notes"] = collected.notes
    if collected.vm_details:
        rows["vm_details"] = collected.vm_details
    if collected.jobs or collected.jobs_cut:
        rows |= {"jobs": collected.jobs, "jobs_cut": collected.jobs_cut}
    return json.dumps(rows, separators=(",", ":")).encode()


def read_collected(data: bytes) -> Collected:
    """The inverse of `write_collected`."""
    rows: dict[str, Any] = json.loads(data)
    return Collected(
        values=tuple((path, float(value)) for path, value in rows["values"]),
        machines=tuple(Machine._make([*row[:4], tuple(row[4]), *row[5:]]) for row in rows["machines"]),
        placements=tuple(Placement(*row) for row in rows["placements"]),
        vms=tuple(CloudVm._make([*row[:3], tuple(row[3])]) for row in rows["vms"]),
        complaints=tuple(rows["complaints"]),
        notes=tuple(rows.get("notes", ())),
        vm_details=tuple(VmDetails._make(row) for row in rows.get("vm_details", ())),
        jobs=tuple(CondorJob._make([*row[:3], tuple(row[3]), *row[4:]]) for row in rows.get("jobs", ())),
        jobs_cut=rows.get("jobs_cut", False),
    )


class Point(NamedTuple):
    path: str
    timestamp: int  # Unix seconds, floored to paths.STEP_S
    value: float
