"""STATE_DIR of `make run`: made and marked as ours, used by one run at a time, with a secret of its own."""

from __future__ import annotations

import fcntl
import os
import secrets
from io import TextIOWrapper
from pathlib import Path

from tools.ports import Refused

MARK = ".cloud-monitor"


def lock_state(state: Path) -> TextIOWrapper:
    """Make and mark the folder and lock it for as long as the returned file is open; raises Refused."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        mark = open(state / MARK, "a+")  # noqa: SIM115 (returned open)
    except OSError as cause:
        raise Refused(
            f"STATE_DIR={state} cannot be used: {cause.strerror}. Choose another: make run STATE_DIR=/path"
        ) from None
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        mark.seek(0)
        holder = mark.read().strip()
        raise Refused(
            f"another make run (pid {holder}) uses STATE_DIR={state}: end that, or choose another STATE_DIR"
        ) from None
    mark.truncate(0)
    mark.write(f"{os.getpid()}\n")
    mark.flush()
    return mark


def make_token(file: Path) -> Path:
    """A file with a secret that only its owner reads; one that is there stays. Raises Refused."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file
    except OSError as cause:
        raise Refused(f"{file}: {cause.strerror}") from None
    with open(descriptor, "w") as new:
        new.write(secrets.token_urlsafe(32) + "\n")
    return file
