"""What one worker of an engine takes: an estimate at first, what was measured as soon as it was (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from worker.gate.model import MARGIN, MB, ResourceEstimate, WorkerMemory
from worker.queue import NO_NEED, StatedNeed, UsageStatistics
from worker.settings import EngineSettings, NeedSettings

ESTIMATES = {
    "upstream": ResourceEstimate(
        5_000 * MB, cpus=1.3
    ),  # TensorFlow with both of its models, as the earlier fleet saw it
    "onnx": ResourceEstimate(170 * MB, 335 * MB),  # prepacked weights are mapped files, shared by all workers
    "stub": ResourceEstimate(100 * MB),
}
THREAD_BYTES = 60 * MB  # of the engine onnx: buffers of one thread,
SLOT_BYTES = 8_750_000  # and of each of its slots; docs/decimer.md has what was measured


def engine_estimate(settings: EngineSettings) -> ResourceEstimate:
    """What a worker of this engine takes by what is known of it beforehand."""
    known, threads = ESTIMATES[settings.decimer_engine], settings.decimer_threads
    buffers_bytes = 0
    if settings.decimer_engine == "onnx":
        buffers_bytes = threads * (THREAD_BYTES + settings.decimer_slots * SLOT_BYTES)
    return ResourceEstimate(known.private_bytes + buffers_bytes, known.shared_bytes, known.cpus * threads)


def estimate_resources(settings: NeedSettings, statistics: UsageStatistics | None) -> ResourceEstimate:
    """Before a worker here has worked: the setting, else what the last chunks took, else the engine's."""
    known = engine_estimate(settings)
    cpus = statistics.cpus if statistics is not None else known.cpus
    if settings.worker_memory_mb is not None:
        private_bytes = max(0, settings.worker_memory_mb * MB - known.shared_bytes)
    elif statistics is not None:
        private_bytes = int(max(0, statistics.peak_memory_bytes - known.shared_bytes) * MARGIN)
    else:
        private_bytes = known.private_bytes
    return ResourceEstimate(private_bytes, known.shared_bytes, cpus)


def measured_resources(estimate: ResourceEstimate, peaks: Sequence[WorkerMemory]) -> ResourceEstimate:
    """By the largest peak of workers that have done a chunk; what was thought before while there is none."""
    if not peaks:
        return estimate
    private_bytes = int(max(peak.private_bytes for peak in peaks) * MARGIN)
    return ResourceEstimate(private_bytes, max(peak.shared_bytes for peak in peaks), estimate.cpus)


def most_private_bytes(settings: NeedSettings, room: StatedNeed = NO_NEED) -> int:
    """Where a worker leaves by itself, so that a leak ends in order and not in an OOM kill; not below what it
    was started for.
    """
    if settings.worker_memory_limit_mb is not None:
        return settings.worker_memory_limit_mb * MB
    stated_bytes = (room.memory_mb or 0) * MB
    beforehand = estimate_resources(settings, None)
    return max(2 * max(engine_estimate(settings).private_bytes, beforehand.private_bytes), stated_bytes)
