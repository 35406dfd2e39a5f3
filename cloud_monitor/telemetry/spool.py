"""What waits to be sent, as files in a folder of the state: bounded in bytes and in age, the oldest go first.

Several processes of a host share a folder: each writes files of its own; who holds the lock sends all.
"""

from __future__ import annotations

import gzip
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from cloud_monitor.system.files import replacing
from cloud_monitor.system.locks import take_lock

AGE_MAX_S = 48 * 3600  # what is older Application Insights refuses
_COUNT_EVERY = 20  # files written, until what all processes wrote is counted again


class SpooledFile(NamedTuple):
    path: Path
    kind: str  # azure, otlp-traces, ...
    size_bytes: int
    written_s: float  # epoch seconds


class TelemetrySpool:
    """Its folder is made with the first file."""

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self.folder = folder
        self._bytes_max = bytes_max
        self._numbers = itertools.count()

    def put(self, kind: str, body: bytes) -> None:
        """Keep a body, gzipped. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = next(self._numbers)
        if number % _COUNT_EVERY == 0:
            self.prune()
        name = f"{time.time_ns():020d}-{os.getpid()}-{number}.{kind}"
        with replacing(self.folder / name) as file:
            file.write(gzip.compress(body, 1, mtime=0))

    def files(self) -> list[SpooledFile]:
        """The oldest first. Raises OSError where the folder is closed to this user, or is none."""
        found = []
        with suppress(FileNotFoundError):
            for entry in os.scandir(self.folder):
                stem, _, kind = entry.name.rpartition(".")
                written = stem.partition("-")[0]
                if not written.isdigit():
                    continue
                with suppress(FileNotFoundError):  # another process has sent it
                    size_bytes = entry.stat().st_size
                    found.append(SpooledFile(Path(entry.path), kind, size_bytes, int(written) / 1e9))
        return sorted(found)

    def prune(self) -> int:
        """Drop what is too old or too much; how many files that were."""
        files, left_bytes, dropped = self.files(), self._bytes_max, 0
        for file in reversed(files):
            left_bytes -= file.size_bytes
            if left_bytes < 0 or time.time() - file.written_s > AGE_MAX_S:
                file.path.unlink(missing_ok=True)
                dropped += 1
        self._remove_left_behind()
        return dropped

    def _remove_left_behind(self) -> None:
        """Half-written files of processes that were killed."""
        for left in self.folder.glob(".*.new"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > 3600:
                    left.unlink()

    @contextmanager
    def sending(self) -> Iterator[bool]:
        """Whether this process may send now; no other does meanwhile."""
        lock = take_lock(self.folder / "sending.lock")
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.release()
