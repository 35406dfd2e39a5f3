"""A supervisor's job in an HTCondor pool: what it requests, its description, its settings file (pure)."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from cloud_monitor.htcondor.job_status import (
    HELD,
    IDLE,
    RUNNING,
    STATUSES,
    SUSPENDED,
    TRANSFERRING_OUTPUT,
    status_of,
)
from worker.errors import WorkerError
from worker.gate.model import MB, ResourceEstimate
from worker.settings import QueueSettings, Settings

if TYPE_CHECKING:
    from cloud_monitor.htcondor.ads import Ad

FLEET_ATTRIBUTE = "CloudMonitorFleet"  # in a job's ad: which queue it works for
SUPERVISOR_MB = 150  # of the supervisor itself, beside what its workers are allotted
PREPARATION_MB = 1500  # before there is a worker, where the model is made ready first (1300 are enough)
DRAIN_S = 30  # from the soft kill to the hard one; a supervisor is gone within 25 s
QUICK_END_S = 60  # a supervisor that fails sooner will fail again: hold it, so that somebody looks
TEMP_CHUNKS = 2  # chunks' images on disk at once, of one worker: one worked on, one downloaded ahead

AT_WORK = {STATUSES[status] for status in (IDLE, RUNNING, TRANSFERRING_OUTPUT, SUSPENDED)}  # that run or will

# A job has its own: the scratch folder's, and the slot's.
_OF_THE_HOST = {
    "state_dir", "log_dir", "temp_dir", "temp_limit_mb", "host_name", "environment", "cpus", "memory_mb",
    "max_workers",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobRequest:
    cpus: int
    memory_mb: int  # megabytes of 10^6 bytes that the workers are allotted
    disk_mb: int
    workers: int


@dataclass(frozen=True, slots=True)
class JobState:
    """One job of the fleet in the pool."""

    id: str
    status: str
    slot: str  # where it runs
    since: float  # Unix time of the status
    reason: str  # why it is held


def job_request(estimate: ResourceEstimate, settings: Settings) -> JobRequest:
    """Of a supervisor with `condor_workers` workers that take `estimate` each: its gate admits them all."""
    workers = settings.condor_workers
    allotted_bytes = (
        (estimate.private_bytes * workers + estimate.shared_bytes) * 100 / settings.memory_threshold_pct
    )
    images_mb = workers * TEMP_CHUNKS * settings.chunk_images * settings.image_mb
    return JobRequest(
        cpus=max(1, math.ceil(estimate.cpus * workers)),
        memory_mb=math.ceil(allotted_bytes / MB) + 1,
        disk_mb=math.ceil(images_mb * 100 / settings.temp_threshold_pct) + 1,
        workers=workers,
    )


def fleet_name(settings: QueueSettings) -> str:
    """The same for all who work for a queue, whatever user they connect as."""
    place = re.sub(r"//[^@/]*@", "//", settings.queue_url)
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def check_reachable(settings: QueueSettings) -> None:
    """Refuse what jobs on other machines cannot work with."""
    if settings.queue_url.startswith("sqlite"):
        raise WorkerError(
            "jobs on other machines cannot share an SQLite file: set WORKER_DATABASE_URL=postgresql://..."
        )


def missing_jobs(wanted: int, jobs: Sequence[JobState]) -> int:
    """How many more it takes until so many run or will. Held ones, which wait for a person, are replaced.
    Raises WorkerError when as many are held: what holds them would hold all that came after them.
    """
    missing = max(0, wanted - sum(job.status in AT_WORK for job in jobs))
    held = [job for job in jobs if job.status == STATUSES[HELD]]
    if missing and len(held) >= wanted:
        raise WorkerError(
            f"{len(held)} jobs are held and not replaced any more, {held[-1].id} because: {held[-1].reason}; "
            "mend that, then condor_release or condor_rm them"
        )
    return missing


def describe_job(
    settings: Settings,
    request: JobRequest,
    config: Path,
    until_empty: bool,
    host_name: str = "$$(Name)",
    leave_idle_s: float | None = None,
) -> dict[str, str]:
    """The submit description. It has no secret: those are in the file `config`, sent along with the job.
    `host_name`: the slot's, as many names as the pool has slots.
    """
    environment = {
        "WORKER_STATE_DIR": "state",  # in the job's scratch folder
        "WORKER_HOST_NAME": host_name,
        "WORKER_CPUS": request.cpus,
        "WORKER_MEMORY_MB": request.memory_mb,
        "WORKER_MAX_WORKERS": request.workers,
        "WORKER_WARM_UP_GROUP": "off",  # a slot's memory is its own
        "WORKER_TEMP_LIMIT_MB": request.disk_mb,
    }
    options = ["--until-empty", "--any-outcome"] if until_empty else []  # exit 1: it failed, and starts anew
    options += [] if leave_idle_s is None else ["--leave-idle", f"{leave_idle_s:g}"]
    arguments = ["-P", "-m", "worker", "--config", config.name, "run", *options]
    prepares = settings.decimer_engine == "onnx"
    memory_mb = max(request.memory_mb + SUPERVISOR_MB, PREPARATION_MB if prepares else 0)
    told = config.parent / "$(Cluster).$(Process)"
    failed = "(ExitBySignal =?= true || ExitCode =!= 0)"
    return {
        "executable": settings.condor_python,
        "transfer_executable": "false",
        "arguments": " ".join(arguments),
        "environment": '"' + " ".join(f"{name}={value}" for name, value in environment.items()) + '"',
        "should_transfer_files": "YES",
        "when_to_transfer_output": "ON_EXIT",
        "transfer_output_files": '""',
        "transfer_input_files": str(config),
        "output": f"{told}.out",
        "error": f"{told}.err",
        "request_cpus": str(request.cpus),
        "request_memory": str(math.ceil(memory_mb * MB / (1 << 20))),
        "request_disk": str(request.disk_mb * 1024),
        "kill_sig": "SIGTERM",
        "remove_kill_sig": "SIGTERM",
        "hold_kill_sig": "SIGTERM",
        "want_graceful_removal": "true",
        "job_max_vacate_time": str(DRAIN_S),
        "on_exit_remove": f"!{failed}",  # one that failed goes back into the queue
        "on_exit_hold": f"{failed} && time() - JobCurrentStartDate < {QUICK_END_S}",
        "on_exit_hold_reason": f'"the supervisor ended within {QUICK_END_S} s; its error file says why"',
        f"MY.{FLEET_ATTRIBUTE}": json.dumps(fleet_name(settings)),
    }


def config_text(settings: Settings) -> str:
    """The settings as the TOML file that a job reads; paths are absolute."""
    values = settings.model_dump(exclude=_OF_THE_HOST, exclude_none=True)
    values |= {"database_url": settings.queue_url, "results_url": absolute(settings.result_files_url)}
    values["storage_url"] = absolute(settings.storage_url)
    return "".join(f"{name} = {_toml(value)}\n" for name, value in sorted(values.items()))


def absolute(url: str) -> str:
    return url if "://" in url else str(Path(url).absolute())


def read_job(ad: Ad) -> JobState:
    return JobState(
        id=f"{ad.get('ClusterId')}.{ad.get('ProcId')}",
        status=status_of(ad.get("JobStatus")),
        slot=str(ad.get("RemoteHost") or ""),
        since=float(ad.get("EnteredCurrentStatus") or 0),
        reason=str(ad.get("HoldReason") or ""),
    )


def _toml(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = str(value.absolute())
    # Of text, numbers and truth values TOML's and JSON's forms are the same, but for escaped surrogates
    return json.dumps(value, ensure_ascii=False)
