"""What this host's workers have shown: what they have done since the supervisor started, for how long they
have had nothing, and what one of them takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from worker.gate.model import ResourceEstimate, WorkerMemory
from worker.gate.resource_estimate import estimate_resources, measured_resources
from worker.queue import UsageStatistics
from worker.runner.worker_status import WorkerStatus
from worker.settings import NeedSettings


class Activity:
    """Looked at once a round."""

    def __init__(self, now_s: float) -> None:
        self._looked_s = now_s
        self._worked_s = now_s
        self._ended_images = 0
        self._images = 0
        self._ended_failures = 0
        self._failures = 0
        self.busy_s = 0.0  # in which a worker had a chunk

    def look(self, now_s: float, workers: Sequence[WorkerStatus]) -> None:
        if any(status.chunks for status in workers):
            self.busy_s += now_s - self._looked_s
            self._worked_s = now_s
        self._looked_s = now_s
        self._images = sum(status.images_done for status in workers)
        self._failures = sum(status.chunks_failed for status in workers)

    def ended(self, status: WorkerStatus) -> None:
        """A worker is counted no more among those that are looked at."""
        self._ended_images += status.images_done
        self._images = max(0, self._images - status.images_done)
        self._ended_failures += status.chunks_failed
        self._failures = max(0, self._failures - status.chunks_failed)

    @property
    def chunks_failed(self) -> int:
        """Chunks that were given up after a fault that one of the workers recorded."""
        return self._ended_failures + self._failures

    def idle_s(self, now_s: float) -> float:
        return now_s - self._worked_s

    def figures(self, now_s: float, leaving: bool) -> dict[str, float]:
        """What the machine manager reckons with."""
        return {
            "images_done": self._ended_images + self._images,
            "busy_s": self.busy_s,
            "idle_s": self.idle_s(now_s),
            "leaving": float(leaving),
        }


def may_leave(idle_s: float, leave_idle_s: float | None, manager_silent_s: float | None) -> bool:
    """Whether a machine ends itself: without work for so long, and without a manager that would end it."""
    if leave_idle_s is None or idle_s < leave_idle_s:
        return False
    return manager_silent_s is None or manager_silent_s >= leave_idle_s


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
