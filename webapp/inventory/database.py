"""One SQLite file a grid, shared by many processes: opened for a moment, and set aside where it is corrupt.

WAL lets the page read while a list is being kept; grids do not wait for each other. What is lost with a
corrupt file comes again with the next list, but for the histories.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_monitor.system import sqlite_file

SUFFIX = ".sqlite"
READ_S = 2.0
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
_TABLES = sqlite_file.Tables(_SCHEMA, version=2, probe="SELECT count(*) FROM lists", replaces_others=True)


class InventoryFault(Exception):
    """A grid's lists can be neither read nor kept: the message names the file and what to do."""


@contextmanager
def open_lists(file: Path) -> Iterator[sqlite3.Connection | None]:
    """The lists in `file`, to read; None where there are none, or none of this version.

    Raises InventoryFault for whatever the system has against it; a corrupt one is set aside first.
    """
    found = sqlite_file.identity_of(file)
    with _told(file):
        try:
            with sqlite_file.open_to_read(file, READ_S, _TABLES.version) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if sqlite_file.is_broken(error):
                sqlite_file.put_aside(file, found)
            raise


@contextmanager
def change_lists(file: Path) -> Iterator[sqlite3.Connection]:
    """A transaction on them, committed when the block ends well; raises as `open_lists`."""
    with (
        _told(file),
        sqlite_file.open_transaction(file, _TABLES, synchronous="NORMAL", is_wal=True) as connection,
    ):
        yield connection


@contextmanager
def _told(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise InventoryFault(
            f"{file}: {error}; the folder must be writable, and its disk not full"
        ) from error
    except OSError as error:
        raise InventoryFault(f"{file}: {error.strerror or error}") from error
