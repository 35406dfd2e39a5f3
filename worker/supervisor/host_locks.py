"""What the supervisors of one host settle: whose worker warms up, and who has the host's name."""

from __future__ import annotations

import logging
import os
import socket
import stat
from pathlib import Path

from cloud_monitor.system.files import make_folder
from cloud_monitor.system.locks import FileLock, take_lock
from worker.errors import WorkerError

log = logging.getLogger(__name__)
OFF = "off"


class WarmUpLock:
    """Held by the supervisor whose worker warms up: what one that loads is going to take is known to its own
    supervisor alone. Who wants the lock has to wait at the one place in front of it first, so that who has
    just had it does not go before who waits.

    Both are locks on files in the state folder that its user alone may open; the kernel frees them with the
    process that has them. Supervisors with other state folders are not waited for.
    """

    def __init__(self, group: str, folder: Path) -> None:
        self._path = None if group == OFF else folder / f"warm-up.{group}.lock"
        self._held: FileLock | None = None
        self._waiting: FileLock | None = None
        self._is_told = False

    def acquire(self) -> bool:
        """Whether it is ours now; if not, we may be the next. Where its files cannot be had nobody is waited
        for: that is told once.
        """
        if self._path is None or self._held is not None:
            return True
        try:
            return self._take(self._path)
        except OSError as error:
            if not self._is_told:
                log.warning(
                    "%s: %s: other supervisors of this host are not waited for",
                    error.filename,
                    error.strerror,
                )
            self._is_told = True
            return True

    def _take(self, path: Path) -> bool:
        self._waiting = self._waiting or take_lock(path.with_suffix(".next"))
        if self._waiting is None:
            return False
        self._held = take_lock(path)
        if self._held is None:
            return False
        self.stop_waiting()
        return True

    def release(self) -> None:
        if self._held is not None:
            self._held.release()
            self._held = None

    def stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.release()
            self._waiting = None


def make_state_folder(folder: Path) -> None:
    """For this user alone where it is new. Raises WorkerError where others can change what is in it."""
    try:
        make_folder(folder)
        refuse_open_folder(folder)
    except OSError as error:
        raise WorkerError(f"WORKER_STATE_DIR={folder}: {error.strerror}") from error


def refuse_open_folder(folder: Path) -> None:
    """Raises WorkerError where others can change what is in it, OSError where it cannot be looked at."""
    if folder.stat().st_mode & stat.S_IWOTH:
        raise WorkerError(f"WORKER_STATE_DIR={folder}: every user can write there: chmod o-w {folder}")


def claim_host_name(wished: str, folder: Path) -> tuple[str, FileLock | None]:
    """The wished name, else the system's; with the process number where another supervisor with this state
    folder has it. The lock holds the name until the process ends. Raises WorkerError.
    """
    make_state_folder(folder)
    name = wished or socket.gethostname()
    try:
        holder = take_lock(folder / f"host.{name}.lock")
    except OSError as error:
        raise WorkerError(f"WORKER_STATE_DIR={folder}: {error.strerror}: {error.filename or name}") from error
    return (name if holder is not None else f"{name}-{os.getpid()}"), holder
