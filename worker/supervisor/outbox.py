"""The supervisor's correspondence with the queue, in a thread of its own: a database that is away must not
stop it from looking after its workers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from worker.queue import Learned, Outstanding, Queue, QueueUnavailable

log = logging.getLogger(__name__)

ROUND_S = 1.0
LEARN_EVERY_S = 60
MOST_LETTERS = 10_000  # what waits for a database that is away; the oldest reports go first, crashes never


@dataclass(frozen=True, slots=True)
class News:
    """What the queue said last, and when (monotonic); `error` is why it says nothing now."""

    outstanding: Outstanding | None = None
    active_chunks: int = 0
    learned: Learned | None = None
    read_s: float = 0.0
    error: str = ""


Letter = Callable[[], None]


class Clerk:
    def __init__(self, queue: Queue, engine: str) -> None:
        self._queue = queue
        self._engine = engine
        self._urgent: deque[Letter] = deque()
        self._letters: deque[Letter] = deque(maxlen=MOST_LETTERS)
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clerk", daemon=True)
        self._learned: Learned | None = None
        self._learned_s: float | None = None
        self.news = News(error="the queue was not asked yet")

    def start(self) -> None:
        self._thread.start()

    def send(self, letter: Letter, urgent: bool = False) -> None:
        """Do it as soon as the queue can be reached; what is urgent (a crash) comes first and is never
        dropped.
        """
        (self._urgent if urgent else self._letters).append(letter)
        if urgent:
            self._wake.set()

    def stop(self, patience_s: float) -> None:
        """Send what waits, for at most that long."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(patience_s)

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            try:
                self._send_all(self._urgent)
                self._send_all(self._letters)
                self.news = self._read_news()
                if stopping:
                    return
            except QueueUnavailable as error:
                log.warning("%s", error)
                self.news = News(learned=self._learned, error=str(error))
            except Exception as error:
                log.exception("the queue could not be read")
                self.news = News(learned=self._learned, error=f"{type(error).__name__}: {error}")
            self._wake.wait(ROUND_S)
            self._wake.clear()

    def _send_all(self, letters: deque[Letter]) -> None:
        """In order; one that waits for the database stays the first, one that is refused is dropped."""
        while letters:
            try:
                letters[0]()
            except QueueUnavailable:
                raise
            except Exception:
                log.exception("the queue refused a report")
            letters.popleft()

    def _read_news(self) -> News:
        now_s = time.monotonic()
        if self._learned_s is None or now_s - self._learned_s > LEARN_EVERY_S:
            self._learned, self._learned_s = self._queue.learned(self._engine), now_s
        tended = self._queue.tend()
        if tended.expired:
            log.info("%d leases of workers that are gone ran out", tended.expired)
        outstanding = self._queue.outstanding()
        return News(outstanding, outstanding.active, self._learned, now_s)
