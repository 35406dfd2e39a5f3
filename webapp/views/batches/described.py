"""Batches and what is asked of them, for programs and for sentences."""

from __future__ import annotations

from typing import Any

from cloud_monitor.system.text import format_number
from webapp.errors import RequestRefused
from webapp.views.batches.reading import read_asked_now
from webapp.views.fleet.reach import queue_address
from webapp.views.fleet.reading import read_queue_figures
from worker.queue.batch_wishes.wishes import BatchWish
from worker.queue.statistics.batch_wishes import AskedOfBatches, QueueError
from worker.queue.statistics.batches import forecast
from worker.queue.statistics.queue import BatchFigures, QueueFigures


def read_batches() -> QueueFigures:
    """Raises RequestRefused: 404 where the page may not read the queue, 503 where it cannot."""
    try:
        return read_queue_figures(queue_address())
    except QueueError as error:
        raise RequestRefused(503, "cannot_read", str(error), retry_after_s=10) from None


def open_submission(found: AskedOfBatches, name: str) -> str | None:
    """How it stands and who asked; None where none is open."""
    for wish in found.wishes:
        if wish.kind == "submit" and wish.done_at is None and wish.batch == name:
            return f"asked for by {wish.asked_by} (wish {wish.id}), {found.state_of(wish)}"
    return None


def state_text(batch: BatchFigures) -> str:
    images = batch.images
    parts = [f"{format_number(sum(images.values()))} pictures", f"{format_number(images['done'])} read"]
    parts += [f"{format_number(images[name])} {name}" for name in ("failed", "cancelled") if images[name]]
    return f"{', '.join(parts)}{', paused' if batch.paused else ''}, from {batch.source}"


def describe_batches() -> dict[str, Any]:
    figures = read_batches()
    times = forecast(figures)
    try:
        asked = read_asked_now()
        wishes = [describe_wish(wish, asked.state_of(wish)) for wish in asked.wishes]
    except RequestRefused as refused:
        if refused.status != 409:  # an older queue has batches all the same
            raise
        wishes = []
    return {
        "as_of": figures.at,
        "is_held": figures.hold is not None,
        "batches": [
            {
                "name": batch.name,
                "source": batch.source,
                "priority": batch.priority,
                "deadline": batch.deadline,
                "is_paused": batch.paused,
                "submitted_at": batch.created_at,
                "ended_at": batch.ended_at,
                "ready_at": times[batch.name].ready_at,
                "images": dict(batch.images),
                "chunks": dict(batch.chunks),
                "doubtful": batch.doubtful,
            }
            for batch in figures.batches
        ],
        "wishes": wishes,
    }


def describe_wish(wish: BatchWish, state: str) -> dict[str, Any]:
    return {
        "id": wish.id,
        "kind": wish.kind,
        "batch": wish.batch,
        "details": dict(wish.details),
        "asked_by": wish.asked_by,
        "asked_at": wish.asked_at,
        "done_at": wish.done_at,
        "outcome": wish.outcome,
        "state": state,
        "is_open": wish.done_at is None,
        "is_refused": wish.is_refused,
    }
