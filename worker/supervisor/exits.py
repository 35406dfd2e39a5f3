"""What happens when a worker is gone: its death is named, its chunks are freed, and blame is put where it
belongs.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial

from worker.queue import Queue
from worker.runner.exit_status import Death
from worker.runner.worker_status import Vitals
from worker.supervisor.outbox import Clerk
from worker.supervisor.processes import WorkerProcess
from worker.supervisor.worker_logs import last_lines

log = logging.getLogger(__name__)

UNEXPLAINED_KILLS = 3  # of workers that had the same single image: then it is no accident any more


class Fallen:
    """`host_is_proven`: a worker of this host has answered an image. Before, the host may be what kills
    workers (a processor too old, a library that does not load), and images are not charged at once.
    """

    def __init__(self, queue: Queue, clerk: Clerk, host: str) -> None:
        self._queue = queue
        self._clerk = clerk
        self._host = host
        self._unexplained: Counter[tuple[int, int]] = Counter()
        self.host_is_proven = False

    def bury(self, worker: WorkerProcess, vitals: Vitals, death: Death) -> None:
        """Free the chunks at once; every image that was in flight will be tried alone next."""
        self.host_is_proven = self.host_is_proven or vitals.images_done > 0
        text = f"{worker.name} {death.text}"
        if death.in_order:
            log.info("%s%s", text, f": {vitals.leaving_reason}" if vitals.leaving_reason else "")
        else:
            log.error("%s; it said last:\n%s", text, last_lines(worker.log))
        flying = any(chunk.in_flight for chunk in vitals.chunks)
        for chunk in vitals.chunks:
            concerned = bool(chunk.in_flight) or not flying  # not one that was only claimed ahead
            self._clerk.send(
                partial(
                    self._queue.crash,
                    chunk.chunk,
                    chunk.token,
                    chunk.in_flight,
                    f"the worker {death.text}",
                    concerned and self._blames(death, chunk.chunk, chunk.in_flight),
                ),
                urgent=True,
            )
        self._clerk.send(partial(self._queue.free, worker.name, f"the worker {death.text}"), urgent=True)
        if not vitals.chunks:
            kind = "left" if death.in_order else "crashed"
            reason = f": {vitals.leaving_reason}" if vitals.leaving_reason else ""
            self._clerk.send(partial(self._queue.add_event, kind, text + reason, self._host, worker.name))

    def _blames(self, death: Death, chunk: int, in_flight: tuple[int, ...]) -> bool:
        explained = death.blames and self.host_is_proven
        if explained or len(in_flight) != 1:
            return explained
        image = (chunk, in_flight[0])
        self._unexplained[image] += 1
        return self._unexplained[image] >= UNEXPLAINED_KILLS
