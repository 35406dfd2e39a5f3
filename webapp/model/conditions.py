"""The one memory of what is wrong since when: when each condition began, ended, and how often it flapped.

The event log, "since when" on pages, annotations and alerts all read it and keep no second memory. The holder
of the poll's lock writes the file, and only when something has changed; every process reads it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from cloud_monitor.system import sqlite_file
from cloud_monitor.system.files import is_absent
from cloud_monitor.system.text import one_line
from webapp.model.events_file import read_old_log, retire_old_log
from webapp.model.health import GRID_SILENT, Condition, Health, Key, Level, Since

log = logging.getLogger(__name__)

FILE_NAME = "conditions.sqlite"
OPEN_MAX = 5000  # conditions that hold at once and are remembered, causes first
EPISODES_OF_ONE_MAX = 20  # that are over and kept, of one condition
KEEP_S = 400 * 86400
FLAPPING_FROM = 3  # episodes of one condition within FLAPPING_WITHIN_S: it flaps, and the last one goes on
FLAPPING_WITHIN_S = 3600.0
READ_S = 2.0  # longest wait of a page for the process that writes
_TEXT_LENGTH_MAX = 500
_SCHEMA = """
CREATE TABLE episodes (
    key TEXT NOT NULL, began REAL NOT NULL, again REAL NOT NULL, ended REAL, flaps INTEGER NOT NULL,
    level INTEGER NOT NULL, text TEXT NOT NULL, over TEXT NOT NULL, cause TEXT NOT NULL,
    PRIMARY KEY (key, began)
) WITHOUT ROWID;
"""
_TABLES = sqlite_file.Tables(_SCHEMA, version=1, probe="SELECT 1")  # what is read is looked at row by row


@dataclass(frozen=True, slots=True)
class Episode:
    """One time that a condition held. Times are epoch seconds; `ended` is None while it holds.

    `level` and `text` are of its worst moment. `cause` is what explains it, as long as it has never stood for
    itself. One that came and went `flaps` times began for the last time at `again`.
    """

    key: Key
    began: float
    again: float
    ended: float | None
    flaps: int
    level: Level
    text: str
    over: str
    cause: Key | None = None


class _EpisodeId(NamedTuple):
    """Of one condition no two episodes begin at one time."""

    key: Key
    began: float


def remember(known: Iterable[Episode], health: Health, at: float, episodes_max: int) -> tuple[Episode, ...]:
    """What is remembered after a judgement at the epoch second `at`; the newest beginning first.

    What is unknown neither begins nor ends. Of what is over `episodes_max` are kept, causes before symptoms.
    """
    episodes = {_EpisodeId(one.key, one.began): one for one in known}
    latest: dict[Key, list[Episode]] = {}
    for one in sorted(episodes.values(), key=lambda one: one.began):
        latest.setdefault(one.key, []).append(one)
    holding = {one.key: one for one in health.conditions if not health.is_unknown(one.key)}
    for key, condition in holding.items():
        went_on = _go_on(condition, latest.get(key, []), at)
        episodes[_EpisodeId(key, went_on.began)] = went_on
    for identity, one in list(episodes.items()):
        if one.ended is None and one.key not in holding and not health.is_unknown(one.key):
            episodes[identity] = replace(one, ended=max(at, one.again))
    return _bounded(episodes.values(), at, episodes_max)


def _go_on(condition: Condition, before: list[Episode], at: float) -> Episode:
    """The episode of a condition that holds: the one that is open, the last one if it flaps, or a new one."""
    text = one_line(condition.full_text, _TEXT_LENGTH_MAX)
    if before and before[-1].ended is None:
        last = before[-1]
        if condition.level > last.level:
            last = replace(last, level=condition.level, text=text)
        return last if last.cause is None else replace(last, cause=condition.cause)
    lately = [one for one in before if one.ended is not None and at - one.ended < FLAPPING_WITHIN_S]
    flaps = len(lately) >= FLAPPING_FROM or (lately and lately[-1].flaps)
    if flaps or (before and before[-1].began >= at):  # or a clock that was set back
        last = before[-1]
        again = max(at, last.ended or at)
        cause = condition.cause if last.cause else None
        return replace(last, again=again, ended=None, flaps=last.flaps + 1, cause=cause)
    over = one_line(condition.over, _TEXT_LENGTH_MAX)
    return Episode(condition.key, at, at, None, 0, condition.level, text, over, condition.cause)


def _bounded(episodes: Iterable[Episode], at: float, episodes_max: int) -> tuple[Episode, ...]:
    """Within all bounds; what still holds, and causes, are kept before the others."""
    newest = sorted(episodes, key=lambda one: one.again, reverse=True)
    holding = [one for one in newest if one.ended is None]
    holding.sort(key=lambda one: one.cause is not None)
    of_one: dict[Key, Iterator[int]] = {}
    over = [
        one
        for one in newest
        if one.ended is not None
        and at - one.ended < KEEP_S
        and next(of_one.setdefault(one.key, count())) < EPISODES_OF_ONE_MAX
    ]
    over.sort(key=lambda one: one.cause is not None)
    kept = (*holding[:OPEN_MAX], *over[:episodes_max])
    return tuple(sorted(kept, key=lambda one: (one.began, one.key), reverse=True))


def read_conditions(state_dir: Path) -> tuple[Episode, ...]:
    """All that is remembered, the newest beginning first; nothing where there is no file that can be read."""
    if is_absent(state_dir / FILE_NAME):  # before the first poll of this version
        return tuple(sorted(_taken_over(state_dir), key=lambda one: one.began, reverse=True))
    return _read_file(state_dir / FILE_NAME, "")


def read_since(state_dir: Path) -> Mapping[Key, Since]:
    """Since when what still holds does so."""
    holding = _read_file(state_dir / FILE_NAME, "WHERE ended IS NULL")
    return {one.key: Since(one.began, one.flaps) for one in holding}


def _read_file(file: Path, where: str) -> tuple[Episode, ...]:
    try:
        with sqlite_file.open_to_read(file, READ_S) as connection:
            return () if connection is None else tuple(_read(connection, where))
    except (sqlite3.Error, OSError) as error:
        log.warning("%s cannot be read: %s", file, error)
        return ()


def note_conditions(state_dir: Path, health: Health, at: float, episodes_max: int) -> None:
    """Remember what a judgement found. Only for the holder of the poll's lock.

    Raises OSError or sqlite3.Error where the folder cannot be written; what was remembered stays.
    """
    try:
        _note(state_dir, health, at, episodes_max)
    except sqlite3.DatabaseError as error:
        if not sqlite_file.is_broken(error):
            raise
        _note(state_dir, health, at, episodes_max)  # the broken file was set aside


def _note(state_dir: Path, health: Health, at: float, episodes_max: int) -> None:
    """A file without any episode begins with the log of the previous version."""
    with sqlite_file.open_transaction(state_dir / FILE_NAME, _TABLES, synchronous="NORMAL") as connection:
        known = tuple(_read(connection))
        begun_with = known or tuple(_taken_over(state_dir))
        _write(connection, known, remember(begun_with, health, at, episodes_max))
    if not known:
        retire_old_log(state_dir)


def _taken_over(state_dir: Path) -> Iterator[Episode]:
    for old in read_old_log(state_dir):
        level = Level.STALE if old.key.kind == GRID_SILENT else Level.BAD
        yield Episode(old.key, old.began, old.began, old.ended, 0, level, old.text, old.over)


def _read(connection: sqlite3.Connection, where: str = "") -> Iterator[Episode]:
    """Raises ForeignFile where the file is not what this program writes."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != _TABLES.version:
        raise sqlite_file.ForeignFile("it is of another version")
    rows = connection.execute(
        "SELECT key, began, again, ended, flaps, level, text, over, cause "
        f"FROM episodes {where} ORDER BY began DESC"
    )
    for key, began, again, ended, flaps, level, text, over, cause in rows:
        try:
            yield Episode(
                Key.parse(key), float(began), float(again), None if ended is None else float(ended),
                int(flaps), Level(level), str(text), str(over), Key.parse(cause) if cause else None,
            )  # fmt: skip
        except (ValueError, TypeError, AttributeError) as error:
            raise sqlite_file.ForeignFile(f"a row of it says nothing: {error}") from None


def _write(connection: sqlite3.Connection, known: Iterable[Episode], after: Iterable[Episode]) -> None:
    """Bring the table from one memory to the other; what is the same is left alone."""
    before, then = ({_EpisodeId(one.key, one.began): one for one in some} for some in (known, after))
    gone = [(one.key.text, one.began) for one in before.keys() - then.keys()]
    new = [one for identity, one in then.items() if before.get(identity) != one]
    connection.executemany("DELETE FROM episodes WHERE key = ? AND began = ?", gone)
    connection.executemany(
        "INSERT OR REPLACE INTO episodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (one.key.text, one.began, one.again, one.ended, one.flaps, int(one.level), one.text, one.over,
             one.cause.text if one.cause else "")
            for one in new
        ],
    )  # fmt: skip
