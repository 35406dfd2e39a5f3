"""The queue's figures for an open page: read, never written, and kept for moments."""

from __future__ import annotations

from functools import partial

from webapp.serving.kept import KeptReading
from worker.queue.statistics.queue import QueueError, QueueFigures, read_figures

LAST = 20  # events, decisions, dead letters, results

_kept: KeptReading[QueueFigures] = KeptReading(QueueError)


def read_queue_figures(url: str) -> QueueFigures:
    """Raises QueueError."""
    return _kept.get(url, partial(read_figures, url, last=LAST, latest=LAST))


def forget() -> None:
    _kept.forget()
