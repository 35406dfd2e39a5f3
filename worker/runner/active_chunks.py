"""The chunks one worker has claimed, shared by its threads, and what is known of each.

The recogniser's thread tells which images it takes and what it read; the committer's thread takes the results
from here to the queue. What the supervisor must know of a dead worker is told it at once, through the page
of the worker's status.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from worker.queue import Claim, QueuedImage, Result, Usage
from worker.runner.worker_status import FLIGHT_SLOTS, ChunkStatus, State, WorkerStatus, WorkerStatusPage
from worker.storage import Storage
from worker.telemetry import ChunkTrace

PUBLISH_S = 0.1  # between two reports of mere progress


class ActiveChunk:
    """A claimed chunk. Any thread may read its fields; they are written by its methods alone, under its lock.

    `fault` is why it cannot be done, `released` why it is given back; `lost` that it is no longer ours: keep
    nothing of it. `unanswered` counts its images without a result.
    """

    def __init__(self, claim: Claim, storage: Storage, trace: ChunkTrace | None = None) -> None:
        self._lock = threading.Lock()
        self._results: list[Result] = []
        self._cpu_s = 0.0
        self._peak_rss_bytes = 0
        self.claim = claim
        self.storage = storage
        self.trace = trace or ChunkTrace()
        self.started_s = time.monotonic()
        self.recognised_from_s: float | None = None  # epoch
        self.unanswered = len(claim.images)
        self.in_flight: frozenset[int] = frozenset()
        self.results_since_s: float | None = None
        self.uploaded_s = 0.0
        self.uploads_failed = 0
        self.fault: str | None = None
        self.released: str | None = None
        self.lost = False

    @property
    def over(self) -> bool:
        """Nothing more is to be recognised of it."""
        return self.lost or self.fault is not None or self.released is not None

    @property
    def complete(self) -> bool:
        return self.unanswered == 0

    @property
    def answered(self) -> int:
        """Images that had their result from this claim."""
        return len(self.claim.images) - self.unanswered

    @property
    def results_waiting(self) -> int:
        """Results that are not stored yet."""
        return len(self._results)

    def usage(self) -> Usage:
        with self._lock:
            return Usage(self._cpu_s, self._peak_rss_bytes, time.monotonic() - self.started_s)

    def status(self) -> ChunkStatus:
        claim = self.claim
        return ChunkStatus(
            claim.chunk, claim.token, claim.name, claim.images_total - self.unanswered, claim.images_total
        )

    def start_image(self, number: int) -> None:
        with self._lock:
            self.recognised_from_s = self.recognised_from_s or time.time()
            self.in_flight |= {number}

    def drop_image(self, number: int) -> None:
        """It has no result, and is not in flight any more."""
        with self._lock:
            self.in_flight -= {number}

    def add_result(self, result: Result, cpu_s: float) -> None:
        """An image has its result, which took that CPU time."""
        with self._lock:
            self._cpu_s += cpu_s
            self.unanswered -= 1
            self.in_flight -= {result.number}
            if not self.lost:
                self._results.append(result)
                self.results_since_s = self.results_since_s or time.monotonic()

    def take_results(self) -> list[Result]:
        """Those that are not stored yet; they are the caller's to store or to put back."""
        with self._lock:
            results, self._results, self.results_since_s = self._results, [], None
            return results

    def put_back(self, results: list[Result]) -> None:
        """Results that could not be stored yet."""
        with self._lock:
            self._results = results + self._results
            self.results_since_s = self.results_since_s or time.monotonic()

    def set_claim(self, claim: Claim) -> None:
        """The same claim with a new lease."""
        with self._lock:
            self.claim = self.claim.with_lease(claim.lease)

    def add_pages(self, pages: tuple[QueuedImage, ...]) -> None:
        """Of one of its images, which has no result yet."""
        with self._lock:
            self.claim = self.claim.with_pages(pages)
            self.unanswered += len(pages)

    def note_memory(self, rss_bytes: int) -> None:
        with self._lock:
            self._peak_rss_bytes = max(self._peak_rss_bytes, rss_bytes)

    def note_upload(self) -> None:
        """A file of partial results goes to storage."""
        with self._lock:
            self.uploaded_s = time.monotonic()

    def note_failed_upload(self) -> None:
        with self._lock:
            self.uploads_failed += 1

    def set_fault(self, reason: str) -> None:
        """The first reason stays, as with `set_released`."""
        with self._lock:
            self.fault = self.fault or reason

    def set_released(self, reason: str) -> None:
        with self._lock:
            self.released = self.released or reason

    def set_lost(self) -> None:
        with self._lock:
            self.lost = True


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
        self.outgrown = False
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

    def set_state(self, state: State, held_reason: str = "", leaving_reason: str = "") -> None:
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

    def add(self, chunk: ActiveChunk) -> None:
        with self._lock:
            self._chunks.append(chunk)
            self.progress_s = time.monotonic()
            self._publish()

    def add_pages(self, chunk: ActiveChunk, pages: tuple[QueuedImage, ...]) -> None:
        """A file of the chunk turned out to have more."""
        with self._lock:
            chunk.add_pages(pages)
            self.progress_s = time.monotonic()
            self._publish()

    def note_progress(self) -> None:
        """Work goes on, though the recogniser has nothing of it just now: an image is on disk, an upload is
        tried again.
        """
        with self._lock:
            self.progress_s = time.monotonic()

    def set_outgrown(self) -> None:
        """The worker leaves for its own memory: what the recogniser has may be the cause."""
        with self._lock:
            self.outgrown = True

    def start_image(self, chunk: ActiveChunk, number: int) -> None:
        """The recogniser takes an image."""
        with self._lock:
            chunk.start_image(number)
            slot = self._slots[_image_of(chunk, number)] = self._free_slots.pop()
            self._page.set_in_flight(slot, chunk.claim.chunk, number)

    def add_result(self, chunk: ActiveChunk, result: Result) -> None:
        """An image has its result; CPU time since the last one was this one's."""
        now_s, cpu_s = time.monotonic(), time.process_time()
        with self._lock:
            chunk.add_result(result, cpu_s - self._cpu_mark_s)
            self._cpu_mark_s = cpu_s
            if chunk.complete:
                self.commit_needed.set()
            self.progress_s = now_s
            self.images_done += 1
            if self.images_done == 1 or now_s - self._published_s > PUBLISH_S:
                self._publish()
            self._land(chunk, result.number)

    def drop_image(self, chunk: ActiveChunk, number: int) -> None:
        """The recogniser has given it up without an answer, for no fault of the image's."""
        with self._lock:
            chunk.drop_image(number)
            self._land(chunk, number)

    def _land(self, chunk: ActiveChunk, number: int) -> None:
        slot = self._slots.pop(_image_of(chunk, number), None)
        if slot is not None:  # an image that could not be had was never in flight
            self._page.clear_in_flight(slot)
            self._free_slots.append(slot)

    def remove(self, chunk: ActiveChunk, done: bool) -> None:
        """The chunk is this worker's no more, done or not."""
        with self._lock:
            self._chunks.remove(chunk)
            if done:
                self._status = replace(self._status, chunks_done=self._status.chunks_done + 1)
            self._publish()

    def note_failed(self) -> None:
        """A chunk was given up after a fault that this worker recorded."""
        with self._lock:
            self._status = replace(self._status, chunks_failed=self._status.chunks_failed + 1)
            self._publish()

    def note_memory(self, rss_bytes: int, private_bytes: int, shared_bytes: int) -> None:
        with self._lock:
            for chunk in self._chunks:
                chunk.note_memory(rss_bytes)
            self._status = replace(
                self._status,
                private_bytes=private_bytes,
                peak_private_bytes=max(self._status.peak_private_bytes, private_bytes),
                shared_bytes=shared_bytes,
            )
            self._publish()

    def _publish(self) -> None:
        self._published_s = time.monotonic()
        self._page.write(
            replace(
                self._status,
                chunks=tuple(chunk.status() for chunk in self._chunks),
                progress_s=self.progress_s,
                written_s=self._published_s,
                images_done=self.images_done,
            )
        )


def _image_of(chunk: ActiveChunk, number: int) -> tuple[int, int, int]:
    """An image of one claim: the same chunk may be lost and claimed again while it is in the recogniser."""
    return chunk.claim.chunk, chunk.claim.token, number
