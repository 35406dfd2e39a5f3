"""Wishes for those who act on the queue, written by a database role that may insert them and read but their
numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from webapp.errors import RequestRefused
from webapp.serving.context import current_settings
from webapp.serving.identity import obstacle_to_changes
from webapp.views.fleet.reach import queue_address

Written = TypeVar("Written")

PATIENCE_S = 5.0
HOW = (
    "WEBAPP_WISHES_DATABASE_URL is not set; name there the queue database by a role that may only insert "
    "wishes and events (docs/machines.md)"
)


def is_on() -> bool:
    return current_settings().wishes_database_url is not None


def check_on(what: str) -> None:
    """Raises RequestRefused: 409 with the remedy, where nothing can be asked of `what`."""
    if not is_on():
        raise RequestRefused(409, "wishes_off", f"nothing can be asked of {what} here: {HOW}")
    try:
        queue_address(what)
    except RequestRefused as refused:
        raise RequestRefused(409, refused.code, refused.message) from None


class MayAsk(NamedTuple):
    """Whether whoever looks at the page at hand may ask for anything; where nobody may, no word of it."""

    is_changeable: bool
    obstacle: str = ""  # what keeps this one from it, and what is to be done


def may_ask() -> MayAsk:
    if not is_on() or current_settings().fleet_database_url is None:
        return MayAsk(is_changeable=False)
    obstacle = obstacle_to_changes()
    return MayAsk(not obstacle, obstacle)


def write(insert: Callable[[str, float], Written]) -> Written:
    """What `insert` gives, called with the database's URL and how long it may try. Raises RequestRefused
    (503).
    """
    from worker.queue.machines.wishes import QueueError  # SQLAlchemy: only where something is asked for

    url = current_settings().wishes_database_url
    assert url is not None
    try:
        return insert(url, PATIENCE_S)
    except QueueError as error:
        text = f"{error} (docs/machines.md has what the role needs)"
        raise RequestRefused(503, "cannot_write", text, retry_after_s=10) from None
