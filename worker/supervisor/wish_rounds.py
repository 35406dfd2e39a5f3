"""What is asked of batches from outside, looked for by every supervisor: changes are made at once, in the
thread that talks to the queue; submissions by a child, which takes as long as their listing does.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from worker.exit_codes import NOTHING_TO_SUBMIT
from worker.queue import Queue, QueueUnavailable
from worker.queue.batch_wishes.work import (
    forget_sources,
    make_next_change,
    read_open,
    report_sources,
)
from worker.supervisor.processes import open_log, rotate_log

log = logging.getLogger(__name__)

REPORT_EVERY_S = 10.0
PAUSE_S = 10.0  # after a fault, or where a submission is another host's
STOP_S = 5.0  # that a submission's child has to give back what it is at
LOG_BYTES, LOG_FILES = 1_000_000, 3


class WishRounds:
    """`command` starts the child, when given the options of `carry-out`; `sources` as
    WORKER_SUBMIT_SOURCES has them: none, no child.
    """

    def __init__(
        self, queue: Queue, host: str, sources: Sequence[str], command: Sequence[str], log_folder: Path
    ) -> None:
        self._queue = queue
        self._host = host
        self._sources = sources
        self._command = command
        self._log_folder = log_folder
        self._child: subprocess.Popen[bytes] | None = None
        self._reported_s: float | None = None
        self._next_child_s = 0.0
        self._next_change_s = 0.0
        self._is_over = False

    def round(self) -> bool:
        """Whether something is asked for that this host does, or may yet. Raises QueueUnavailable."""
        if self._is_over:
            return False
        now_s = time.monotonic()
        if self._reported_s is None or now_s - self._reported_s > REPORT_EVERY_S:
            report = partial(report_sources, host=self._host, prefixes=self._sources)
            self._queue.database.write(report)
            self._reported_s = now_s
        found = self._queue.database.read(read_open)
        if found.changes and now_s >= self._next_change_s:
            self._make_changes()
        waits = bool(found.submissions and self._sources)
        self._see_child(now_s)
        if waits and self._child is None and now_s >= self._next_child_s:
            self._start_child(now_s)
        return self._child is not None or waits or bool(found.changes)

    def stop(self) -> None:
        """What the child is at is given back. Raises QueueUnavailable."""
        self._is_over = True
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._child = None
        if self._reported_s is not None:
            self._reported_s = None
            self._queue.database.write(partial(forget_sources, host=self._host))

    def _make_changes(self) -> None:
        make = partial(make_next_change, policy=self._queue.policy, host=self._host)
        try:
            while (made := self._queue.database.write(make)) is not None:
                log.info("%s %s for %s: %s", made.kind, made.batch, made.asked_by, made.outcome)
        except QueueUnavailable:
            raise
        except Exception:
            log.exception("what was asked of a batch could not be done")
            self._next_change_s = time.monotonic() + PAUSE_S

    def _see_child(self, now_s: float) -> None:
        if self._child is None or (code := self._child.poll()) is None:
            return
        self._child = None
        if code not in (0, NOTHING_TO_SUBMIT):
            log.warning("submitting ended with exit code %s: %s says more", code, self._log_path)
        if code:
            self._next_child_s = now_s + PAUSE_S

    @property
    def _log_path(self) -> Path:
        return self._log_folder / f"{self._host}-submit.log"

    def _start_child(self, now_s: float) -> None:
        try:
            with suppress(OSError):
                rotate_log(self._log_path, LOG_BYTES, LOG_FILES)
            with open_log(self._log_folder, self._log_path.stem) as output:
                self._child = subprocess.Popen(
                    [*self._command, f"--parent={os.getpid()}", f"--host={self._host}"],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # a Ctrl-C is for the supervisor
                )
        except OSError as error:
            log.warning("submitting could not be started: %s", error)
            self._next_child_s = now_s + PAUSE_S
