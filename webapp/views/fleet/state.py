"""The queue's state in few figures, for `/health?detail=1`."""

from __future__ import annotations

from typing import Any

from worker.queue.statistics.queue import QueueError, read_figures


def read_queue_state(url: str) -> dict[str, Any]:
    """From the queue's database; of one that cannot be read why not."""
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
