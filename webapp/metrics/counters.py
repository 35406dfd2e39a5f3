"""The app's own counters, summed over all processes of the deployment and kept over their restarts.

Every process owns a numbered file for as long as it lives; the next one that takes the number counts on from
what it finds there. So no sum ever falls, and there are no more files than there were processes at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cloud_monitor.system.files import replace_file
from cloud_monitor.system.locks import take_lock
from cloud_monitor.system.process import OwnUse, read_own_use

FOLDER_NAME = "telemetry"
REQUESTS, LATENCY = "requests", "latency"  # names of counters
POLLS, POLL_DURATION = "polls", "poll_duration"
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_FILES_MAX = 1024

Key = tuple[str, ...]  # name of the counter, then its labels
CounterValues = dict[Key, float]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all processes, dead ones included; memory and number of those that live."""

    counters: CounterValues
    cpu_s: float
    memory_bytes: int
    processes: int


class SharedCounters:
    """This process's counters. `add` and `observe` cost about a microsecond; `flush` writes the file."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER_NAME
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._take_number()
        os.register_at_fork(after_in_child=self._begin_anew)

    def add(self, *key: str, amount: float = 1.0) -> None:
        with self._lock:
            self._counters[key] = self._counters.get(key, 0.0) + amount

    def observe(self, name: str, label: str, seconds: float) -> None:
        """Count a duration in the histogram `name`: its bucket (by upper bound) and its sum."""
        at = bisect_left(BUCKETS_S, seconds)
        bound = str(BUCKETS_S[at]) if at < len(BUCKETS_S) else "+Inf"
        bucket, total = (name, label, bound), (name, label, "sum")
        with self._lock:
            counters = self._counters
            counters[bucket] = counters.get(bucket, 0.0) + 1.0
            counters[total] = counters.get(total, 0.0) + seconds

    def flush(self) -> None:
        use = read_own_use()
        with self._lock:
            content = {
                "cpu_s": self._cpu_before_s + use.cpu_s,
                "memory_bytes": use.memory_bytes,
                "counters": [[*key, value] for key, value in self._counters.items()],
            }
            replace_file(self._folder / f"{self._number}.json", json.dumps(content).encode())

    def totals(self) -> Totals:
        """Sum the files, after writing this process's own: only what is written counts, so no sum falls."""
        with suppress(OSError):  # a full disk: the last that was written counts
            self.flush()
        counters: CounterValues = {}
        cpu_s, memory_bytes, processes = 0.0, 0, 0
        for number, path in self._files():
            file, use = _read(path)
            for key, value in file.items():
                counters[key] = counters.get(key, 0.0) + value
            cpu_s += use.cpu_s
            if number == self._number or self._is_taken(number):
                memory_bytes += use.memory_bytes
                processes += 1
        return Totals(counters, cpu_s, memory_bytes, processes)

    def _begin_anew(self) -> None:
        """In a forked child: the parent's number and counts are the parent's."""
        self._lock = threading.Lock()
        self._held.release()
        self._take_number()

    def _take_number(self) -> None:
        for number in range(_FILES_MAX):
            held = take_lock(self._folder / f"{number}.lock")
            if held is None:
                continue
            self._number, self._held = number, held
            self._counters, before = _read(self._folder / f"{number}.json")
            self._cpu_before_s = before.cpu_s
            return
        raise OSError(f"{self._folder}: more than {_FILES_MAX} processes")

    def _is_taken(self, number: int) -> bool:
        try:
            probe = os.open(self._folder / f"{number}.lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(probe)

    def _files(self) -> Iterator[tuple[int, Path]]:
        for path in self._folder.glob("*.json"):
            if path.stem.isascii() and path.stem.isdigit():
                yield int(path.stem), path


def _read(path: Path) -> tuple[CounterValues, OwnUse]:
    """Counters and use that a file holds; none for a file that is absent or torn."""
    try:
        raw = json.loads(path.read_bytes())
        counters = {tuple(map(str, key)): float(value) for *key, value in raw["counters"]}
        return counters, OwnUse(float(raw["cpu_s"]), int(raw["memory_bytes"]))
    except (OSError, ValueError, TypeError, KeyError):
        return {}, OwnUse(0.0, 0)
