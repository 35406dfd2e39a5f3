"""Failures that are met again and again, told when they begin, once an hour, and when they are over.

A program that cron starts each minute would else send a mail a minute, or fill a journal with one line; so
would one that goes on and tries again every second.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloud_monitor.system.files import replace_file
from cloud_monitor.system.text import age_text

TOLD_AGAIN_AFTER_S = 3600
_FAILURES_MAX = 200
_KEY_LENGTH = 300
_ROOM_BYTES = 8192  # some ten failures


class RepeatedFailures(logging.Filter):
    """A logger's filter over one run: of errors that the run before told too, it lets through one an hour.

    file: what runs remember of each other (JSON); unreadable or not writable, every error is told. Two lines
    that differ in numbers only are one failure.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._file, self._clock = file, clock
        self._before = _read(file)
        self._now: dict[str, dict[str, Any]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            return True
        line, now = record.getMessage(), self._clock()
        key = _key(line)
        known = self._before.get(key)
        if known is None or key in self._now:
            self._now.setdefault(key, {"line": line, "since": now, "runs": 1, "told": now})
            return known is None
        entry = known | {"line": line, "runs": known["runs"] + 1}
        is_due = not 0 <= now - known["told"] < TOLD_AGAIN_AFTER_S  # also where the clock was set back
        if is_due:
            entry["told"] = now
            record.msg = f"still fails, for {_extent(entry, now)}: %s"
            record.args = (line,)
        self._now[key] = entry
        return is_due

    def finish(self) -> list[str]:
        """Lines on what is over (not where the same peer fails in another way); this run's are kept."""
        now = self._clock()
        failing = {_head(key) for key in self._now}
        over = [
            f"well again after {_extent(entry, now)}: {entry['line']}"
            for key, entry in self._before.items()
            if key not in self._now and _head(key) not in failing
        ]
        if self._now or self._before or not _has_room(self._file):
            try:
                _write(self._file, dict(list(self._now.items())[:_FAILURES_MAX]))
            except OSError:  # the run itself tells what is wrong with its folder
                return []
        return over


class OngoingFailure:
    """What one program that goes on fails at. Two lines that differ in numbers only are one failure.

    well_after_s: how long all has to be well until it is over; on a full disk every second attempt may do.
    """

    def __init__(self, well_after_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._well_after_s, self._clock = well_after_s, clock
        self._line = ""
        self._failed_at = self._tell_again_at = 0.0

    def is_to_be_told(self, line: str) -> bool:
        """Whether it has begun with this line, or was told an hour ago."""
        now = self._failed_at = self._clock()
        if _key(line) == _key(self._line) and now < self._tell_again_at:
            return False
        self._line, self._tell_again_at = line, now + TOLD_AGAIN_AFTER_S
        return True

    def end(self) -> str:
        """It is well: the line that was told last, once; "" where nothing had failed, or just now."""
        if not self._line or self._clock() - self._failed_at < self._well_after_s:
            return ""
        line, self._line = self._line, ""
        return line


def _has_room(file: Path) -> bool:
    """Whether the file takes what a run may have to keep, on a disk that is full too."""
    try:
        return file.stat().st_size >= _ROOM_BYTES
    except OSError:
        return False


def _write(file: Path, entries: dict[str, dict[str, Any]]) -> None:
    """Raises OSError. On a full disk it is written over, with as much as it takes."""
    try:
        replace_file(file, json.dumps(entries).encode().ljust(_ROOM_BYTES))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        with file.open("r+b", buffering=0) as there:
            room_bytes = there.seek(0, os.SEEK_END)
            while len(content := json.dumps(entries).encode()) > room_bytes and entries:
                entries.popitem()
            there.seek(0)
            there.write(content.ljust(room_bytes)[:room_bytes])


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", line)[:_KEY_LENGTH]


def _head(key: str) -> str:
    """What a line is about: the text before the first colon that a blank follows."""
    return key.split(": ", 1)[0]


def _extent(entry: dict[str, Any], now: float) -> str:
    runs = f"{entry['runs']} run{'s' if entry['runs'] != 1 else ''}"
    return f"{age_text(max(0, now - entry['since']))} ({runs})"


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(file.read_bytes())
        return {
            str(key): {
                "line": str(entry["line"]),
                "since": float(entry["since"]),
                "runs": int(entry["runs"]),
                "told": float(entry["told"]),
            }
            for key, entry in found.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
