"""The queue's figures, read only: kept for moments for open pages, in few words for `/health?detail=1`."""

from __future__ import annotations

from functools import partial
from typing import Any

from webapp.serving.kept import KeptReading
from worker.queue.statistics.queue import QueueError, QueueFigures, read_figures

LAST = 20  # events, decisions, dead letters, results

_kept: KeptReading[QueueFigures] = KeptReading(QueueError)


def read_queue_figures(url: str) -> QueueFigures:
    """Raises QueueError."""
    return _kept.get(url, partial(read_figures, url, last=LAST, latest=LAST))


def forget() -> None:
    _kept.forget()


def read_queue_state(url: str) -> dict[str, Any]:
    """As it is now; of a queue that cannot be read why not."""
    try:
        figures = read_figures(url, last=0)
    except QueueError as error:
        return {"error": str(error), "active_chunks": None}
    return {
        "error": None,
        "active_chunks": figures.chunks.get("active", 0),
        "chunks": dict(figures.chunks),
        "paused_chunks": figures.paused,
        "images": dict(figures.images),
        "oldest_pending_s": figures.oldest_pending_s,
        "images_per_s": figures.images_per_s,
        "hosts": sum(host.alive for host in figures.hosts),
        "workers": sum(host.workers for host in figures.hosts if host.alive),
    }
