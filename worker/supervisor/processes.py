"""Worker processes as their supervisor holds them: started, looked at, asked to leave, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.gate.model import ResourceEstimate, WorkerView
from worker.gate.stated_needs import raised, room_of_worker
from worker.queue import NO_NEED, StatedNeed
from worker.runner.worker_status import WorkerStatus, WorkerStatusPage
from worker.supervisor.worker_logs import open_log


@dataclass(eq=False, slots=True)
class WorkerProcess:
    name: str
    process: subprocess.Popen[bytes]
    page: WorkerStatusPage
    log: Path
    started_s: float
    stated: StatedNeed = NO_NEED  # by which it was started for more than was learned
    room: StatedNeed = NO_NEED  # it takes no chunk that needs more
    asked_to_leave_s: float | None = None
    stalled_for_s: float | None = None
    was_stopped: bool = False

    @property
    def status(self) -> WorkerStatus:
        return self.page.read()

    def view(self, status: WorkerStatus, learned: ResourceEstimate | None = None) -> WorkerView:
        return WorkerView(
            name=self.name,
            started_s=self.started_s,
            ready_s=status.ready_s,
            private_bytes=status.private_bytes,
            busy=status.state != "idle",
            draining=self.asked_to_leave_s is not None or status.state == "leaving",
            need=None if learned is None else raised(learned, self.stated),
        )

    def stall_s(self, status: WorkerStatus, now_s: float, load_s: float, most_s: float) -> float | None:
        """How long it has made no progress where that is too long: with a chunk, while loading, or as a whole
        (one that was stopped, and may hold the queue's database). Asks nobody but its page.
        """
        if status.ready_s is None:
            quiet_s, most_s = now_s - self.started_s, load_s
        elif status.chunks:
            quiet_s = now_s - min(status.progress_s, status.written_s)
        else:
            quiet_s = now_s - status.written_s
        return quiet_s if quiet_s > most_s else None

    def ask_to_leave(self) -> None:
        """SIGTERM, once."""
        if self.asked_to_leave_s is None:
            self.asked_to_leave_s = time.monotonic()
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)


def start_worker(
    command: Sequence[str],
    name: str,
    host: str,
    log_folder: Path,
    learned: ResourceEstimate | None = None,
    stated: StatedNeed = NO_NEED,
) -> WorkerProcess:
    """Start `command` with the options of `python -m worker work`, in a session of its own: a Ctrl-C in the
    terminal is for the supervisor, which asks its workers in turn. It is for batches that need no more than
    was `learned`, or `stated`. Raises OSError.
    """
    room = NO_NEED if learned is None else room_of_worker(raised(learned, stated))
    page = WorkerStatusPage.create(name)
    options: dict[str, object] = {
        "name": name, "host": host, "parent": os.getpid(), "page": page.descriptor
    }  # fmt: skip
    options |= {} if room.memory_mb is None else {"memory-mb": room.memory_mb, "cpus": room.cpus}
    try:
        with open_log(log_folder, name) as log:
            process = subprocess.Popen(
                [*command, *(f"--{option}={value}" for option, value in options.items())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(page.descriptor,),
                start_new_session=True,
            )
    except OSError:
        page.close()
        raise
    return WorkerProcess(name, process, page, log_folder / f"{name}.log", time.monotonic(), stated, room)
