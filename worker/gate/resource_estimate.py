"""What one worker of an engine takes: an estimate at first, what was measured as soon as it was (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from worker.gate.admission import Need
from worker.queue import Learned
from worker.runner.worker_status import Vitals
from worker.settings import Settings

MB = 1_000_000
ESTIMATES = {
    "upstream": Need(5_000 * MB, cpus=1.3),  # TensorFlow with both of its models, as the earlier fleet saw it
    "onnx": Need(170 * MB, 335 * MB),  # prepacked weights are mapped files, shared by all workers
    "stub": Need(100 * MB),
}
THREAD_BYTES = 60 * MB  # of the engine onnx: buffers of one thread,
SLOT_BYTES = 8_750_000  # and of each of its slots; docs/decimer.md has what was measured
MARGIN = 1.1  # over the peak that was learned


def engine_need(settings: Settings) -> Need:
    """What a worker of this engine takes by what is known of it beforehand."""
    known, threads = ESTIMATES[settings.decimer_engine], settings.decimer_threads
    buffers_bytes = 0
    if settings.decimer_engine == "onnx":
        buffers_bytes = threads * (THREAD_BYTES + settings.decimer_slots * SLOT_BYTES)
    return Need(known.private_bytes + buffers_bytes, known.shared_bytes, known.cpus * threads)


def estimate(settings: Settings, learned: Learned | None) -> Need:
    """Before a worker here has worked: the setting, else what the queue learned, else the engine's."""
    known = engine_need(settings)
    cpus = learned.cpus if learned is not None else known.cpus
    if settings.worker_memory_mb is not None:
        private_bytes = max(0, settings.worker_memory_mb * MB - known.shared_bytes)
    elif learned is not None:
        private_bytes = int(max(0, learned.peak_memory_bytes - known.shared_bytes) * MARGIN)
    else:
        private_bytes = known.private_bytes
    return Need(private_bytes, known.shared_bytes, cpus)


def learn(need: Need, workers: Iterable[Vitals]) -> Need:
    """The largest peak of workers that have done a chunk; what was thought before while there is none."""
    worked = [vitals for vitals in workers if vitals.chunks_done]
    if not worked:
        return need
    private_bytes = int(max(vitals.peak_private_bytes for vitals in worked) * MARGIN)
    return Need(private_bytes, max(vitals.shared_bytes for vitals in worked), need.cpus)


def most_private_bytes(settings: Settings) -> int:
    """Where a worker leaves by itself, so that a leak ends in order and not in an OOM kill."""
    if settings.worker_memory_limit_mb is not None:
        return settings.worker_memory_limit_mb * MB
    return 2 * max(engine_need(settings).private_bytes, estimate(settings, None).private_bytes)
