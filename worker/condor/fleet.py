"""Workers as jobs of an HTCondor pool, kept at a number; the queue is the truth, the pool lends machines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from cloud_monitor.system.files import replace_file
from worker.condor.jobs import (
    JobRequest,
    JobState,
    check_reachable,
    config_text,
    describe_job,
    fleet_name,
    job_request,
    missing_jobs,
)
from worker.condor.pool import Pool
from worker.decimer.names import configured_model
from worker.errors import WorkerError
from worker.gate.limits import queue_policy
from worker.gate.resource_estimate import estimate_resources
from worker.gate.stated_needs import largest, raised
from worker.queue import NO_NEED, Queue, open_queue
from worker.queue.hold import refuse_if_held
from worker.settings import Settings

log = logging.getLogger(__name__)


class CondorFleet:
    def __init__(self, settings: Settings) -> None:
        check_reachable(settings)
        self._settings = settings
        self._pool = Pool(settings.condor_schedd, settings.condor_pool)
        self._name = fleet_name(settings)
        self._config = settings.state_dir.absolute() / "condor" / f"worker-{self._name}.toml"

    def list_jobs(self) -> list[JobState]:
        return self._pool.list_jobs(self._name)

    def fill(self, jobs: int, until_empty: bool) -> int:
        """Submit what is missing of so many jobs that run or will; how many that were."""
        missing = missing_jobs(jobs, self.list_jobs())
        if not missing:
            return 0
        settings = self._settings
        with self._queue() as queue:
            queue.database.read(lambda connection: refuse_if_held(connection, "nothing is submitted"))
            request = request_for(queue, settings)
        write_secret(self._config, config_text(settings))
        cluster = self._pool.add_jobs(describe_job(settings, request, self._config, until_empty), missing)
        log.info(
            "submitted %d jobs as cluster %d, each with %d CPUs, %d MB and %d worker(s)",
            missing, cluster, request.cpus, request.memory_mb, request.workers,
        )  # fmt: skip
        return missing

    def keep(
        self, jobs: int, until_empty: bool, every_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Fill up again and again, with until_empty until nothing is pending or active in the queue. A pool
        or queue that does not answer is tried again.
        """
        while True:
            try:
                if until_empty and self._is_empty():
                    return
                self.fill(jobs, until_empty)
            except WorkerError as error:
                log.warning("%s; trying again in %g s", error, every_s)
            sleep(every_s)

    def withdraw(self) -> int:
        """Remove all jobs; the supervisors drain within the soft kill's time. How many there were."""
        removed = self._pool.remove_jobs(self._name)
        self._config.unlink(missing_ok=True)
        return removed

    def _is_empty(self) -> bool:
        with self._queue() as queue:
            outstanding = queue.outstanding(configured_model(self._settings))
        return outstanding.pending == 0 and outstanding.active == 0

    def _queue(self) -> closing[Queue]:
        return closing(open_queue(self._settings.queue_url, queue_policy(self._settings)))


def request_for(queue: Queue, settings: Settings) -> JobRequest:
    """By what was learned, or by what waiting batches state where that is more."""
    statistics = queue.usage_statistics(settings.decimer_engine)
    stated = queue.outstanding(configured_model(settings)).stated
    estimate = raised(estimate_resources(settings, statistics), largest(stated, NO_NEED))
    return job_request(estimate, settings)


def write_secret(path: Path, text: str) -> None:
    """Replace a file by one that only this user can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())
