"""Annotations in one SQLite file of the state folder; bounded in time, and in number for each kind."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cloud_monitor.system import sqlite_file
from webapp.annotations.model import Annotation
from webapp.settings import AnnotationSettings

log = logging.getLogger(__name__)

FILE_NAME = "annotations.sqlite"
READ_S = 2.0
FOUND_MAX = 1000
_SCHEMA = """
CREATE TABLE annotations (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, at REAL NOT NULL, until REAL,
    kind TEXT NOT NULL, grid TEXT NOT NULL, place TEXT NOT NULL, text TEXT NOT NULL, by TEXT NOT NULL,
    tags TEXT NOT NULL, mirrored INTEGER NOT NULL DEFAULT 0);
CREATE INDEX by_time ON annotations (at);
CREATE INDEX open_ones ON annotations (kind) WHERE until IS NULL;
CREATE INDEX by_kind ON annotations (kind, at);
"""
_BEGUN, _ENDED = 1, 2  # how far one was mirrored
_TABLES = sqlite_file.Tables(_SCHEMA, version=1, probe="SELECT count(*) FROM annotations WHERE number < 0")
_COLUMNS = "at, until, kind, text, place, by, tags, key, number"


class Keeping(NamedTuple):
    """How much is kept: seconds, and annotations of each kind."""

    keep_s: float
    kind_max: int


def keeping_of(settings: AnnotationSettings) -> Keeping:
    return Keeping(settings.annotations_keep_s, settings.annotations_max)


class AnnotationStore:
    """One open transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def add(self, annotations: Iterable[Annotation], keeping: Keeping, now: float) -> int:
        """How many are new. What is too old or too many of its kind goes, the oldest first."""
        added = 0
        for one in annotations:
            added += self._sql.execute(
                "INSERT OR IGNORE INTO annotations (key, at, until, kind, grid, place, text, by, tags) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (one.key or None, one.at, one.until, one.kind, one.grid, one.place, one.text, one.by,
                 json.dumps(one.tags)),
            ).rowcount  # fmt: skip
        if added:
            self._forget(keeping, now)
        return added

    def sync_open(
        self, kind: str, going_on: Iterable[str], ended_at: Mapping[str, float], now: float
    ) -> None:
        """End those of the kind that go on by the store and not by these keys: then, or now."""
        rows = self._sql.execute(
            "SELECT number, key FROM annotations WHERE kind = ? AND until IS NULL", (kind,)
        ).fetchall()
        keys = frozenset(going_on)
        ended = [(ended_at.get(key, now), number) for number, key in rows if key not in keys]
        self._sql.executemany("UPDATE annotations SET until = max(at, ?) WHERE number = ?", ended)

    def find_unmirrored(self, since_s: float, count_max: int) -> tuple[Annotation, ...]:
        """Those since then that were not mirrored yet, the oldest first."""
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM annotations WHERE mirrored = 0 AND at >= ? ORDER BY number LIMIT ?",
            (since_s, count_max),
        )
        return tuple(map(_annotation, rows))

    def find_unmirrored_ends(self, since_s: float, now: float, count_max: int) -> tuple[Annotation, ...]:
        """Those that have ended since then and whose beginning alone was mirrored."""
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM annotations WHERE mirrored = {_BEGUN} AND until > at "
            "AND until BETWEEN ? AND ? ORDER BY until, number LIMIT ?",
            (since_s, now, count_max),
        )
        return tuple(map(_annotation, rows))

    def note_mirrored(self, begun: Iterable[int], ended: Iterable[int] = ()) -> None:
        noted = [(_BEGUN, number) for number in begun] + [(_ENDED, number) for number in ended]
        self._sql.executemany("UPDATE annotations SET mirrored = ? WHERE number = ?", noted)

    def find(
        self, from_s: float, until_s: float, grid: str = "", count_max: int = FOUND_MAX
    ) -> tuple[Annotation, ...]:
        """Those of a range of time, the newest first; with a grid, its own and those of all grids."""
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM annotations WHERE at <= ? AND coalesce(until, ?) >= ? "
            "AND (? = '' OR grid IN ('', ?)) ORDER BY at DESC, number DESC LIMIT ?",
            (until_s, until_s, from_s, grid, grid, count_max),
        )
        return tuple(map(_annotation, rows))

    def _forget(self, keeping: Keeping, now: float) -> None:
        self._sql.execute(
            "DELETE FROM annotations WHERE at < ? AND until IS NOT NULL", (now - keeping.keep_s,)
        )
        kinds = self._sql.execute("SELECT kind, count(*) FROM annotations GROUP BY kind").fetchall()
        for kind, count in kinds:
            if count > keeping.kind_max:
                self._sql.execute(
                    "DELETE FROM annotations WHERE number IN (SELECT number FROM annotations "
                    "WHERE kind = ? ORDER BY at, number LIMIT ?)",
                    (kind, count - keeping.kind_max),
                )


@contextmanager
def open_annotations(state_dir: Path) -> Iterator[AnnotationStore]:
    """A transaction, as sqlite_file.open_transaction makes it.

    Raises OSError or sqlite3.Error where the folder cannot be written.
    """
    with sqlite_file.open_transaction(
        state_dir / FILE_NAME, _TABLES, synchronous="NORMAL", is_wal=True
    ) as connection:
        yield AnnotationStore(connection)


def find_annotations(
    state_dir: Path, from_s: float, until_s: float, grid: str = "", count_max: int = FOUND_MAX
) -> tuple[Annotation, ...]:
    """As AnnotationStore.find; nothing where there is no file that can be read."""
    file = state_dir / FILE_NAME
    try:
        with sqlite_file.open_to_read(file, READ_S) as connection:
            if connection is None:
                return ()
            return AnnotationStore(connection).find(from_s, until_s, grid, count_max)
    except (sqlite3.Error, ValueError, TypeError) as error:
        log.warning("%s cannot be read: %s", file, error)
        return ()


def _annotation(row: Any) -> Annotation:
    at, until, kind, text, place, by, tags, key, number = row
    return Annotation(at, until, kind, text, place, by, tuple(json.loads(tags)), key or "", number)
