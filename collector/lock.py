"""One run at a time on one state directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RunGoing(Exception):
    """Another run on this state directory is still going."""


class StateDirUnusable(Exception):
    """The state directory cannot be made or written; the message says why."""


@contextmanager
def run_lock(state_dir: Path) -> Iterator[None]:
    """Hold the directory's lock, or raise RunGoing.

    A record lock (lockf): unlike flock's it is never shared with a child process, so no source that outlives
    a killed run could keep it.
    """
    path = state_dir / "lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StateDirUnusable(f"COLLECTOR_STATE_DIR={state_dir}: {error.strerror}") from None
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, (BlockingIOError, PermissionError)):
                raise StateDirUnusable(f"{path}: {error.strerror}") from None
            raise RunGoing(f"another run is still going (it holds {path})") from None
        yield
    finally:
        os.close(descriptor)
