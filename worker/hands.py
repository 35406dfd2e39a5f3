"""The chunks in one worker's hands, shared by its threads, and what is known of each.

The recogniser's thread tells which images it takes and what it read; the keeper's thread takes the results
from here to the queue. Every change is told to the supervisor at once, through the page of vitals.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from worker.jobqueue import Claim, Result, Usage
from worker.storage import Storage
from worker.vitals import ChunkVitals, State, Vitals, VitalsPage


@dataclass(eq=False, slots=True)
class Work:
    """A claimed chunk. `fault` is why it cannot be done; `lost` that it is no longer ours: keep nothing of
    it.
    """

    claim: Claim
    storage: Storage
    started_s: float
    unanswered: int
    in_flight: set[int] = field(default_factory=set)
    results: list[Result] = field(default_factory=list)
    results_since_s: float | None = None
    uploaded_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_bytes: int = 0
    fault: str | None = None
    released: str | None = None
    lost: bool = False

    @property
    def over(self) -> bool:
        """Nothing more is to be recognised of it."""
        return self.lost or self.fault is not None or self.released is not None

    @property
    def complete(self) -> bool:
        return self.unanswered == 0

    def usage(self, now_s: float) -> Usage:
        return Usage(self.cpu_s, self.peak_rss_bytes, now_s - self.started_s)


class Hands:
    """All methods may be called by any thread."""

    def __init__(self, page: VitalsPage | None = None) -> None:
        self._page = page
        self._lock = threading.Lock()
        self._works: list[Work] = []
        self._vitals = Vitals(progress_s=time.monotonic())
        self._cpu_mark_s = time.process_time()
        self._publish()

    @property
    def works(self) -> list[Work]:
        with self._lock:
            return list(self._works)

    @property
    def vitals(self) -> Vitals:
        with self._lock:
            return self._vitals

    def say(self, state: State, held_reason: str = "", leaving_reason: str = "") -> None:
        """Loading, idle (and why nothing is claimed), working or leaving (and why); leaving is for good."""
        with self._lock:
            if self._vitals.state == "leaving":
                return
            now_s = time.monotonic()
            ready_s = self._vitals.ready_s or (None if state == "loading" else now_s)
            self._vitals = replace(
                self._vitals,
                state=state,
                ready_s=ready_s,
                progress_s=now_s,
                held_reason=held_reason,
                leaving_reason=leaving_reason,
            )
            self._publish()

    def take(self, work: Work) -> None:
        with self._lock:
            self._works.append(work)
            self._publish()

    def start(self, work: Work, number: int) -> None:
        """The recogniser takes an image."""
        with self._lock:
            work.in_flight.add(number)
            self._publish()

    def answer(self, work: Work, result: Result) -> None:
        """An image has its result; CPU time since the last answer was this one's."""
        with self._lock:
            now_s, cpu_s = time.monotonic(), time.process_time()
            work.cpu_s += cpu_s - self._cpu_mark_s
            self._cpu_mark_s = cpu_s
            work.in_flight.discard(result.number)
            work.unanswered -= 1
            if not work.lost:
                work.results.append(result)
                work.results_since_s = work.results_since_s or now_s
            self._vitals = replace(self._vitals, progress_s=now_s, images_done=self._vitals.images_done + 1)
            self._publish()

    def take_results(self, work: Work) -> list[Result]:
        with self._lock:
            results, work.results, work.results_since_s = work.results, [], None
            return results

    def put_back(self, work: Work, results: list[Result]) -> None:
        """Results that could not be stored yet."""
        with self._lock:
            work.results = results + work.results
            work.results_since_s = work.results_since_s or time.monotonic()

    def drop(self, work: Work, done: bool) -> None:
        """The chunk leaves the hands, done or not."""
        with self._lock:
            self._works.remove(work)
            if done:
                self._vitals = replace(self._vitals, chunks_done=self._vitals.chunks_done + 1)
            self._publish()

    def see_memory(self, rss_bytes: int, private_bytes: int, shared_bytes: int) -> None:
        with self._lock:
            for work in self._works:
                work.peak_rss_bytes = max(work.peak_rss_bytes, rss_bytes)
            self._vitals = replace(
                self._vitals,
                private_bytes=private_bytes,
                peak_private_bytes=max(self._vitals.peak_private_bytes, private_bytes),
                shared_bytes=shared_bytes,
            )
            self._publish()

    def _publish(self) -> None:
        if self._page is None:
            return
        chunks = tuple(
            ChunkVitals(
                work.claim.chunk,
                work.claim.token,
                work.claim.name,
                work.claim.images_total - work.unanswered,
                work.claim.images_total,
                tuple(sorted(work.in_flight)),
            )
            for work in self._works
        )
        self._page.write(replace(self._vitals, chunks=chunks))
