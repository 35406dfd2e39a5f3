"""The gate's limits and the queue's policy as the settings say (pure)."""

from __future__ import annotations

from dataclasses import replace

from worker.gate.admission import effective_max_chunks
from worker.gate.model import MB, GateLimits, MemoryArea, ResourceEstimate, WorkerView
from worker.queue import QueuePolicy
from worker.settings import GateSettings, QueueSettings

THUMBNAIL_BYTES = 8_000  # one has 3 kB, twice while its chunk's are put together, and its place in a list


def gate_limits(settings: GateSettings) -> GateLimits:
    thumbnail_bytes = THUMBNAIL_BYTES if settings.thumbnails else 0
    image_bytes = int(settings.image_mb * MB) + thumbnail_bytes
    return GateLimits(
        cpu_pct=100 if settings.cpus is not None else settings.cpu_threshold_pct,  # others use the rest
        memory_pct=settings.memory_threshold_pct,
        memory_high_pct=settings.memory_drain_pct,
        memory_promised_pct=settings.memory_promised_pct or settings.memory_drain_pct,
        window_s=settings.average_s,
        cooldown_s=settings.cooldown_s,
        failed_start_pause_s=settings.failed_start_pause_s,
        chunk_images=settings.chunk_images,
        image_bytes=image_bytes,
        thumbnail_bytes=thumbnail_bytes,
        temp_pct=settings.temp_threshold_pct,
        pressure_pct={"cpu": settings.pressure_cpu_pct, "memory": settings.pressure_memory_pct},
        max_active_chunks=effective_max_chunks(
            settings.active_chunks_max, settings.temp_limit_bytes, settings.chunk_images, image_bytes
        ),
        max_workers=settings.max_workers,
        cpus=settings.cpus,
    )


def limit_figures(limits: GateLimits) -> dict[str, float]:
    """What a host reports of its limits; nothing where there is no maximum."""
    maximum = limits.max_active_chunks
    return {} if maximum is None else {"max_active_chunks": float(maximum)}


def allotted_memory(
    settings: GateSettings, workers: tuple[WorkerView, ...], estimate: ResourceEstimate
) -> tuple[MemoryArea, ...] | None:
    """The workers' own memory against what is allotted to them; None where nothing is: then the host
    counts.
    """
    if settings.memory_mb is None:
        return None
    used_bytes = sum(worker.private_bytes for worker in workers)
    used_bytes += estimate.shared_bytes if any(worker.ready_s is not None for worker in workers) else 0
    return (MemoryArea("the allotment", used_bytes, used_bytes, settings.memory_mb * MB, is_allotment=True),)


def command_policy(settings: QueueSettings) -> QueuePolicy:
    """For a command that can be given again."""
    return replace(queue_policy(settings), waits_for_room=False)


def queue_policy(settings: QueueSettings) -> QueuePolicy:
    return QueuePolicy(
        lease_s=settings.lease_s,
        attempts=settings.attempts,
        backoff_s=settings.backoff_s,
        backoff_most_s=settings.backoff_most_s,
        deadline_near_s=settings.deadline_near_s,
        deadline_urgent_s=settings.deadline_urgent_s,
        patience_s=settings.database_patience_s,
    )
