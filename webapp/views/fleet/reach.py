"""The queue's database for pages: whether there is one, and what is said when it cannot be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from webapp.errors import RequestRefused
from webapp.serving.context import current_settings
from webapp.serving.kept import KeptFault

Found = TypeVar("Found")

HOW = (
    "WEBAPP_FLEET_DATABASE_URL is not set; name there the queue database of the worker fleet, with a role "
    "that may only read"
)
NO_BATCH = "There is no such batch; /fleet shows those there are."
NO_RESULT = "There is no such result; /fleet shows the batches there are."
_faults = KeptFault()


def queue_address(what: str = "batches") -> str:
    """Raises RequestRefused (404) where no queue is set that `what` could be read from."""
    url = current_settings().fleet_database_url
    if url is None:
        raise RequestRefused(404, "fleet_off", f"{what} are not shown: {HOW}")
    return url


def read_or_refuse(read: Callable[[], Found | None], code: str, missing: str) -> Found:
    """What is read. Raises RequestRefused: 503 where the queue or the reviews cannot be read, 404 for
    nothing.

    While the queue's database does not answer, requests do not wait for it in turn.
    """
    from worker.review import QueueError, QueueUnavailable  # SQLAlchemy: only where it is asked for

    try:
        found = _faults.run(current_settings().fleet_database_url, read, QueueUnavailable)
    except QueueError as error:
        raise unread(error) from None
    except sqlite3.Error as error:  # a queue's are QueueError
        raise reviews_unreadable(error) from None
    if found is None:
        raise RequestRefused(404, code, missing)
    return found


def unread(error: object) -> RequestRefused:
    return RequestRefused(503, "cannot_read", str(error), retry_after_s=10)


def reviews_unreadable(error: sqlite3.Error) -> RequestRefused:
    return unread(f"the reviews cannot be read: {error}")
