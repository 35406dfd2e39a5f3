"""What is asked of batches, out of the queue's database, kept for moments."""

from __future__ import annotations

from functools import partial

from webapp.errors import RequestRefused
from webapp.serving.kept import KeptReading
from webapp.views.batches.shown import AskedView, asked_view
from webapp.views.fleet.reach import queue_address, unread
from webapp.views.fleet.reading import read_queue_figures
from webapp.views.wishing import may_ask
from worker.queue.batch_wishes.wishes import BatchWish
from worker.queue.statistics.batch_wishes import (
    AskedOfBatches,
    QueueError,
    find_batch,
    find_wish,
    read_asked,
)
from worker.queue.statistics.queue import BatchFigures, QueueFigures

TOO_OLD = "the queue is of a version that is not asked so: `worker run` of this version brings it up to date"

_kept: KeptReading[AskedOfBatches | None] = KeptReading(QueueError)


def read_asked_now() -> AskedOfBatches:
    """Moments old. Raises RequestRefused: 404 where the page may not read the queue, 409 of an older queue,
    503 where it cannot be read.
    """
    url = queue_address()
    try:
        found = _kept.get(url, partial(read_asked, url))
    except QueueError as error:
        raise unread(error) from None
    if found is None:
        raise RequestRefused(409, "queue_too_old", TOO_OLD)
    return found


def read_batches() -> tuple[QueueFigures, AskedOfBatches | None]:
    """Moments old, with what is asked of them; None for that where the queue is older, which has batches all
    the same. Raises RequestRefused: 404 where the page may not read the queue, 503 where it cannot be read.
    """
    try:
        figures = read_queue_figures(queue_address())
    except QueueError as error:
        raise unread(error) from None
    try:
        return figures, read_asked_now()
    except RequestRefused as refused:
        if refused.status != 409:
            raise
        return figures, None


def shown_asked(batch: BatchFigures | None = None) -> AskedView | None:
    """For a page; None where the queue is not asked so, or cannot be read now."""
    try:
        return asked_view(read_asked_now(), may_ask(), batch)
    except RequestRefused:
        return None


def find(number: int | None = None, asked_by: str = "", key: str = "") -> tuple[BatchWish, str] | None:
    """As find_wish, of this moment. Raises RequestRefused (404, 503)."""
    try:
        return find_wish(queue_address(), number, asked_by, key)
    except QueueError as error:
        raise unread(error) from None


def look_up_batch(name: str) -> BatchFigures | None:
    """Of this moment. Raises RequestRefused (404, 503)."""
    try:
        return find_batch(queue_address(), name)
    except QueueError as error:
        raise unread(error) from None


def forget() -> None:
    """What is kept is not true any more."""
    _kept.forget()
