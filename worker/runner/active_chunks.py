"""The chunks in one worker's hands, shared by its threads, and what is known of each.

The recogniser's thread tells which images it takes and what it read; the keeper's thread takes the results
from here to the queue. What the supervisor must know of a dead worker is told it at once, through the page
of vitals.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from worker.queue import Claim, Result, Usage
from worker.runner.worker_status import FLIGHT_SLOTS, ChunkVitals, State, Vitals, VitalsPage
from worker.storage import Storage

PUBLISH_S = 0.1  # between two words about mere progress


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
    uploads_failed: int = 0
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

    def __init__(self, page: VitalsPage) -> None:
        self._page = page
        self._lock = threading.Lock()
        self._works: list[Work] = []
        self._vitals = Vitals()
        self._slots: dict[tuple[int, int, int], int] = {}
        self._free_slots = list(range(FLIGHT_SLOTS))
        self._cpu_mark_s = time.process_time()
        self._published_s = 0.0
        self.keeper_needed = threading.Event()  # at once, not only when its round comes
        self.outgrown = False  # leaves for its own memory: what the recogniser has may be the cause
        self.images_done = 0
        self.progress_s = time.monotonic()
        self._publish()

    @property
    def works(self) -> list[Work]:
        with self._lock:
            return list(self._works)

    @property
    def leaving_reason(self) -> str:
        return self._vitals.leaving_reason

    @property
    def is_ready(self) -> bool:
        return self._vitals.ready_s is not None

    def say(self, state: State, held_reason: str = "", leaving_reason: str = "") -> None:
        """Loading, idle (and why nothing is claimed), working or leaving (and why); leaving is for good."""
        with self._lock:
            if self._vitals.state == "leaving":
                return
            now_s = time.monotonic()
            if self._vitals.state != state:
                self.progress_s = now_s
            if self._vitals.state == "loading":
                self._cpu_mark_s = time.process_time()
            self._vitals = replace(
                self._vitals,
                state=state,
                ready_s=self._vitals.ready_s or (None if state in ("loading", "leaving") else now_s),
                held_reason=held_reason,
                leaving_reason=leaving_reason,
            )
            self._publish()

    def take(self, work: Work) -> None:
        with self._lock:
            self._works.append(work)
            self.progress_s = time.monotonic()
            self._publish()

    def note_progress(self) -> None:
        """Work goes on, though the recogniser has nothing of it just now: an image is on disk, an upload is
        tried again.
        """
        self.progress_s = time.monotonic()

    def start(self, work: Work, number: int) -> None:
        """The recogniser takes an image."""
        with self._lock:
            work.in_flight.add(number)
            slot = self._slots[_image_of(work, number)] = self._free_slots.pop()
            self._page.set_in_flight(slot, work.claim.chunk, number)

    def answer(self, work: Work, result: Result) -> None:
        """An image has its result; CPU time since the last answer was this one's."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        with self._lock:
            work.cpu_s += cpu_s - self._cpu_mark_s
            self._cpu_mark_s = cpu_s
            work.unanswered -= 1
            if work.complete:
                self.keeper_needed.set()
            work.in_flight.discard(result.number)
            if not work.lost:
                work.results.append(result)
                work.results_since_s = work.results_since_s or now_s
            self.progress_s = now_s
            self.images_done += 1
            if self.images_done == 1 or now_s - self._published_s > PUBLISH_S:
                self._publish()
            slot = self._slots.pop(_image_of(work, result.number), None)
            if slot is not None:  # an image that could not be had was never in flight
                self._page.clear_in_flight(slot)
                self._free_slots.append(slot)

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
        self._published_s = time.monotonic()
        chunks = tuple(
            ChunkVitals(
                work.claim.chunk,
                work.claim.token,
                work.claim.name,
                work.claim.images_total - work.unanswered,
                work.claim.images_total,
            )
            for work in self._works
        )
        vitals = replace(
            self._vitals, chunks=chunks, progress_s=self.progress_s, images_done=self.images_done
        )
        self._page.write(vitals)


def _image_of(work: Work, number: int) -> tuple[int, int, int]:
    """An image of one claim: the same chunk may be lost and claimed again while it is in the recogniser."""
    return work.claim.chunk, work.claim.token, number
