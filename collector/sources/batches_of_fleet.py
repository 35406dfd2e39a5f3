"""The fleet's batches as the queue's figures show them (pure): which are sent, and what of each.

Those with work left come first, in the order in which they are read, then those that ended within ENDED_S,
the last one first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cloud_monitor.metrics.catalog import UNITS
from cloud_monitor.metrics.paths import build_path, clean
from worker.queue.statistics.batches import BatchHistory, Forecast, forecast, in_order, left_of
from worker.queue.statistics.queue import BatchFigures, QueueFigures

ENDED_S = 3600.0  # so long the figures of a batch are sent after its end
_BYTES_IN_MB = UNITS["MB"].factor


def sent_batches(figures: QueueFigures, batches_max: int) -> tuple[BatchFigures, ...]:
    """Of one run."""
    return _candidates(figures)[:batches_max]


def _candidates(figures: QueueFigures) -> tuple[BatchFigures, ...]:
    left = [batch for batch in in_order(figures.batches) if left_of(batch)]
    running = [batch for batch in left if batch.chunks["active"]]
    waiting = [batch for batch in left if not batch.chunks["active"]]
    ended = [
        batch
        for batch in figures.batches
        if not left_of(batch) and batch.ended_at is not None and figures.at - batch.ended_at <= ENDED_S
    ]
    ended.sort(key=lambda batch: -(batch.ended_at or 0.0))
    return (*running, *waiting, *ended)


def batch_values(
    grid: str, figures: QueueFigures, histories: Mapping[str, BatchHistory], batches_max: int
) -> Iterator[tuple[str, float]]:
    """What has no value now is left out."""
    times = forecast(figures)
    for batch in sent_batches(figures, batches_max):
        names = {"grid": grid, "batch": clean(batch.name)}
        for figure, value in _figures(batch, times[batch.name], histories.get(batch.name), figures.at):
            if value is not None:
                yield build_path(f"fleet_batch_{figure}", **names), value
    yield (
        build_path("fleet_overflow", grid=grid, names="batches"),
        max(0, len(_candidates(figures)) - batches_max),
    )


def _figures(
    batch: BatchFigures, found: Forecast, history: BatchHistory | None, at: float
) -> Iterator[tuple[str, float | None]]:
    yield "images", sum(batch.images.values())
    yield "waiting", found.left
    yield "read", batch.images["done"]
    yield "failed", batch.images["failed"]
    yield "doubtful", batch.doubtful
    yield "images_per_s", found.images_per_s
    yield "paused", batch.paused
    remaining_s = 0.0 if not found.left else None if found.ready_at is None else found.ready_at - at
    yield "remaining_s", remaining_s
    if batch.deadline is not None and found.left:
        yield "deadline_s", batch.deadline - at
        yield "margin_s", None if found.ready_at is None else batch.deadline - found.ready_at
    yield "met", batch.met
    yield "missed", batch.missed
    yield "cpu_s", batch.cpu_s
    if history is not None:
        yield "claims", history.attempts
        yield "retries", history.retries
        yield "wall_s", history.wall_s
        yield "peak_memory_mb", history.peak_memory_bytes / _BYTES_IN_MB
        yield "cost", history.cost
