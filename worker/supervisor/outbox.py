"""The supervisor's calls to the queue, in a thread of its own: a database that is away must not
stop it from looking after its workers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from cloud_monitor.repeated_failures import OngoingFailure
from cloud_monitor.system.text import describe_error
from worker.gate.stated_needs import too_large_text
from worker.queue import Outstanding, Queue, QueueUnavailable, StatedNeed, UsageStatistics
from worker.supervisor.wish_rounds import WishRounds

log = logging.getLogger(__name__)

ROUND_S = 1.0
STATISTICS_EVERY_S = 60
GONE_S = 24.5  # so a supervisor is gone, before who asked it loses patience
FLUSH_S = 10.0  # for the last reports, where the workers leave so much
MOST_CALLS = 10_000  # what waits for a database that is away; the oldest reports go first, crashes never


@dataclass(frozen=True, slots=True)
class QueueState:
    """What the queue said last, and when (monotonic); `error` is why it says nothing now."""

    outstanding: Outstanding | None = None
    active_chunks: int = 0
    statistics: UsageStatistics | None = None
    read_s: float = 0.0
    error: str = ""
    leave: bool = False  # the machine manager wants this host's machine
    manager_silent_s: float | None = None  # None: there was none yet, or it is not known
    wishes: bool = False  # something is asked for that may become work of here

    def why_empty(self, room: StatedNeed) -> str:
        """Nothing is pending or active that fits into `room`: what a supervisor says that ends for it."""
        left = self.outstanding
        if left is not None and (text := too_large_text(left.stated, room)):
            return text
        if left is None or not (left.paused or left.unreadable):
            return "the queue is empty"
        return (
            f"what is left in the queue is not for workers of here: {left.paused} chunks are paused, "
            f"{left.unreadable} ask for another model"
        )


Call = Callable[[], None]


class Outbox:
    """`model` tells which one this host's workers have; None while it is not known."""

    def __init__(
        self,
        queue: Queue,
        engine: str,
        host: str = "",
        model: Callable[[], str | None] = lambda: None,
        wishes: WishRounds | None = None,
    ) -> None:
        self._queue = queue
        self._host = host
        self._model = model
        self._engine = engine
        self._wishes = wishes
        self._urgent: deque[Call] = deque()
        self._calls: deque[Call] = deque(maxlen=MOST_CALLS)
        self._outage = OngoingFailure(STATISTICS_EVERY_S)
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self.given_up = 0  # chunks, after a fault that was recorded here
        self._statistics: UsageStatistics | None = None
        self._statistics_s: float | None = None
        self.queue_state = QueueState(error="the queue was not asked yet")

    def start(self) -> None:
        self._thread.start()

    def send(self, call: Call, urgent: bool = False) -> None:
        """Do it as soon as the queue can be reached; what is urgent (a crash) comes first and is never
        dropped.
        """
        (self._urgent if urgent else self._calls).append(call)
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
                self._send_all(self._calls)
                if stopping and self._wishes is not None:
                    self._wishes.stop()
                self.queue_state = self._read_state()
                self._outage.end()
                if stopping:
                    return
            except QueueUnavailable as error:
                if self._outage.is_to_be_told(str(error)):
                    log.warning("%s", error)
                self.queue_state = QueueState(statistics=self._statistics, error=str(error))
            except Exception as error:
                log.exception("the queue could not be read")
                self.queue_state = QueueState(statistics=self._statistics, error=describe_error(error))
            self._wake.wait(ROUND_S)
            self._wake.clear()

    def _send_all(self, calls: deque[Call]) -> None:
        """In order; one that waits for the database stays the first, one that is refused is dropped."""
        while calls:
            try:
                calls[0]()
            except QueueUnavailable:
                raise
            except Exception:
                log.exception("the queue refused a report")
            calls.popleft()

    def _read_state(self) -> QueueState:
        now_s = time.monotonic()
        if self._statistics_s is None or now_s - self._statistics_s > STATISTICS_EVERY_S:
            self._statistics, self._statistics_s = self._queue.usage_statistics(self._engine), now_s
        maintained = self._queue.maintain()
        self.given_up += maintained.given_up
        if maintained.expired:
            log.info("%d leases of workers that are gone ran out", maintained.expired)
        wishes = self._wishes is not None and self._wishes.round()  # before what they add is counted
        outstanding = self._queue.outstanding(self._model())
        leave, silent_s = self._queue.leave_word(self._host)
        return QueueState(
            outstanding, outstanding.active, self._statistics, now_s, "", leave, silent_s, wishes
        )


def last_words_s(took_s: float) -> float:
    """How long the last reports may wait for the queue, after so long a leave-taking."""
    return min(FLUSH_S, max(0.0, GONE_S - took_s))
