"""The fleet's machines out of its queue database, for the page and for programs: read only, kept for moments.

An open page asks every few seconds, and so may many: the queue is asked once for all of them.
"""

from __future__ import annotations

import threading
import time

from webapp.errors import RequestRefused
from webapp.serving.context import current_settings
from worker.queue.machine_statistics import FleetMachines, QueueError, read_fleet_machines

KEPT_S = 2.0
EVENTS = 20

READ_OFF = (
    "machines are not shown: WEBAPP_FLEET_DATABASE_URL is not set; name there the queue database of the "
    "worker fleet, with a role that may only read"
)
WRITE_OFF = (
    "machines cannot be changed here: WEBAPP_WISHES_DATABASE_URL is not set; name there the queue "
    "database by a role that may only insert wishes and events (docs/machines.md)"
)
TOO_OLD = "the queue is of a version without machines: `worker enqueue` or `worker run` brings it up to date"

_lock = threading.Lock()
_kept: dict[str, tuple[float, FleetMachines]] = {}


def is_on() -> bool:
    return current_settings().fleet_database_url is not None


def read_machines() -> FleetMachines:
    """At most KEPT_S old. Raises RequestRefused: 404 where the page may not read the queue or it has no
    machines, 503 where it cannot be read.
    """
    url = current_settings().fleet_database_url
    if url is None:
        raise RequestRefused(404, "fleet_off", READ_OFF)
    with _lock:
        kept_s, found = _kept.get(url, (0.0, None))
        if found is not None and time.monotonic() - kept_s < KEPT_S:
            return found
        try:
            read = read_fleet_machines(url, last=EVENTS)
        except QueueError as error:
            raise RequestRefused(503, "cannot_read", str(error), retry_after_s=10) from None
        if read is None:
            raise RequestRefused(404, "queue_too_old", TOO_OLD)
        _kept.clear()
        _kept[url] = (time.monotonic(), read)
        return read


def forget() -> None:
    """What is kept is not true any more."""
    with _lock:
        _kept.clear()
