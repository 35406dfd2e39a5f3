"""The queue's database for pages of single results: whether there is one, and what is said when it cannot be
read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from webapp.errors import RequestRefused
from webapp.serving.context import current_settings

Found = TypeVar("Found")

OFF = (
    "batches are not shown: WEBAPP_FLEET_DATABASE_URL is not set; name there the queue database of the "
    "worker fleet, with a role that may only read"
)
NO_BATCH = "There is no such batch; /fleet shows those there are."
NO_RESULT = "There is no such result; /fleet shows the batches there are."


def queue_address() -> str:
    """Raises RequestRefused (404) where no queue is set."""
    url = current_settings().fleet_database_url
    if url is None:
        raise RequestRefused(404, "fleet_off", OFF)
    return url


def read_or_refuse(read: Callable[[], Found | None], code: str, missing: str) -> Found:
    """What is read. Raises RequestRefused: 503 where the queue cannot be read, 404 for nothing."""
    from worker.review import QueueError  # SQLAlchemy: only where it is asked for

    try:
        found = read()
    except QueueError as error:
        raise RequestRefused(503, "cannot_read", str(error), retry_after_s=10) from None
    if found is None:
        raise RequestRefused(404, code, missing)
    return found
