"""The queue's figures for an open page, kept for moments: a page asks every few seconds, and so may many.

What is kept is the older the longer the queue takes to tell, so that pages are a small part of its work.
"""

from __future__ import annotations

import threading
import time

from worker.queue.statistics import QueueFigures, read_figures

KEPT_S = 2.0
KEPT_TIMES = 20  # as long as it took to read
LAST = 20  # events, decisions, dead letters, results

_lock = threading.Lock()
_kept: dict[str, tuple[float, QueueFigures]] = {}  # until when, by the monotonic clock


def read_queue_figures(url: str) -> QueueFigures:
    """Raises QueueError."""
    with _lock:
        until_s, figures = _kept.get(url, (0.0, None))
        began_s = time.monotonic()
        if figures is not None and began_s < until_s:
            return figures
        read = read_figures(url, last=LAST, latest=LAST)
        ended_s = time.monotonic()
        _kept.clear()
        _kept[url] = (ended_s + max(KEPT_S, KEPT_TIMES * (ended_s - began_s)), read)
        return read
