"""The queue database of the fleet as far as machines go: they are read, kept for moments; wishes for their
manager are written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from webapp.errors import RequestRefused
from webapp.serving.kept import KeptReading
from webapp.views import wishing
from webapp.views.fleet.reach import queue_address, unread

if TYPE_CHECKING:
    from worker.queue.machines.wishes import MachineWish
    from worker.queue.statistics.machines import FleetMachines

EVENTS = 20

TOO_OLD = "the queue is of a version without machines: `worker enqueue` or `worker run` brings it up to date"


@cache
def _kept() -> KeptReading[FleetMachines | None]:
    from worker.queue.statistics.machines import QueueError  # SQLAlchemy: only where there is a queue to read

    return KeptReading(QueueError)


def read_machines() -> FleetMachines:
    """Moments old. Raises RequestRefused: 404 where the page may not read the queue or it has no
    machines, 503 where it cannot be read.
    """
    url = queue_address("machines")
    from worker.queue.statistics.machines import QueueError, read_fleet_machines

    try:
        found = _kept().get(url, partial(read_fleet_machines, url, last=EVENTS))
    except QueueError as error:
        raise unread(error) from None
    if found is None:
        raise RequestRefused(404, "queue_too_old", TOO_OLD)
    return found


def forget() -> None:
    """What is kept is not true any more."""
    _kept().forget()


def send_wishes(wishes: Sequence[MachineWish]) -> list[MachineWish]:
    """All or none of them, with their numbers. Raises RequestRefused (503)."""
    from worker.queue.machines.wishes import write_wishes

    numbers = wishing.write(lambda url, patience_s: write_wishes(url, wishes, patience_s))
    forget()
    now = time.time()
    return [replace(wish, id=number, asked_at=now) for wish, number in zip(wishes, numbers, strict=True)]
