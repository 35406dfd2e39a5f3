"""One SQLite file a grid, shared by many processes: opened for a moment, and set aside where it is corrupt.

WAL lets the page read while a list is being kept; grids do not wait for each other. What is lost with a
corrupt file comes again with the next list, but for the histories.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cloud_monitor.system.files import is_absent
from cloud_monitor.system.sqlite_file import (
    Identity,
    connect,
    identity_of,
    is_broken,
    set_aside,
    switch_to_wal,
)

log = logging.getLogger(__name__)

SUFFIX = ".sqlite"
_VERSION = 2
_SCHEMA = """
DROP TABLE IF EXISTS lists;
DROP TABLE IF EXISTS items;
CREATE TABLE lists (
    kind TEXT PRIMARY KEY,
    taken_at INTEGER NOT NULL,
    edition INTEGER NOT NULL,
    total TEXT NOT NULL,
    listed INTEGER NOT NULL,
    is_cut INTEGER NOT NULL
);
CREATE TABLE items (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    cloud TEXT NOT NULL,
    types TEXT NOT NULL,
    states TEXT NOT NULL,
    trouble INTEGER NOT NULL,
    since INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    gone_at INTEGER,
    data TEXT NOT NULL,
    changes TEXT NOT NULL,
    last_status TEXT NOT NULL,
    last_host TEXT NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""


class InventoryFault(Exception):
    """A grid's lists can be neither read nor kept: the message names the file and what to do."""


@contextmanager
def open_database(file: Path, *, create: bool = False) -> Iterator[sqlite3.Connection | None]:
    """The database in `file`, without a transaction begun; None where there is none and none is to be made.

    Raises InventoryFault for whatever the system has against it; a corrupt one is set aside first.
    """
    if not create and is_absent(file):
        yield None
        return
    found = identity_of(file)
    try:
        with closing(_connect(file)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        if is_broken(error):
            _set_aside(file, found)
        raise InventoryFault(
            f"{file}: {error}; the folder must be writable, and its disk not full"
        ) from error
    except OSError as error:
        raise InventoryFault(f"{file}: {error.strerror or error}") from error


def _connect(file: Path) -> sqlite3.Connection:
    connection = connect(file, synchronous="NORMAL")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, once, whoever comes first; those of another version are of no use and go."""
    switch_to_wal(connection)
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _set_aside(file: Path, broken: Identity | None) -> None:
    try:
        aside = set_aside(file, broken)
    except OSError as error:
        log.error("%s is corrupt and cannot be set aside: %s", file, error)
        return
    if aside is not None:
        log.error("%s is corrupt: set aside as %s; the next list begins a new one", file, aside.name)
