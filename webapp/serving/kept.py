"""What a source beside Graphite said last, kept for moments: open pages ask every few seconds, and many may.

One request asks at a time. A fault is kept too, and longer: where the source does not answer, each request
would else wait for it in turn, until no thread is left that answers anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

Read = TypeVar("Read")

KEPT_S = 2.0
KEPT_TIMES = 20  # or so many times as long as it took to read: pages are a small part of the source's work
FAULT_KEPT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[Read]):
    key: Hashable
    until_s: float
    read: Read | None
    fault: Exception | None


class KeptReading(Generic[Read]):
    """The last outcome of one key; `faults` are the exceptions that are kept and raised again."""

    def __init__(
        self, faults: type[Exception], clock: Callable[[], float] = time.monotonic, kept_s: float = KEPT_S
    ) -> None:
        self._faults = faults
        self._clock = clock
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._last: _Outcome[Read] | None = None

    def get(self, key: Hashable, read: Callable[[], Read]) -> Read:
        with self._lock:
            last = self._last
            if last is None or last.key != key or self._clock() >= last.until_s:
                self._last = last = self._ask(key, read)
        if last.fault is not None:
            raise last.fault.with_traceback(None)  # which would else grow each time
        return last.read  # type: ignore[return-value]

    def _ask(self, key: Hashable, read: Callable[[], Read]) -> _Outcome[Read]:
        began_s = self._clock()
        try:
            found = read()
        except self._faults as fault:
            return _Outcome(key, self._clock() + FAULT_KEPT_S, None, fault)
        ended_s = self._clock()
        return _Outcome(key, ended_s + max(self._kept_s, KEPT_TIMES * (ended_s - began_s)), found, None)

    def forget(self) -> None:
        """What is kept is not true any more."""
        with self._lock:
            self._last = None


@dataclass(frozen=True, slots=True)
class _Fault:
    key: Hashable
    until_s: float
    fault: Exception


class KeptFault:
    """For readings that are each another: what is read is not kept, and many read at once. After a fault all
    are refused with it for a while, and then one tries again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last: _Fault | None = None

    def run(self, key: Hashable, read: Callable[[], Read], faults: type[Exception]) -> Read:
        """What is read. Raises those of `faults` that it raises, or that a reading of this key did lately."""
        with self._lock:
            last = self._last
            if last is not None and last.key == key:
                if self._clock() < last.until_s:
                    raise last.fault.with_traceback(None)  # which would else grow each time
                self._last = replace(last, until_s=self._clock() + FAULT_KEPT_S)  # others wait for this try
        try:
            found = read()
        except faults as fault:
            with self._lock:
                self._last = _Fault(key, self._clock() + FAULT_KEPT_S, fault)
            raise
        with self._lock:
            if self._last is not None and self._last.key == key:
                self._last = None
        return found
