"""Has the recogniser's model made ready on this host, in a process of its own, before the first worker.

Fetching and converting take memory that recognising never takes again, and fail in ways (no package index, a
full disk) that no chunk and no image is the cause of.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from worker.gate.admission import pause_s
from worker.runner.worker_status import explain_exit
from worker.supervisor.processes import last_lines, open_log

log = logging.getLogger(__name__)

NOTABLE_S = 3.0  # a look at a model that is ready takes less, and is no event
STOP_S = 5.0


class Preparation:
    """`command` makes the model ready, or ends at once where it is; it is tried again until it has, with
    pauses that double from `first_pause_s`. None: there is nothing to prepare.
    """

    def __init__(
        self,
        command: Sequence[str] | None,
        log_file: Path,
        first_pause_s: float,
        longest_s: float,
        tell: Callable[[str, str], None],
    ) -> None:
        self._command = command
        self._log_file = log_file
        self._first_pause_s = first_pause_s
        self._longest_s = longest_s
        self._tell = tell
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._told = False
        self._failures_s: tuple[float, ...] = ()
        self._failure = ""
        self._ready = command is None

    def look(self, oom_kills: int) -> str:
        """Start it, or see how it goes; why no worker may start yet, "" when the model is ready. `oom_kills`
        is how many the kernel did lately.
        """
        now_s = time.monotonic()
        if self._process is not None:
            self._see(self._process, now_s, oom_kills)
        elif not self._ready and now_s >= self._next_s:
            self._start(now_s)
        return self._why(now_s)

    def stop(self) -> None:
        """End it; what it has fetched is kept for the next one."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    @property
    def _next_s(self) -> float:
        """When it is tried again; at once for the first time."""
        if not self._failures_s:
            return 0
        return self._failures_s[-1] + pause_s(self._failures_s, self._first_pause_s)

    def _start(self, now_s: float) -> None:
        assert self._command is not None
        self._started_s, self._told = now_s, False
        try:
            with open_log(self._log_file.parent, self._log_file.stem) as output:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # it has children (pip), which end with it
                )
        except OSError as error:
            self._fail(now_s, f"it could not be started: {error}")

    def _see(self, process: subprocess.Popen[bytes], now_s: float, oom_kills: int) -> None:
        took_s = now_s - self._started_s
        if process.poll() is None:
            if took_s > self._longest_s:
                self._signal(signal.SIGKILL)
                process.wait()
                self._process = None
                self._fail(now_s, f"it was ended after {took_s:.0f} s")
            elif took_s > NOTABLE_S and not self._told:
                self._told = True
                self._tell("preparing", f"preparing the model; {self._log_file} has the details")
            return
        self._process = None
        if process.returncode == 0:
            self._ready = True
            if self._told:
                self._tell("prepared", f"the model is ready after {took_s:.0f} s")
            return
        said = last_lines(self._log_file, 1).removeprefix("error: ")
        ended = explain_exit(process.returncode, oom_kills, None)
        self._fail(
            now_s, said if ended.name == "exit 1" and said else f"it {ended.text}; it said last: {said}"
        )

    def _fail(self, now_s: float, why: str) -> None:
        self._failures_s = (*self._failures_s, now_s)
        self._failure = why
        self._tell("not_prepared", f"the model could not be prepared: {why}")

    def _why(self, now_s: float) -> str:
        if self._ready:
            return ""
        if self._process is None:
            wait_s = max(0.0, self._next_s - now_s)
            return f"the model could not be prepared ({self._failure}): next try in {wait_s:.0f} s"
        said = last_lines(self._log_file, 1).rpartition(": ")[2] if self._told else ""
        return f"the model is being prepared{f': {said}' if said else ''}"

    def _signal(self, number: int) -> None:
        """To the process and its children; it is not reaped yet, so its number is nobody else's."""
        assert self._process is not None
        os.killpg(self._process.pid, number)
