"""Watches over one worker process, in a thread of its own: signals, its supervisor, its memory, and its
leaving.

Nothing here waits for the recogniser, the database or the storage, so it works while any of them hangs.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from cloud_monitor.system.usage import read_process_memory
from worker.gate.model import MB
from worker.runner.active_chunks import ActiveChunks
from worker.runner.worker_status import EXIT_LATE, EXIT_LEFT

log = logging.getLogger(__name__)

ROUND_S = 0.5
LEAVE_AT_MOST_S = (
    23.0  # from the wish to leave to the end of the process: under the 25 s that a spot eviction leaves
)


class Watchdog:
    """Sets `leaving` when it is time to go. `give_up` stores and gives back what is held while the recogniser
    hangs; `clean_up` removes temporary files; both are called here only where the process ends here.
    """

    def __init__(
        self,
        active: ActiveChunks,
        leaving: threading.Event,
        parent: int,
        most_private_bytes: int,
        drain_s: float,
    ) -> None:
        self._active = active
        self._leaving = leaving
        self._parent = parent
        self._most_private_bytes = most_private_bytes
        self._drain_s = drain_s
        self._left_since_s: float | None = None
        self.give_up: Callable[[], None] = lambda: None
        self.clean_up: Callable[[], None] = lambda: None
        self._wake_read, self._wake_write = os.pipe()

    def start(self) -> None:
        """Must be called by the main thread. A signal wakes this thread even while the main one is in native
        code."""
        os.set_blocking(self._wake_write, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write)
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def leave(self, reason: str) -> None:
        if not self._leaving.is_set():
            log.info("leaving: %s", reason)
        self._active.set_state("leaving", leaving_reason=reason)
        self._leaving.set()

    def end(self, code: int) -> NoReturn:
        """At once, whatever other threads still wait for."""
        self.clean_up()
        logging.shutdown()
        os._exit(code)

    def _run(self) -> None:
        while True:
            if select.select([self._wake_read], [], [], ROUND_S)[0]:
                os.read(self._wake_read, 64)
                self.leave("asked to by a signal")
            if os.getppid() != self._parent:
                self.leave("its supervisor is gone")
            self._see_memory()
            if self._leaving.is_set():
                self._see_it_end(time.monotonic())

    def _see_memory(self) -> None:
        memory = read_process_memory(os.getpid())
        if memory is None:
            return
        self._active.note_memory(memory.rss_bytes, memory.private_bytes, memory.file_bytes)
        if memory.private_bytes > self._most_private_bytes and self._active.is_ready:
            self._active.set_outgrown()
            self.leave(
                f"its memory is at {memory.private_bytes / MB:,.0f} MB, "
                f"over {self._most_private_bytes / MB:,.0f} MB"
            )

    def _see_it_end(self, now_s: float) -> None:
        """The main thread has the first `drain_s` for itself; then what it has is saved; then it is over."""
        if self._left_since_s is None:
            self._left_since_s = now_s
            threading.Thread(target=self._end_at_deadline, name="deadline", daemon=True).start()
        if not self._active.is_ready:
            self.end(EXIT_LEFT)  # still loading: there is nothing to save
        if now_s - self._left_since_s > self._drain_s:
            log.warning("images in the recogniser are given back: they take too long")
            self.give_up()
            self.end(EXIT_LEFT)

    def _end_at_deadline(self) -> None:
        time.sleep(LEAVE_AT_MOST_S)
        log.error("could not store and give back everything in time: the leases run out by themselves")
        self.end(EXIT_LATE)
