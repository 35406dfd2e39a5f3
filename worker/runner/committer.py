"""Keeps what a worker has read: stores results, renews leases, uploads and finishes chunks, in a thread of
its own.

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

from cloud_monitor.system.text import duration_text
from worker.exports.result_files import write_result_file
from worker.progress import Rate
from worker.queue import LeaseLost, Queue, QueueError, QueueUnavailable, Usage
from worker.runner.active_chunks import Hands, Work
from worker.settings import Settings
from worker.storage import Storage

log = logging.getLogger(__name__)

ROUND_S = 0.1
LEASE_MARGIN = 0.1  # of a lease: given up that long before it could have run out
RENEW_AT = 0.6  # of a lease left
PROGRESS_LINE_S = 10
RETRY_S = 1.0  # of an upload that the database or a full disk did not allow
UPLOAD_TRIES = 300


class Keeper:
    """One for all chunks of a worker. `keep_once` may also be called by the thread that ends the worker."""

    def __init__(
        self, queue: Queue, results: Storage, hands: Hands, folder: Path, settings: Settings
    ) -> None:
        self._queue = queue
        self._results = results
        self._hands = hands
        self._folder = folder
        self._settings = settings
        self._uploads: dict[Work, Future[str]] = {}
        self._uploader = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
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
        with self._turn:
            for work in self._hands.works:
                try:
                    self._store(work, all_of_it=True)
                except QueueError as error:
                    log.warning("%s: %s", work.claim.name, error)

    def close_all(self) -> None:
        """What `stop` does at the end; for the watcher too, when the recogniser does not end in time."""
        self._stopping.set()
        with self._turn:
            for work in self._hands.works:
                if not work.complete:
                    work.released = work.released or self._hands.leaving_reason or "left"
            while self._hands.works:
                for work in self._hands.works:
                    self._keep(work)
                time.sleep(ROUND_S)
            self._uploader.shutdown()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._hands.keeper_needed.wait(ROUND_S)
            self._hands.keeper_needed.clear()
            with self._turn:
                for work in self._hands.works:
                    self._keep(work)
                self._tell_progress()

    def _keep(self, work: Work) -> None:
        """One round for one chunk. A database that is away costs rounds, and in the end the lease."""
        try:
            if work.lost or work.claim.lease.remaining_s() < LEASE_MARGIN * self._settings.lease_s:
                self._lose(work, "the lease could not be renewed in time")
            elif self._store(work, work.complete or work.over) and not self._end(work):
                self._renew(work)
        except LeaseLost as lost:
            self._lose(work, str(lost))
        except QueueUnavailable as error:
            log.warning("%s: %s", work.claim.name, error)
        except Exception as error:
            log.exception("%s", work.claim.name)
            with suppress(QueueError):
                self._queue.fail(work.claim, f"{type(error).__name__}: {error}")
            self._drop(work, done=False)

    def _store(self, work: Work, all_of_it: bool) -> bool:
        """Store what is due; whether nothing waits any more."""
        waiting = len(work.results)
        age_s = time.monotonic() - (work.results_since_s or time.monotonic())
        if not waiting or not (
            all_of_it or waiting >= self._settings.store_images or age_s >= self._settings.store_s
        ):
            return True
        results = self._hands.take_results(work)
        try:
            work.claim = self._queue.store(work.claim, results)
        except QueueUnavailable:
            self._hands.put_back(work, results)
            raise
        return not work.results

    def _end(self, work: Work) -> bool:
        """Finish, fail or give back a chunk that is at its end; whether it was."""
        usage = work.usage(time.monotonic())
        if work.complete:
            return self._finish(work, usage)
        if work.fault is not None and not work.in_flight:
            self._queue.fail(work.claim, work.fault, usage)
            log.error("%s: %s", work.claim.name, work.fault)
        elif work.released is not None and (not work.in_flight or self._stopping.is_set()):
            self._give_back(work, work.released, usage)
            log.info("%s: given back, %s", work.claim.name, work.released)
        else:
            self._upload_partial(work)
            return False
        self._drop(work, done=False)
        return True

    def _give_back(self, work: Work, reason: str, usage: Usage) -> None:
        """Images that could not be ended in time while the memory of the process grew too large may be the
        cause: they are tried alone next, as after a crash.
        """
        if work.in_flight and self._hands.outgrown:
            claim, error = work.claim, f"the worker left: {reason}"
            self._queue.crash(claim.chunk, claim.token, sorted(work.in_flight), error)
        else:
            self._queue.release(work.claim, reason, usage)

    def _finish(self, work: Work, usage: Usage) -> bool:
        """Upload, in several rounds, then finish. What is this host's fault or the database's is tried
        again.
        """
        upload = self._uploads.get(work)
        if upload is None:
            upload = self._uploads[work] = self._uploader.submit(self._upload, work, "results.jsonl")
            upload.add_done_callback(lambda _: self._hands.keeper_needed.set())
        if not upload.done():
            return False
        error = upload.exception()
        if error is None:
            self._queue.finish(work.claim, usage, upload.result())
            self._uploader.submit(self._sweep, work, upload.result()).add_done_callback(_log_failure)
            log.info("%s: done, %d images", work.claim.name, work.claim.images_total)
        elif _passes(error) and work.uploads_failed < UPLOAD_TRIES:
            log.warning("%s: results are not uploaded yet: %s", work.claim.name, error)
            work.uploads_failed += 1
            self._hands.note_progress()
            self._uploads[work] = self._uploader.submit(self._upload, work, "results.jsonl", RETRY_S)
            return False
        else:
            self._queue.fail(work.claim, f"results could not be uploaded: {error}", usage)
            log.error("%s: results could not be uploaded: %s", work.claim.name, error)
        self._drop(work, done=error is None)
        return True

    def _renew(self, work: Work) -> None:
        stalled = time.monotonic() - self._hands.progress_s > self._settings.stall_s
        if work.claim.lease.remaining_s() < RENEW_AT * self._settings.lease_s and not stalled:
            work.claim = self._queue.renew(work.claim)

    def _upload_partial(self, work: Work) -> None:
        now_s = time.monotonic()
        if now_s - max(work.uploaded_s, work.started_s) >= self._settings.upload_s:
            work.uploaded_s = now_s
            self._uploader.submit(self._upload, work, "partial.jsonl").add_done_callback(_log_failure)

    def _upload(self, work: Work, name: str, wait_s: float = 0) -> str:
        """All results of the chunk that are stored, as a file under chunk and token; gives its key."""
        time.sleep(wait_s)
        path = self._folder / f"{work.claim.chunk}-{name}"
        try:
            write_result_file(path, self._queue.stored(work.claim))
            return self._results.put(work.claim.folder, work.claim.token, name, path)
        finally:
            path.unlink(missing_ok=True)

    def _sweep(self, work: Work, keep: str) -> None:
        """What earlier claims of the chunk left in storage, and partial files, does not count any more."""
        if work.claim.attempt > 1 or work.uploaded_s:
            self._results.sweep(work.claim.folder, keep)

    def _lose(self, work: Work, why: str) -> None:
        work.lost = True
        log.warning("%s: no longer ours: %s", work.claim.name, why)
        self._drop(work, done=False)

    def _drop(self, work: Work, done: bool) -> None:
        self._uploads.pop(work, None)
        self._hands.drop(work, done)

    def _tell_progress(self) -> None:
        now_s = time.monotonic()
        self._rate.add(now_s, self._hands.images_done)
        if now_s - self._line_s < PROGRESS_LINE_S:
            return
        self._line_s = now_s
        for work in self._hands.works:
            rate = self._rate.images_per_s
            total = work.claim.images_total
            left = duration_text(work.unanswered / rate if rate else None)
            log.info(
                "%s: %d of %d, %.2f images/s, %s left",
                work.claim.name,
                total - work.unanswered,
                total,
                rate,
                left,
            )


def _passes(error: BaseException) -> bool:
    """Whether the same upload may go well a little later, without anybody's doing."""
    full_disk = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return full_disk or isinstance(error, QueueUnavailable)


def _log_failure(task: Future[Any]) -> None:
    """Of what nothing depends on: partial results, and files that no longer count."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("storage: %s", error)
