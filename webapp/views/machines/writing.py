"""Wishes for the machine manager, by a database role that may insert them and read but their numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from webapp.errors import RequestRefused
from webapp.serving.context import current_settings
from webapp.views.machines.reading import forget

if TYPE_CHECKING:
    from worker.queue.wishes import MachineWish

_PATIENCE_S = 5.0


def is_on() -> bool:
    return current_settings().wishes_database_url is not None


def send_wishes(wishes: Sequence[MachineWish]) -> list[MachineWish]:
    """All or none of them, with their numbers. Raises RequestRefused (503)."""
    from worker.queue.wishes import QueueError, write_wishes

    url = current_settings().wishes_database_url
    assert url is not None
    try:
        numbers = write_wishes(url, wishes, _PATIENCE_S)
    except QueueError as error:
        raise RequestRefused(503, "cannot_write", str(error), retry_after_s=10) from None
    forget()
    now = time.time()
    return [replace(wish, id=number, asked_at=now) for wish, number in zip(wishes, numbers, strict=True)]
