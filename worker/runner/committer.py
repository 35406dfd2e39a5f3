"""Brings what a worker has read to the queue, in a thread of its own: stores results, renews leases, uploads
and finishes chunks.

It renews a lease only while downloads or the recogniser make progress, and drops a chunk before its lease can
have run out: from then on nothing of it is stored, whatever the recogniser still answers.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from cloud_monitor.system.text import describe_error, duration_text
from worker.errors import is_of_process
from worker.exports.jsonl import write_result_file
from worker.queue import LeaseLost, Queue, QueueError, QueueUnavailable, Usage
from worker.queue.statistics.figures import HELD_BACK
from worker.review.kept_files import answering_tokens
from worker.review.pack import pack_key
from worker.runner.active_chunks import ActiveChunk, ActiveChunks
from worker.runner.host_hold import HostHold
from worker.runner.rate import Rate
from worker.runner.thumbnails import Thumbnails
from worker.settings import CommitSettings
from worker.storage import Storage, StorageError

log = logging.getLogger(__name__)

ROUND_S = 0.1
LEASE_MARGIN = 0.1  # of a lease: given up that long before it could have run out
RENEW_AT = 0.6  # of a lease left
PROGRESS_LINE_S = 10
RETRY_S = 1.0  # of an upload that the database or a full disk did not allow
UPLOAD_TRIES = 300


class Committer:
    """One for all chunks of a worker. `close_all` may also be called by the thread that ends the worker."""

    def __init__(
        self,
        queue: Queue,
        results: Storage,
        active: ActiveChunks,
        folder: Path,
        hold: HostHold,
        settings: CommitSettings,
        thumbnails: Thumbnails,
    ) -> None:
        self._thumbnails = thumbnails
        self._queue = queue
        self._results = results
        self._active = active
        self._folder = folder
        self._hold = hold
        self._settings = settings
        self._uploads: dict[ActiveChunk, Future[str]] = {}
        self._uploader = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._round_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._rate = Rate()
        self._line_s = time.monotonic()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Store everything, finish what is complete, give the rest back."""
        self._stopping.set()
        self._thread.join()
        self.close_all()

    def store_all(self) -> None:
        """Store what was answered and keep the leases: for a worker that dies and is to be explained."""
        self._stopping.set()
        with self._round_lock:
            for chunk in self._active.chunks:
                try:
                    self._store(chunk, all_of_it=True)
                except QueueError as error:
                    log.warning("%s: %s", chunk.claim.name, error)

    def close_all(self) -> None:
        """What `stop` does at the end; for the watchdog too, when the recogniser does not end in time."""
        self._stopping.set()
        with self._round_lock:
            for chunk in self._active.chunks:
                if not chunk.complete:
                    chunk.set_released(self._active.leaving_reason or "left")
            while self._active.chunks:
                for chunk in self._active.chunks:
                    self._commit(chunk)
                time.sleep(ROUND_S)
            self._uploader.shutdown()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._active.commit_needed.wait(ROUND_S)
            self._active.commit_needed.clear()
            with self._round_lock:
                for chunk in self._active.chunks:
                    self._commit(chunk)
                self._tell_progress()

    def _commit(self, chunk: ActiveChunk) -> None:
        """One round for one chunk. A database that is away costs rounds, and in the end the lease."""
        try:
            if chunk.lost or chunk.claim.lease.remaining_s() < LEASE_MARGIN * self._settings.lease_s:
                self._lose(chunk, "the lease could not be renewed in time")
            elif self._store(chunk, chunk.complete or chunk.over) and not self._end(chunk):
                self._renew(chunk)
        except LeaseLost as lost:
            self._lose(chunk, str(lost))
        except QueueUnavailable as error:
            log.warning("%s: %s", chunk.claim.name, error)
        except Exception as error:
            log.exception("%s", chunk.claim.name)
            told, is_charged = describe_error(error), not is_of_process(error)
            with suppress(QueueError):
                if is_charged:
                    self._fail(chunk, told, None)
                else:
                    self._queue.release(chunk.claim, told, chunk.usage())
            self._drop(chunk, "failed" if is_charged else "released", told)

    def _store(self, chunk: ActiveChunk, all_of_it: bool) -> bool:
        """Store what is due; whether nothing waits any more."""
        waiting = chunk.results_waiting
        age_s = time.monotonic() - (chunk.results_since_s or time.monotonic())
        if not waiting or not (
            all_of_it or waiting >= self._settings.store_images or age_s >= self._settings.store_s
        ):
            return True
        results = chunk.take_results()
        try:
            with chunk.trace.step("store", images=len(results)):
                chunk.set_claim(self._queue.store(chunk.claim, results))
        except QueueUnavailable:
            chunk.put_back(results)
            raise
        return chunk.results_waiting == 0

    def _end(self, chunk: ActiveChunk) -> bool:
        """Finish, fail or give back a chunk that is at its end; whether it was."""
        usage = chunk.usage()
        if chunk.complete:
            return self._finish(chunk, usage)
        if chunk.fault is not None and not chunk.in_flight:
            self._fail(chunk, chunk.fault, usage)
            log.error("%s: %s", chunk.claim.name, chunk.fault)
            self._drop(chunk, "failed", chunk.fault, with_thumbnails=True)
        elif chunk.released is not None and (not chunk.in_flight or self._stopping.is_set()):
            self._give_back(chunk, chunk.released, usage)
            log.info("%s: given back, %s", chunk.claim.name, chunk.released)
            self._drop(chunk, "released", chunk.released, with_thumbnails=True)
        else:
            self._upload_partial(chunk)
            return False
        return True

    def _fail(self, chunk: ActiveChunk, reason: str, usage: Usage | None) -> None:
        with chunk.trace.step("fail"):
            if self._queue.fail(chunk.claim, reason, usage):
                self._active.note_failed()

    def _give_back(self, chunk: ActiveChunk, reason: str, usage: Usage) -> None:
        """Images that could not be ended in time while the memory of the process grew too large may be the
        cause: they are tried alone next, as after a crash.
        """
        if chunk.in_flight and self._active.outgrown:
            claim, error = chunk.claim, f"the worker left: {reason}"
            if self._queue.crash(claim.chunk, claim.token, sorted(chunk.in_flight), error):
                self._active.note_failed()
        else:
            self._queue.release(chunk.claim, reason, usage)

    def _finish(self, chunk: ActiveChunk, usage: Usage) -> bool:
        """Upload, in several rounds, then finish. What is this host's fault or the database's is tried
        again.
        """
        upload = self._uploads.get(chunk)
        if upload is None:
            upload = self._uploads[chunk] = self._uploader.submit(self._upload, chunk, "results.jsonl")
            upload.add_done_callback(lambda _: self._active.commit_needed.set())
        if not upload.done():
            return False
        error = upload.exception()
        if error is None:
            with chunk.trace.step("finish"):
                self._queue.finish(chunk.claim, usage, upload.result())
            self._uploader.submit(self._sweep, chunk, upload.result()).add_done_callback(_log_failure)
            log.info("%s: done, %d images", chunk.claim.name, chunk.claim.images_total)
        elif _passes(error) and chunk.uploads_failed < UPLOAD_TRIES:
            log.warning("%s: results are not uploaded yet: %s", chunk.claim.name, error)
            chunk.note_failed_upload()
            self._active.note_progress()
            self._uploads[chunk] = self._uploader.submit(self._upload, chunk, "results.jsonl", RETRY_S)
            return False
        else:
            fault, outcome = f"results could not be uploaded: {error}", "failed"
            if isinstance(error, StorageError):
                self._hold.hold(fault)
            if isinstance(error, StorageError) and any(key for _, key in self._queue.ended_files()):
                outcome = "released"  # others could: this host's fault, and not charged to the chunk
                self._queue.release(chunk.claim, f"{HELD_BACK}{fault}", usage)
            else:
                self._fail(chunk, fault, usage)
            log.error("%s: %s", chunk.claim.name, fault)
        self._drop(chunk, "done" if error is None else outcome, str(error or ""))
        return True

    def _renew(self, chunk: ActiveChunk) -> None:
        stalled = time.monotonic() - self._active.progress_s > self._settings.stall_s
        if chunk.claim.lease.remaining_s() < RENEW_AT * self._settings.lease_s and not stalled:
            chunk.set_claim(self._queue.renew(chunk.claim))

    def _upload_partial(self, chunk: ActiveChunk) -> None:
        if time.monotonic() - max(chunk.uploaded_s, chunk.started_s) >= self._settings.upload_s:
            chunk.note_upload()
            self._uploader.submit(self._upload, chunk, "partial.jsonl").add_done_callback(_log_failure)

    def _upload(self, chunk: ActiveChunk, name: str, wait_s: float = 0) -> str:
        """All results of the chunk that are stored, as a file under chunk and token; gives its key."""
        time.sleep(wait_s)
        path = self._folder / f"{chunk.claim.chunk}-{name}"
        try:
            with chunk.trace.step("upload", file=name):
                write_result_file(path, self._queue.stored(chunk.claim))
                key = self._results.put(chunk.claim.folder, chunk.claim.token, name, path)
        finally:
            path.unlink(missing_ok=True)
        self._thumbnails.put(chunk.claim, self._results)
        return key

    def _sweep(self, chunk: ActiveChunk, keep: str) -> None:
        """What earlier claims of the chunk left in storage, and partial files, does not count any more; but
        thumbnails of those whose answers stand.
        """
        if chunk.claim.attempt > 1 or chunk.uploaded_s:
            folder, tokens = chunk.claim.folder, answering_tokens(self._queue.database, chunk.claim.chunk)
            self._results.sweep(folder, {keep, *(pack_key(folder, token) for token in tokens)})

    def _lose(self, chunk: ActiveChunk, why: str) -> None:
        chunk.set_lost()
        log.warning("%s: no longer ours: %s", chunk.claim.name, why)
        self._drop(chunk, "lost", why)

    def _drop(self, chunk: ActiveChunk, outcome: str, error: str = "", with_thumbnails: bool = False) -> None:
        """`outcome`: done, failed, released or lost. Thumbnails of answers that stand are put first."""
        self._uploads.pop(chunk, None)
        if with_thumbnails:
            self._uploader.submit(self._thumbnails.put, chunk.claim, self._results)
        self._uploader.submit(self._thumbnails.forget, chunk.claim)
        self._active.remove(chunk, done=outcome == "done")
        chunk.trace.end(outcome, error, chunk.recognised_from_s, chunk.answered)

    def _tell_progress(self) -> None:
        now_s = time.monotonic()
        self._rate.add(now_s, self._active.images_done)
        if now_s - self._line_s < PROGRESS_LINE_S:
            return
        self._line_s = now_s
        for chunk in self._active.chunks:
            rate = self._rate.images_per_s
            total = chunk.claim.images_total
            left = duration_text(chunk.unanswered / rate if rate else None)
            log.info(
                "%s: %d of %d, %.2f images/s, %s left",
                chunk.claim.name,
                total - chunk.unanswered,
                total,
                rate,
                left,
            )


def _passes(error: BaseException) -> bool:
    """Whether the same upload may go well a little later, without anybody's doing."""
    full_disk = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return full_disk or is_of_process(error) or isinstance(error, QueueUnavailable)


def _log_failure(task: Future[Any]) -> None:
    """Of what nothing depends on: partial results, and files that no longer count."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("storage: %s", error)
