"""The chunks one worker has claimed, shared by its threads, and what is known of each.

The recogniser's thread tells which images it takes and what it read; the committer's thread takes the results
from here to the queue. What the supervisor must know of a dead worker is told it at once, through the page
of status.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from worker.queue import Claim, Result, Usage
from worker.runner.worker_status import FLIGHT_SLOTS, ChunkStatus, State, WorkerStatus, WorkerStatusPage
from worker.storage import Storage

PUBLISH_S = 0.1  # between two words about mere progress


@dataclass(eq=False, slots=True)
class ActiveChunk:
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


class ActiveChunks:
    """All methods may be called by any thread."""

    def __init__(self, page: WorkerStatusPage) -> None:
        self._page = page
        self._lock = threading.Lock()
        self._chunks: list[ActiveChunk] = []
        self._status = WorkerStatus()
        self._slots: dict[tuple[int, int, int], int] = {}
        self._free_slots = list(range(FLIGHT_SLOTS))
        self._cpu_mark_s = time.process_time()
        self._published_s = 0.0
        self.commit_needed = threading.Event()  # at once, not only when its round comes
        self.outgrown = False  # leaves for its own memory: what the recogniser has may be the cause
        self.images_done = 0
        self.progress_s = time.monotonic()
        self._publish()

    @property
    def chunks(self) -> list[ActiveChunk]:
        with self._lock:
            return list(self._chunks)

    @property
    def leaving_reason(self) -> str:
        return self._status.leaving_reason

    @property
    def is_ready(self) -> bool:
        return self._status.ready_s is not None

    def say(self, state: State, held_reason: str = "", leaving_reason: str = "") -> None:
        """Loading, idle (and why nothing is claimed), working or leaving (and why); leaving is for good."""
        with self._lock:
            if self._status.state == "leaving":
                return
            now_s = time.monotonic()
            if self._status.state != state:
                self.progress_s = now_s
            if self._status.state == "loading":
                self._cpu_mark_s = time.process_time()
            self._status = replace(
                self._status,
                state=state,
                ready_s=self._status.ready_s or (None if state in ("loading", "leaving") else now_s),
                held_reason=held_reason,
                leaving_reason=leaving_reason,
            )
            self._publish()

    def take(self, chunk: ActiveChunk) -> None:
        with self._lock:
            self._chunks.append(chunk)
            self.progress_s = time.monotonic()
            self._publish()

    def note_progress(self) -> None:
        """Work goes on, though the recogniser has nothing of it just now: an image is on disk, an upload is
        tried again.
        """
        self.progress_s = time.monotonic()

    def start(self, chunk: ActiveChunk, number: int) -> None:
        """The recogniser takes an image."""
        with self._lock:
            chunk.in_flight.add(number)
            slot = self._slots[_image_of(chunk, number)] = self._free_slots.pop()
            self._page.set_in_flight(slot, chunk.claim.chunk, number)

    def answer(self, chunk: ActiveChunk, result: Result) -> None:
        """An image has its result; CPU time since the last answer was this one's."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        with self._lock:
            chunk.cpu_s += cpu_s - self._cpu_mark_s
            self._cpu_mark_s = cpu_s
            chunk.unanswered -= 1
            if chunk.complete:
                self.commit_needed.set()
            chunk.in_flight.discard(result.number)
            if not chunk.lost:
                chunk.results.append(result)
                chunk.results_since_s = chunk.results_since_s or now_s
            self.progress_s = now_s
            self.images_done += 1
            if self.images_done == 1 or now_s - self._published_s > PUBLISH_S:
                self._publish()
            slot = self._slots.pop(_image_of(chunk, result.number), None)
            if slot is not None:  # an image that could not be had was never in flight
                self._page.clear_in_flight(slot)
                self._free_slots.append(slot)

    def take_results(self, chunk: ActiveChunk) -> list[Result]:
        with self._lock:
            results, chunk.results, chunk.results_since_s = chunk.results, [], None
            return results

    def put_back(self, chunk: ActiveChunk, results: list[Result]) -> None:
        """Results that could not be stored yet."""
        with self._lock:
            chunk.results = results + chunk.results
            chunk.results_since_s = chunk.results_since_s or time.monotonic()

    def drop(self, chunk: ActiveChunk, done: bool) -> None:
        """The chunk is the worker's no more, done or not."""
        with self._lock:
            self._chunks.remove(chunk)
            if done:
                self._status = replace(self._status, chunks_done=self._status.chunks_done + 1)
            self._publish()

    def see_memory(self, rss_bytes: int, private_bytes: int, shared_bytes: int) -> None:
        with self._lock:
            for chunk in self._chunks:
                chunk.peak_rss_bytes = max(chunk.peak_rss_bytes, rss_bytes)
            self._status = replace(
                self._status,
                private_bytes=private_bytes,
                peak_private_bytes=max(self._status.peak_private_bytes, private_bytes),
                shared_bytes=shared_bytes,
            )
            self._publish()

    def _publish(self) -> None:
        self._published_s = time.monotonic()
        chunks = tuple(
            ChunkStatus(
                chunk.claim.chunk,
                chunk.claim.token,
                chunk.claim.name,
                chunk.claim.images_total - chunk.unanswered,
                chunk.claim.images_total,
            )
            for chunk in self._chunks
        )
        status = replace(
            self._status, chunks=chunks, progress_s=self.progress_s, images_done=self.images_done
        )
        self._page.write(status)


def _image_of(chunk: ActiveChunk, number: int) -> tuple[int, int, int]:
    """An image of one claim: the same chunk may be lost and claimed again while it is in the recogniser."""
    return chunk.claim.chunk, chunk.claim.token, number
