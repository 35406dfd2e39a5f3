"""Wishes for the machine manager."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from webapp.views import wishing
from webapp.views.machines.reading import forget

if TYPE_CHECKING:
    from worker.queue.machines.wishes import MachineWish


def send_wishes(wishes: Sequence[MachineWish]) -> list[MachineWish]:
    """All or none of them, with their numbers. Raises RequestRefused (503)."""
    from worker.queue.machines.wishes import write_wishes

    numbers = wishing.write(lambda url, patience_s: write_wishes(url, wishes, patience_s))
    forget()
    now = time.time()
    return [replace(wish, id=number, asked_at=now) for wish, number in zip(wishes, numbers, strict=True)]
