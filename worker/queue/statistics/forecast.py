"""When each batch will be ready, by the queue's present pace and the order of its claims. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.queue.statistics.figures import BatchFigures, ChunkFigures, QueueFigures


@dataclass(frozen=True, slots=True)
class Forecast:
    """`ready_at` is None where nothing moves, or the batch is paused; `images_per_s` is its share of the
    pace.
    """

    left: int
    ready_at: float | None
    images_per_s: float
    waits_for: str = ""  # the batch that is read before this one


def left_of(batch: BatchFigures) -> int:
    """Images without a result that may still get one."""
    return batch.images["pending"] + batch.images["active"]


def forecast(figures: QueueFigures) -> Mapping[str, Forecast]:
    """By name of the batch. Batches are read in the order in which their chunks are claimed, all that is left
    of one before the next; paused ones are left out.
    """
    shares = _shares(figures.active)
    found: dict[str, Forecast] = {}
    ahead, before = 0, ""
    for batch in in_order(figures.batches):
        left = left_of(batch)
        pace = figures.images_per_s * shares.get(batch.name, 0.0)
        if batch.paused or not left:
            found[batch.name] = Forecast(left, None, pace if left else 0.0)
            continue
        ahead += left
        ready_at = figures.at + ahead / figures.images_per_s if figures.images_per_s > 0 else None
        waits_for = "" if batch.name in shares else before
        found[batch.name] = Forecast(left, ready_at, pace, waits_for)
        before = batch.name
    return found


def in_order(batches: Sequence[BatchFigures]) -> list[BatchFigures]:
    """As they are claimed, but for what a near deadline changes: the figures have the newest first."""
    oldest_first = list(reversed(batches))
    return sorted(
        oldest_first,
        key=lambda batch: (-batch.priority, batch.deadline is None, batch.deadline or 0.0),
    )


def _shares(active: Sequence[ChunkFigures]) -> Mapping[str, float]:
    """Of the pace, by batch: each active chunk has as much."""
    counts: dict[str, int] = {}
    for chunk in active:
        counts[chunk.batch] = counts.get(chunk.batch, 0) + 1
    return {name: count / len(active) for name, count in counts.items()}
