"""Machines that are jobs of an HTCondor pool: the pool lends its slots, one supervisor each.

What a job needs to know is in the settings of the manager's host (`WORKER_`, or the file that `settings`
names): the queue, the storage, the pool. A job that is held is ended, with HTCondor's words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from cloud_monitor.htcondor.job_status import COMPLETED, HELD, IDLE, REMOVED, STATUSES
from cloud_monitor.settings import SettingsRefused
from worker.condor.machine_jobs import MachineJob, MachineJobs
from worker.errors import WorkerError
from worker.machines.model import (
    CloudListing,
    CloudMachine,
    CloudQuota,
    CloudState,
    Leftover,
    MachineOrder,
    MachineSize,
    QuotaUse,
)
from worker.machines.providers.base import (
    GROUP_TAG,
    MIB_OF_GIB,
    NAME_TAG,
    Provider,
    ProviderOptions,
    ProviderRefused,
    ProviderUnavailable,
    QuotaRefused,
    read_options,
    tagged_names,
)
from worker.settings import read_settings

T = TypeVar("T")
SIZE = "slot"
_STATES = {
    STATUSES[IDLE]: CloudState.BOOTING,
    STATUSES[HELD]: CloudState.FAILED,
    STATUSES[REMOVED]: CloudState.DELETING,
    STATUSES[COMPLETED]: CloudState.STOPPED,  # it waits in the queue for somebody to fetch its output
}


class CondorOptions(ProviderOptions):
    settings: Path | None = None  # the worker's TOML file; unset: the environment alone
    cores: int = Field(0, ge=0)  # of a job; 0: as many as its workers are reckoned to need
    memory_mb: int = Field(0, ge=0)
    most: int | None = Field(None, ge=0)  # jobs


class CondorProvider:
    def __init__(self, name: str, options: CondorOptions, jobs: MachineJobs) -> None:
        self.name = name
        self._options = options
        self._jobs = jobs

    def sizes(self) -> Sequence[MachineSize]:
        request = self._jobs.request(self._options.cores, self._options.memory_mb)
        disk_gb = request.disk_mb / 1000
        return (MachineSize(SIZE, request.cpus, request.memory_mb / MIB_OF_GIB, disk_gb, storage_fixed=True),)

    def create(self, order: MachineOrder) -> str:
        if order.spot:
            raise ProviderRefused(f"provider {self.name}: a pool has no spot machines")
        there = self._asked(lambda: self._jobs.list(order.name))
        if there:
            return there[0].id
        if self.limits().machines.left < 1:
            raise QuotaRefused(f"provider {self.name}: there are {self._options.most} jobs already")
        request = self._jobs.request(self._options.cores, self._options.memory_mb)
        return self._asked(lambda: self._jobs.add(order.name, order.group, request, order.leave_idle_s))

    def list(self) -> CloudListing:
        return CloudListing(tuple(map(_machine, self._asked(self._jobs.list))))

    def delete(self, provider_id: str) -> None:
        self._asked(lambda: self._jobs.remove(provider_id))

    def delete_leftover(self, leftover: Leftover) -> None:
        raise ProviderRefused(f"provider {self.name} leaves nothing over: {leftover.name}")

    def limits(self) -> CloudQuota:
        """How many slots a pool will give is known by waiting alone."""
        most = self._options.most
        if most is None:
            return CloudQuota()
        return CloudQuota(machines=QuotaUse(len(self._asked(self._jobs.list)), most))

    def _asked(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except WorkerError as error:
            raise ProviderUnavailable(f"provider {self.name}: {error}") from None


def _machine(job: MachineJob) -> CloudMachine:
    return CloudMachine(
        job.id,
        *tagged_names({NAME_TAG: job.name, GROUP_TAG: job.group}, job.id),
        _STATES.get(job.status, CloudState.RUNNING),
        created_at=job.submitted_at,
        fault=job.hold_reason,
        size=SIZE,
    )


def open_provider(name: str, options: Mapping[str, object], fleet: str) -> Provider:
    given = read_options(CondorOptions, name, options)
    try:
        return CondorProvider(name, given, MachineJobs(read_settings(config=given.settings), fleet))
    except (WorkerError, SettingsRefused) as error:
        raise ProviderRefused(f"provider {name}: {error}") from None
