"""A lock on a file that one process of many holds: taken at once or not at all, not kept by a forked child.

A child of fork has a copy of every descriptor, and flock frees a file only when all are closed: a child that
outlives its parent would hold the lock for ever. So the taking and letting go of locks and forks exclude
each other, and a child begins by closing what it was born with.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from cloud_monitor.system.files import open_lock

_forking = threading.Lock()
_held: set[FileLock] = set()


class FileLock:
    """A lock that is held, until `release` or the end of the process that took it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let others have it. In a forked child, and a second time, it does nothing."""
        with _forking:
            self._close()
            _held.discard(self)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def take_lock(path: Path) -> FileLock | None:
    """The lock, or None where another has it. Raises OSError where the file cannot be had."""
    with _forking:
        descriptor = open_lock(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        lock = FileLock(descriptor)
        _held.add(lock)
        return lock


def take_any(paths: Iterable[Path]) -> FileLock | None:
    """The first of these locks that nobody has: a place among few. None where all are taken."""
    return next((lock for path in paths if (lock := take_lock(path)) is not None), None)


def _leave_to_parent() -> None:
    for lock in _held:
        lock._close()
    _held.clear()
    _forking.release()


os.register_at_fork(
    before=_forking.acquire, after_in_parent=_forking.release, after_in_child=_leave_to_parent
)
