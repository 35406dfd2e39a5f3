"""Worker processes as a supervisor holds them: started, looked at, asked to leave, ended; with their output.

Every worker has a file of its name, rotated, that nobody needs to read for it to run. It writes to the file
itself, so neither a full pipe nor a dead supervisor can stop it. Rotation copies and truncates, because the
worker keeps its descriptor (opened for appending, it goes on at the new end).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cloud_monitor.system.files import create_file, make_folder
from worker.gate.model import ResourceEstimate, WorkerView
from worker.gate.stated_needs import raised, room_of_worker
from worker.queue import NO_NEED, StatedNeed
from worker.runner.worker_status import WorkerStatus, WorkerStatusPage


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


def open_log(folder: Path, name: str) -> BinaryIO:
    make_folder(folder)
    path = folder / f"{name}.log"
    create_file(path)
    return path.open("ab", buffering=0)


def rotate_log(path: Path, most_bytes: int, files: int) -> None:
    """When the file has grown past `most_bytes`: NAME.log.1 is the newest of at most `files` old ones."""
    if not path.exists() or path.stat().st_size <= most_bytes:
        return
    for number in range(files - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    newest = path.with_name(f"{path.name}.1")
    try:
        create_file(newest)
        shutil.copyfile(path, newest)
    except OSError:  # a full disk: the log goes, the worker stays
        newest.unlink(missing_ok=True)
    with path.open("r+b") as log:
        log.truncate()


def last_lines(path: Path, lines: int = 5, most_bytes: int = 4096) -> str:
    """The end of the log: what a crashed worker said last."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - most_bytes))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def prune_logs(folder: Path, keep: int) -> None:
    """Keep the newest `keep` files: worker names are new with each start, and the folder must not grow for
    ever. What another supervisor removes meanwhile, or nobody may, is left for the next time.
    """
    with suppress(OSError):
        logs = sorted(folder.glob("*.log*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for log in logs[keep:]:
            log.unlink(missing_ok=True)
