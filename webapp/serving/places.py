"""Calls to what may never answer, such as a share that hangs: few at once, each in a thread of its own, so
that whoever asks waits for a bounded time and the page's own threads go on.

A call that takes too long keeps its place until it ends: the source is still busy with it. After such a one,
and after a fault of the source, nobody asks for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from webapp.serving.kept import FAULT_KEPT_S

Answer = TypeVar("Answer")

AT_ONCE = 4
WAITING_MOST = 3  # for a place: of `threads` (8 unless set) one is left in any case
WAIT_S = 1.0


class SourceAway(Exception):
    """There is no place, or the source does not answer; the message says which."""


class Places(Generic[Answer]):
    """`faults` are those of the source as a whole."""

    def __init__(
        self,
        faults: tuple[type[Exception], ...],
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._faults = faults
        self._timeout_s = timeout_s
        self._clock = clock
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._waiting = threading.BoundedSemaphore(WAITING_MOST)
        self._away: tuple[float, str] = (0.0, "")  # until when, and why

    def call(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` gives. Raises what it raises, but SourceAway for faults of the source."""
        until_s, why = self._away
        if self._clock() < until_s:
            raise SourceAway(why)
        if not self._take():
            raise SourceAway(f"{AT_ONCE} others are being answered; try again shortly")
        answer = self._start(ask)
        try:
            return answer.result(self._timeout_s)
        except TimeoutError:
            if answer.done():  # its own
                raise
            raise self._gone(f"no answer within {self._timeout_s:g} s") from None
        except self._faults as fault:
            raise self._gone(str(fault)) from None

    def _gone(self, why: str) -> SourceAway:
        self._away = self._clock() + FAULT_KEPT_S, why
        return SourceAway(why)

    def _take(self) -> bool:
        if self._free.acquire(blocking=False):
            return True
        if not self._waiting.acquire(blocking=False):
            return False
        try:
            return self._free.acquire(timeout=WAIT_S)
        finally:
            self._waiting.release()

    def _start(self, ask: Callable[[], Answer]) -> Future[Answer]:
        answer: Future[Answer] = Future()

        def run() -> None:
            try:
                answer.set_result(ask())
            except BaseException as error:  # noqa: BLE001 - raised again by who waits
                answer.set_exception(error)
            finally:
                self._free.release()

        try:
            threading.Thread(target=run, name="place", daemon=True).start()
        except RuntimeError:  # no more threads
            self._free.release()
            raise
        return answer
