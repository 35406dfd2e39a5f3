"""SQLite files that several processes share: how long one waits for another, what is broken rather than busy,
and where a broken file goes, so that a new one can be begun in its place.

SQLite keeps in the process which files it has locked, and locks of its own. A child that is forked while
another thread has a file open finds both held for ever: so forks wait until none has.
"""

from __future__ import annotations

import fcntl
import logging
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal, NamedTuple

from cloud_monitor.system.files import give_to_owner_of, is_absent

log = logging.getLogger(__name__)

BUSY_S = 10.0  # longest wait for another's transaction, which takes a fraction of a second
FORK_S = 10.0  # longest wait of a fork for what other threads have open
KEPT_MAX = 3  # broken files kept for whoever wants to look; the oldest goes

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class ForeignFile(sqlite3.DatabaseError):
    """A database, but not one that this program wrote: as broken as one that is none."""

    sqlite_errorcode = sqlite3.SQLITE_NOTADB


class Tables(NamedTuple):
    """What a file holds: SQL statements, each ended by `;` and a line's end; and which version of them."""

    schema: str
    version: int
    probe: str  # a query that a file of another program fails
    replaces_others: bool = False  # another version's are of no use: the schema drops them


class Identity(NamedTuple):
    """Which file has a name now."""

    device: int
    inode: int


_using = threading.Condition()
_users: Counter[int] = Counter()  # by thread: files that it has open


@contextmanager
def _not_forked() -> Iterator[None]:
    """No other thread forks this process within the block."""
    thread = threading.get_ident()
    with _using:
        _users[thread] += 1
    try:
        yield
    finally:
        with _using:
            _users[thread] -= 1
            if _users[thread] <= 0:
                del _users[thread]
            _using.notify_all()


def _is_used_by_others() -> bool:
    return any(thread != threading.get_ident() for thread in _users)


def _before_fork() -> None:
    _using.acquire()
    _using.wait_for(lambda: not _is_used_by_others(), FORK_S)


def _begin_in_child() -> None:
    for thread in _users.keys() - {threading.get_ident()}:  # which are not there
        del _users[thread]
    _using.release()


os.register_at_fork(before=_before_fork, after_in_parent=_using.release, after_in_child=_begin_in_child)


def connect(
    path: Path, *, synchronous: Literal["NORMAL", "FULL"], check_same_thread: bool = True
) -> sqlite3.Connection:
    """Open the file, or make it; no transaction is begun. FULL: what is committed survives a power cut."""
    if os.geteuid() == 0 and is_absent(path):
        _make_for_owner(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=check_same_thread
    )
    try:
        connection.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_for_owner(path: Path) -> None:
    with suppress(OSError):  # there by now; or SQLite says what is wrong
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            give_to_owner_of(path.parent, descriptor)
        finally:
            os.close(descriptor)


def connect_to_read(path: Path, busy_s: float) -> sqlite3.Connection:
    """Open a file that is there, to read alone. Raises sqlite3.OperationalError where there is none."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=busy_s)


@contextmanager
def open_to_read(
    path: Path, busy_s: float, version: int | None = None
) -> Iterator[sqlite3.Connection | None]:
    """A file that `open_transaction` writes, to read alone; None where there is none, or none of its tables:
    its first transaction goes on, or came to nothing; or none of `version`, where that is given. Raises
    sqlite3.Error, also where there is no way to it.
    """
    if is_absent(path):
        yield None
        return
    with _not_forked(), closing(connect_to_read(path, busy_s)) as connection:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        yield connection if found and version in (None, found) else None


def switch_to_wal(connection: sqlite3.Connection, busy_s: float = BUSY_S) -> None:
    """Have the file keep a write-ahead log, with which who reads never waits for who writes.

    SQLite refuses at once, whatever its patience, where another process begins to use the file in that
    instant: so it is asked again. Raises sqlite3.OperationalError after `busy_s`.
    """
    deadline = time.monotonic() + busy_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.001, 0.02))
        else:
            return


@contextmanager
def open_transaction(
    path: Path, tables: Tables, *, synchronous: Literal["NORMAL", "FULL"], is_wal: bool = False
) -> Iterator[sqlite3.Connection]:
    """A transaction on a file, committed when the block ends well; tables are made where there are none.

    A file that is broken is set aside, and a new one begun: at once, or, where it is found broken within the
    block, the next time. Raises OSError or sqlite3.Error where the folder cannot be written.
    """
    with _not_forked(), _open_transaction(path, tables, synchronous, is_wal) as connection:
        yield connection


@contextmanager
def _open_transaction(
    path: Path, tables: Tables, synchronous: Literal["NORMAL", "FULL"], is_wal: bool
) -> Iterator[sqlite3.Connection]:
    identity = identity_of(path)
    try:
        connection = _begin(path, tables, synchronous, is_wal)
    except sqlite3.DatabaseError as error:
        if not is_broken(error):
            raise
        put_aside(path, identity)
        identity = None
        connection = _begin(path, tables, synchronous, is_wal)
    identity = identity or identity_of(path)
    try:
        with closing(connection):  # which rolls back what is not committed
            yield connection
            connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        if is_broken(error):  # after the close, which removes the log by its name
            put_aside(path, identity)
        raise


def _begin(
    path: Path, tables: Tables, synchronous: Literal["NORMAL", "FULL"], is_wal: bool
) -> sqlite3.Connection:
    connection = connect(path, synchronous=synchronous)
    try:
        if is_wal:
            switch_to_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if not found or (tables.replaces_others and found != tables.version):
            for statement in filter(str.strip, tables.schema.split(";\n")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {tables.version}")
        connection.execute(tables.probe).fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def put_aside(path: Path, broken: Identity | None) -> None:
    """As set_aside, and the log says so."""
    if (aside := set_aside(path, broken)) is not None:
        log.error("%s is broken: set aside as %s, a new one is begun", path, aside)


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
