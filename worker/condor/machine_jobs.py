"""Jobs of a pool that are machines of the machine manager: one supervisor each, under the machine's name.

They are no jobs of `submit`, which neither counts nor withdraws them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloud_monitor.htcondor.job_status import status_of
from worker.condor.fleet import write_secret
from worker.condor.jobs import (
    FLEET_ATTRIBUTE,
    JobRequest,
    check_reachable,
    config_text,
    describe_job,
    job_request,
)
from worker.condor.pool import Pool
from worker.gate.resource_estimate import estimate_resources
from worker.settings import Settings

MACHINES_ATTRIBUTE = "CloudMonitorMachines"  # in a job's ad: the fleet whose machine it is,
GROUP_ATTRIBUTE = "CloudMonitorGroup"
NAME_ATTRIBUTE = "CloudMonitorMachine"
_SHOWN = (
    "ClusterId",
    "ProcId",
    "JobStatus",
    "QDate",
    "HoldReason",
    GROUP_ATTRIBUTE,
    NAME_ATTRIBUTE,
)


@dataclass(frozen=True, slots=True)
class MachineJob:
    id: str  # cluster.process
    name: str
    group: str
    status: str
    submitted_at: float
    hold_reason: str


class MachineJobs:
    """Each method raises WorkerError."""

    def __init__(self, settings: Settings, fleet: str) -> None:
        check_reachable(settings)
        self._settings = settings
        self._fleet = fleet
        self._pool = Pool(settings.condor_schedd, settings.condor_pool)
        self._config = settings.state_dir.absolute() / "condor" / f"machines-{fleet}.toml"

    def request(self, cpus: int, memory_mb: int) -> JobRequest:
        """What is given, else what WORKER_CONDOR_WORKERS workers are reckoned to need."""
        known = job_request(estimate_resources(self._settings, None), self._settings)
        return replace(known, cpus=cpus or known.cpus, memory_mb=memory_mb or known.memory_mb)

    def list(self, name: str | None = None) -> tuple[MachineJob, ...]:
        wanted = f"{MACHINES_ATTRIBUTE} == {json.dumps(self._fleet)}"
        if name is not None:
            wanted += f" && {NAME_ATTRIBUTE} == {json.dumps(name)}"
        return tuple(map(_read, self._pool.query(wanted, _SHOWN)))

    def add(self, name: str, group: str, request: JobRequest, leave_idle_s: float) -> str:
        """The job's id. Who asks twice looks for the name first: the schedd has no token for it."""
        write_secret(self._config, config_text(self._settings))
        description = describe_job(
            self._settings, request, self._config, False, host_name=name, leave_idle_s=leave_idle_s
        )
        del description[f"MY.{FLEET_ATTRIBUTE}"]
        description |= {
            f"MY.{MACHINES_ATTRIBUTE}": json.dumps(self._fleet),
            f"MY.{GROUP_ATTRIBUTE}": json.dumps(group),
            f"MY.{NAME_ATTRIBUTE}": json.dumps(name),
        }
        return f"{self._pool.add_jobs(description, 1)}.0"

    def remove(self, job: str) -> None:
        """One that is gone is no error."""
        cluster, _, process = job.partition(".")
        self._pool.remove(
            f"ClusterId == {int(cluster)} && ProcId == {int(process)}", "ended by the machine manager"
        )


def _read(ad: Mapping[str, Any]) -> MachineJob:
    return MachineJob(
        f"{ad['ClusterId']}.{ad['ProcId']}",
        str(ad[NAME_ATTRIBUTE]),
        str(ad[GROUP_ATTRIBUTE] or ""),
        status_of(ad["JobStatus"]),
        float(ad["QDate"]),
        str(ad["HoldReason"] or ""),
    )
