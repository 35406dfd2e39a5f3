"""SQLite files that several processes share: how long one waits for another, what is broken rather than busy,
and where a broken file goes, so that a new one can be begun in its place."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from typing import Literal, NamedTuple

BUSY_S = 10.0  # longest wait for another's transaction, which takes a fraction of a second
KEPT_MAX = 3  # broken files kept for whoever wants to look; the oldest goes

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Identity(NamedTuple):
    """Which file has a name now."""

    device: int
    inode: int


def connect(
    path: Path, *, synchronous: Literal["NORMAL", "FULL"], check_same_thread: bool = True
) -> sqlite3.Connection:
    """Open the file, or make it; no transaction is begun. FULL: what is committed survives a power cut."""
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=check_same_thread
    )
    try:
        connection.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path, busy_s: float) -> sqlite3.Connection:
    """Open a file that is there, to read alone. Raises sqlite3.OperationalError where there is none."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=busy_s)


def is_broken(error: BaseException) -> bool:
    """Whether the file is no database, or a corrupt one: not merely full, read-only or busy."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN


def identity_of(path: Path) -> Identity | None:
    """To be taken before the file is found broken; None where there is none, or no way to it."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Identity(status.st_dev, status.st_ino)


def set_aside(path: Path, broken: Identity | None) -> Path | None:
    """Rename the file that was found broken; its new name, or None where another process did so before.

    Its log (-wal) goes with it. Raises OSError where the folder cannot be written.
    """
    with open(path.with_name("lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if broken is None or identity_of(path) != broken:
            return None
        aside = path.with_name(f"{path.name}.corrupt-{time.time_ns()}")
        _beside(path, "-shm").unlink(missing_ok=True)
        if _beside(path, "-wal").exists():  # before the file: it must never meet a new one
            os.rename(_beside(path, "-wal"), _beside(aside, "-wal"))
        os.rename(path, aside)
        _remove_oldest(path)
    return aside


def _remove_oldest(path: Path) -> None:
    kept = sorted(file for file in path.parent.glob(f"{path.name}.corrupt-*") if not _is_side_file(file))
    for old in kept[:-KEPT_MAX]:
        for file in (old, *(_beside(old, suffix) for suffix in _SIDE_FILES)):
            file.unlink(missing_ok=True)


_SIDE_FILES = ("-wal", "-shm")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _is_side_file(path: Path) -> bool:
    return path.name.endswith(_SIDE_FILES)
