"""What is not yet delivered to one Carbon: frames on disk, written before the first attempt to send them.

A frame is pending, then delivered (the close handshake), then arrived where it is read back; only then, or
15 minutes after delivery where it is not, is it deleted. Frames are kept as the bytes that go to the socket,
compressed: nothing here is ever unpickled.

Ages are counted in the spool's own time, which follows the clock but takes no leap of more than an hour: a
clock that jumps a year must not make everything too old at once.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from cloud_monitor.system.files import is_absent
from cloud_monitor.system.sqlite_file import identity_of
from collector.delivery.spool_file import SpoolUnusable, open_file, translate

SETTLE_S = 15 * 60  # how long a delivered frame is kept where it is not read back
LEAP_MAX_S = 3600
_SLOT = "turn"  # the counter's name in the files of every version

_Execute = Callable[..., sqlite3.Cursor]


class Marker(NamedTuple):
    """A point that is in one frame only, so that reading it back shows that the frame arrived."""

    path: str
    value: float


class Frame(NamedTuple):
    """What is to be kept: `data` are the bytes for the socket."""

    timestamp: int
    points: int
    data: bytes
    marker: Marker | None = None


class Kept(NamedTuple):
    """What is kept; its bytes are read when they are sent."""

    id: int
    timestamp: int
    points: int
    attempts: int  # sends that may have reached the store
    marker: Marker | None
    delivered_for_s: int = 0


class SpoolFigures(NamedTuple):
    """The numbers of one spool; `dropped` and `resent` count points since it began."""

    points: int = 0  # pending
    oldest_timestamp: int | None = None
    dropped: int = 0
    resent: int = 0


class Spool:
    """One file, used by one thread at a time. Every method raises SpoolUnusable where the file fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_file(path)
        self.identity = identity_of(path)

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA incremental_vacuum(2000)").fetchall()
        self._connection.close()

    def begin(self, now: int, age_max_s: float, bytes_max: float) -> int:
        """Move the spool's time on to a run at `now`, and give up what is over the bounds.

        Delivered frames go first, then the oldest. Returns the points lost.
        """
        with self._transaction() as execute:
            before = _counter(execute, "last_now", now)
            clock = _counter(execute, "clock") + min(LEAP_MAX_S, max(0, now - before))
            _set_counter(execute, "clock", clock)
            _set_counter(execute, "last_now", now)
            held = execute("SELECT coalesce(sum(body_bytes), 0) FROM frames").fetchone()[0]
            lost, doomed = 0, []
            for row in execute(
                "SELECT id, points, kept_at, body_bytes, delivered_at FROM frames"
                " ORDER BY delivered_at IS NULL, id"
            ):
                number, points, kept_at, size, delivered_at = row
                if held > bytes_max or clock - kept_at > age_max_s:
                    doomed.append((number,))
                    held -= size
                    lost += points if delivered_at is None else 0
            _delete(execute, doomed)
            _set_counter(execute, "dropped", _counter(execute, "dropped") + lost)
        return lost

    def add(self, frames: Sequence[Frame]) -> list[Kept]:
        """Keep frames as pending, tried once; when this returns they survive a crash."""
        with self._transaction() as execute:
            clock = _counter(execute, "clock")
            return [_insert(execute, frame, clock) for frame in frames]

    def next_slots(self, count: int, slots: int) -> list[int]:
        """`count` marker slots, numbers below `slots`, going round from run to run."""
        with self._transaction() as execute:
            start = _counter(execute, _SLOT)
            _set_counter(execute, _SLOT, (start + count) % slots)
        return [(start + step) % slots for step in range(count)]

    def pending(self, points_max: int) -> list[Kept]:
        """The oldest frames that wait, up to a number of points, but at least one where any waits."""
        chosen: list[Kept] = []
        with self._errors():
            for row in self._connection.execute(f"{_SELECT} WHERE delivered_at IS NULL ORDER BY id"):
                kept = _kept(row)
                points_max -= kept.points
                if points_max < 0 and chosen:
                    break
                chosen.append(kept)
        return chosen

    def delivered(self, for_s: int) -> list[Kept]:
        """Frames delivered at least `for_s` seconds ago that may not have arrived, oldest first."""
        with self._errors():
            clock = _counter(self._connection.execute, "clock")
            rows = self._connection.execute(
                f"{_SELECT} WHERE delivered_at <= ? ORDER BY id", (clock - for_s,)
            )
            return [_kept(row, clock) for row in rows]

    def bodies(self, frames: Iterable[Kept]) -> Iterator[bytes]:
        """The bytes for the socket, one frame in memory at a time; a broken frame is given up and counted."""
        for kept in frames:
            with self._errors():
                row = self._connection.execute("SELECT body FROM frames WHERE id = ?", (kept.id,)).fetchone()
            try:
                yield zlib.decompress(row[0]) if row else b""
            except zlib.error:
                with self._transaction() as execute:
                    _delete(execute, [(kept.id,)])
                    _set_counter(execute, "dropped", _counter(execute, "dropped") + kept.points)

    def mark_tried(self, frames: Sequence[Kept]) -> None:
        """Before they are sent again: points that may have arrived already count as sent twice."""
        with self._transaction() as execute:
            for kept in frames:
                execute("UPDATE frames SET attempts = attempts + 1 WHERE id = ?", (kept.id,))
            again = sum(kept.points for kept in frames if kept.attempts)
            if again:
                _set_counter(execute, "resent", _counter(execute, "resent") + again)

    def mark_untried(self, frames: Sequence[Kept]) -> None:
        """The attempt that was counted before it began sent nothing."""
        with self._transaction() as execute:
            for kept in frames:
                execute("UPDATE frames SET attempts = max(0, attempts - 1) WHERE id = ?", (kept.id,))

    def mark_delivered(self, frames: Sequence[Kept]) -> None:
        with self._transaction() as execute:
            clock = _counter(execute, "clock")
            for kept in frames:
                execute("UPDATE frames SET delivered_at = ? WHERE id = ?", (clock, kept.id))

    def mark_pending(self, frames: Sequence[Kept]) -> None:
        """Delivered frames that did not arrive, or of which that must be feared, wait again."""
        with self._transaction() as execute:
            for kept in frames:
                execute("UPDATE frames SET delivered_at = NULL WHERE id = ?", (kept.id,))

    def mark_arrived(self, frames: Sequence[Kept]) -> None:
        with self._transaction() as execute:
            _delete(execute, [(kept.id,) for kept in frames])

    def figures(self) -> SpoolFigures:
        with self._errors():
            execute = self._connection.execute
            points, oldest = execute(
                "SELECT coalesce(sum(points), 0), min(timestamp) FROM frames WHERE delivered_at IS NULL"
            ).fetchone()
            return SpoolFigures(points, oldest, _counter(execute, "dropped"), _counter(execute, "resent"))

    @contextmanager
    def _transaction(self) -> Iterator[_Execute]:
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translate(self.path, error) from error


def read_figures(path: Path) -> SpoolFigures | None:
    """The numbers of a spool file that may be absent or unusable (None); never makes one."""
    if is_absent(path):
        return None
    try:
        spool = Spool(path)
    except SpoolUnusable:
        return None
    try:
        return spool.figures()
    except SpoolUnusable:
        return None
    finally:
        spool.close()


_SELECT = "SELECT id, timestamp, points, attempts, delivered_at, marker_path, marker_value FROM frames"


def _kept(row: tuple[int, int, int, int, int | None, str | None, float | None], clock: int = 0) -> Kept:
    number, timestamp, points, attempts, delivered_at, path, value = row
    marker = None if path is None or value is None else Marker(path, value)
    return Kept(
        number, timestamp, points, attempts, marker, 0 if delivered_at is None else clock - delivered_at
    )


def _insert(execute: _Execute, frame: Frame, clock: int) -> Kept:
    body = zlib.compress(frame.data, 1)
    path, value = frame.marker or (None, None)
    cursor = execute(
        "INSERT INTO frames (timestamp, points, kept_at, attempts, marker_path, marker_value,"
        " body_bytes, body) VALUES (?, ?, ?, 1, ?, ?, ?, ?)",
        (frame.timestamp, frame.points, clock, path, value, len(body), body),
    )
    assert cursor.lastrowid is not None
    return Kept(cursor.lastrowid, frame.timestamp, frame.points, 1, frame.marker)


def _delete(execute: _Execute, ids: Iterable[tuple[int]]) -> None:
    for number in ids:
        execute("DELETE FROM frames WHERE id = ?", number)


def _counter(execute: _Execute, name: str, default: int = 0) -> int:
    row = execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    return default if row is None else int(row[0])


def _set_counter(execute: _Execute, name: str, value: int) -> None:
    execute("INSERT OR REPLACE INTO counters (name, value) VALUES (?, ?)", (name, value))
