"""What a worker of this host takes, by what the queue and its own workers have shown."""

from __future__ import annotations

from collections.abc import Iterable

from worker.gate.model import ResourceEstimate, WorkerMemory
from worker.gate.resource_estimate import estimate_resources, measured_resources
from worker.queue import UsageStatistics
from worker.runner.worker_status import WorkerStatus
from worker.settings import NeedSettings


def learned_estimate(
    settings: NeedSettings, statistics: UsageStatistics | None, workers: Iterable[WorkerStatus]
) -> ResourceEstimate:
    """`workers`: those that run, and the last of those that did."""
    peaks = [
        WorkerMemory(status.peak_private_bytes, status.shared_bytes)
        for status in workers
        if status.chunks_done
    ]
    return measured_resources(estimate_resources(settings, statistics), peaks)
