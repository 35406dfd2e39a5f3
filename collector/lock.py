"""One run at a time on one state directory."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_monitor.system.files import is_absent, open_lock


class RunGoing(Exception):
    """Another run on this state directory is still going."""


class StateDirUnusable(Exception):
    """The state directory cannot be made or written; the message says why."""


class StateDirOpen(Exception):
    """Others can write the state directory: what is found there may be theirs; the message has the remedy."""


def make_state_dir(state_dir: Path) -> None:
    """Make it for this user alone where it is not there. Raises OSError, and StateDirOpen."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    refuse_open_state_dir(state_dir)


def refuse_open_state_dir(state_dir: Path) -> None:
    """Raises StateDirOpen, and OSError where it cannot be looked at."""
    for directory in (state_dir, state_dir / "spool"):
        if not is_absent(directory) and directory.stat().st_mode & stat.S_IWOTH:
            raise StateDirOpen(
                f"COLLECTOR_STATE_DIR={state_dir}: every user of this host can write {directory}, and so "
                f"have points sent or stop the collector: look what is in it, then chmod o-w {directory}"
            )


@contextmanager
def run_lock(state_dir: Path) -> Iterator[None]:
    """Hold the directory's lock, or raise RunGoing.

    A record lock (lockf): unlike flock's it is never shared with a child process, so no source that outlives
    a killed run could keep it.
    """
    path = state_dir / "lock"
    try:
        make_state_dir(state_dir)
        descriptor = open_lock(path)
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
