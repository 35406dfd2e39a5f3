"""The SQLite file of a spool: its tables, and what is a spool and what is to be set aside."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from cloud_monitor.system.sqlite_file import connect, is_broken, switch_to_wal

VERSION = 1

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS frames (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp INTEGER NOT NULL,     -- of its points
    points INTEGER NOT NULL,
    kept_at INTEGER NOT NULL,       -- spool time
    attempts INTEGER NOT NULL,      -- sends that may have reached the store, in whole or in part
    delivered_at INTEGER,           -- spool time; NULL while pending
    marker_path TEXT,               -- a point of the frame that can be read back, where it is read back
    marker_value REAL,
    body_bytes INTEGER NOT NULL,
    body BLOB NOT NULL              -- the bytes for the socket, compressed
);
CREATE INDEX IF NOT EXISTS by_delivery ON frames (delivered_at, id);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""


class SpoolUnusable(Exception):
    """A spool's file cannot be opened, read or written; the message says which and why."""


class SpoolCorrupt(SpoolUnusable):
    """It is no spool, or a broken one: to be set aside."""


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, or make it. SpoolCorrupt where there is something else in its place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SpoolUnusable(f"{path}: {error}") from error
    try:
        connection = connect(path, synchronous="FULL", check_same_thread=False)
    except sqlite3.Error as error:
        raise translate(path, error) from error
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise SpoolCorrupt(f"{path}: not a spool that this version knows")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            switch_to_wal(connection)
            connection.executescript(_SCHEMA)
        connection.execute("SELECT id, marker_value FROM frames LIMIT 1").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise translate(path, error) from error
    except SpoolCorrupt:
        connection.close()
        raise
    return connection


def translate(path: Path, error: sqlite3.Error) -> SpoolUnusable:
    """Tell what is broken from what is only full, read-only or busy."""
    foreign = "no such table" in str(error) or "no such column" in str(error)
    problem = f"{path}: {error}"
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN and not os.access(
        path.parent, os.R_OK | os.W_OK | os.X_OK
    ):
        problem += f" (permission denied: this user may not enter and write {path.parent})"
    return (SpoolCorrupt if foreign or is_broken(error) else SpoolUnusable)(problem)
