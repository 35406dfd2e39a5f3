"""How a worker gets its next chunk: first the gate, then the queue, with room reserved for what it will
download.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from worker.gate.admission import admit_chunk
from worker.gate.model import Decision, GateLimits, Reason
from worker.gate.temporary import TempFolder, read_temp_use, temp_claims
from worker.queue import (
    NO_NEED,
    Claim,
    DecisionNote,
    Queue,
    QueueError,
    QueueUnavailable,
    StatedNeed,
)
from worker.recognition import Recogniser
from worker.runner.active_chunks import ActiveChunk, ActiveChunks
from worker.settings import ClaimSettings
from worker.storage import Storage, open_storage
from worker.telemetry import ChunkTrace, WorkerTelemetry

log = logging.getLogger(__name__)

REPEAT_EVERY_S = 10.0  # an unchanged decision is noted again


class Claimer:
    """Called with nothing, gives a chunk with its storage, or a sentence why there is none."""

    def __init__(
        self,
        name: str,
        host: str,
        queue: Queue,
        recogniser: Recogniser,
        active: ActiveChunks,
        folder: TempFolder,
        limits: GateLimits,
        settings: ClaimSettings,
        room: StatedNeed = NO_NEED,
        telemetry: WorkerTelemetry | None = None,
    ) -> None:
        self._name = name
        self._host = host
        self._queue = queue
        self._recogniser = recogniser
        self._active = active
        self._folder = folder
        self._limits = limits
        self._settings = settings
        self._room = room
        self._telemetry = telemetry or WorkerTelemetry()
        self._storages: dict[str, Storage] = {}
        self._notes = ThreadPoolExecutor(1, thread_name_prefix="notes")
        self._noted: Reason | None = None
        self._noted_s = 0.0

    def __call__(self) -> ActiveChunk | str:
        try:
            return self._claim()
        except QueueUnavailable as error:
            return str(error)
        except OSError as error:  # the temporary folder cannot be counted or written
            return f"temporary folder {self._folder.path}: {error}"

    def close(self) -> None:
        self._notes.shutdown()
        for storage in self._storages.values():
            storage.close()

    def _claim(self) -> ActiveChunk | str:
        temp_dir = Path(self._settings.temp_dir)
        maximum = self._limits.max_active_chunks
        active_chunks = self._queue.active_chunks() if maximum is not None else 0
        self._folder.count()
        with temp_claims(temp_dir):
            own_bytes = {self._folder.path.name: self._bytes_to_come()}
            temp = read_temp_use(temp_dir, self._settings.temp_limit_bytes, own_bytes)
            decision = admit_chunk(temp, active_chunks, self._limits)
            self._reserve(one_more=decision.admitted)
        if not decision.admitted:
            self._note(decision)
            return decision.text
        with self._telemetry.claiming() as trace:
            claim = self._queue.claim(
                self._name, self._host, self._recogniser.engine, self._recogniser.model, maximum, self._room
            )
            if claim is None:
                self._reserve(one_more=False)
                return "no chunk waits to be claimed"
            trace.claimed(claim)
        self._note(decision)
        if self._telemetry.is_on:
            self._notes.submit(self._tell_started, trace, claim, active_chunks + 1, temp.used_bytes)
        storage = self._storages.get(claim.source)
        if storage is None:
            storage = self._storages[claim.source] = open_storage(claim.source, self._settings)
        log.info("%s: claimed, %d of %d images to do", claim.name, len(claim.images), claim.images_total)
        return ActiveChunk(claim, storage, trace)

    def _reserve(self, one_more: bool) -> None:
        """Room for what is left of the active chunks, and for the one that is about to be claimed."""
        self._folder.reserve(self._bytes_to_come() + one_more * self._limits.chunk_bytes)

    def _bytes_to_come(self) -> int:
        limits = self._limits
        return sum(
            chunk.unanswered * limits.image_bytes + chunk.answered * limits.thumbnail_bytes
            for chunk in self._active.chunks
        )

    def _note(self, decision: Decision) -> None:
        """One like the last only now and then."""
        now_s = time.monotonic()
        if decision.reason == self._noted and now_s - self._noted_s < REPEAT_EVERY_S:
            return
        self._noted, self._noted_s = decision.reason, now_s
        note = DecisionNote(
            self._host, "claim", decision.admitted, decision.reason, decision.figures, decision.text
        )
        self._notes.submit(self._send, note)  # no claim waits for it

    def _tell_started(self, trace: ChunkTrace, claim: Claim, active_chunks: int, temp_bytes: int) -> None:
        """With the active chunks as the queue counts them, or, where it cannot be asked, as it did before."""
        with suppress(QueueError):
            active_chunks = self._queue.active_chunks()
        trace.started(claim, active_chunks, temp_bytes)

    def _send(self, note: DecisionNote) -> None:
        try:
            self._queue.note_decision(note)
        except QueueUnavailable as error:
            log.warning("%s", error)
        except Exception:
            log.exception("a decision was not noted")
