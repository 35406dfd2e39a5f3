"""What happens when a worker is gone: its exit is explained, its chunks are freed, and images that may be the
cause are counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial

from worker.queue import Queue
from worker.runner.worker_status import WorkerExit, WorkerStatus
from worker.supervisor.outbox import Outbox
from worker.supervisor.processes import WorkerProcess, last_lines

log = logging.getLogger(__name__)

UNEXPLAINED_KILLS = 3  # of workers that had the same single image: then it is no accident any more


class ExitHandler:
    """`host_is_proven`: a worker of this host has answered an image. Before, the host may be what kills
    workers (a processor too old, a library that does not load), and no image is counted at once.
    """

    def __init__(self, queue: Queue, outbox: Outbox, host: str) -> None:
        self._queue = queue
        self._outbox = outbox
        self._host = host
        self._unexplained: Counter[tuple[int, int]] = Counter()
        self.host_is_proven = False

    def handle(self, worker: WorkerProcess, status: WorkerStatus, ended: WorkerExit) -> None:
        """Free the chunks at once; every image that was in flight will be tried alone next."""
        self.host_is_proven = self.host_is_proven or status.images_done > 0
        text = f"{worker.name} {ended.text}"
        if ended.in_order:
            log.info("%s%s", text, f": {status.leaving_reason}" if status.leaving_reason else "")
        else:
            log.error("%s; it said last:\n%s", text, last_lines(worker.log))
        flying = any(chunk.in_flight for chunk in status.chunks)
        for chunk in status.chunks:
            concerned = bool(chunk.in_flight) or not flying  # not one that was only claimed ahead
            self._outbox.send(
                partial(
                    self._crash,
                    chunk.chunk,
                    chunk.token,
                    chunk.in_flight,
                    f"the worker {ended.text}",
                    concerned and self._is_cause(ended, chunk.chunk, chunk.in_flight),
                ),
                urgent=True,
            )
        self._outbox.send(partial(self._queue.free, worker.name, f"the worker {ended.text}"), urgent=True)
        if not status.chunks:
            kind = "left" if ended.in_order else "crashed"
            reason = f": {status.leaving_reason}" if status.leaving_reason else ""
            self._outbox.send(partial(self._queue.add_event, kind, text + reason, self._host, worker.name))

    def _crash(self, chunk: int, token: int, in_flight: tuple[int, ...], error: str, is_cause: bool) -> None:
        self._outbox.given_up += self._queue.crash(chunk, token, in_flight, error, is_cause)

    def _is_cause(self, ended: WorkerExit, chunk: int, in_flight: tuple[int, ...]) -> bool:
        explained = ended.images_may_be_cause and self.host_is_proven
        if explained or len(in_flight) != 1:
            return explained
        image = (chunk, in_flight[0])
        self._unexplained[image] += 1
        return self._unexplained[image] >= UNEXPLAINED_KILLS
