"""Claims chunks and downloads their images ahead of the recogniser, in a thread of its own.

The next chunk is claimed when the last image of the one before has been handed to the downloads, so that
the recogniser finds images ready across the border between two chunks. Images are handed on in runs: one at
a time would cost more than a fast recogniser has.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from worker.gate.temporary import TempFolder
from worker.queue import QueuedImage
from worker.queue.statistics.figures import HELD_BACK
from worker.runner.active_chunks import ActiveChunk, ActiveChunks
from worker.runner.fetched import FetchedImage, ImageRun, LocalFile, Pages, discard, is_of_one_file, remove
from worker.runner.host_hold import HostHold, StorageTrial
from worker.storage import ImageMissing, StorageError

log = logging.getLogger(__name__)

DISK_PAUSE_S = 10.0
DISK_PATIENCE_S = 30  # a full disk empties as others finish; then the chunk is given back
COUNT_EVERY_S = 0.5  # what the images on disk hold
BEGUN_S = 0.2
IDLE_FIRST_S, IDLE_MOST_S = 0.2, 5.0  # between two claims that found nothing


class Fetcher:
    """`claim` gives a chunk with its storage, or a sentence why there is none just now."""

    def __init__(
        self,
        claim: Callable[[], ActiveChunk | str],
        active: ActiveChunks,
        folder: TempFolder,
        leaving: threading.Event,
        hold: HostHold,
        trial: StorageTrial,
        ahead_images: int,
        ahead_threads: int,
        pages: Pages,
    ) -> None:
        self._claim = claim
        self._count_pages, self._add_pages = pages.count, pages.add
        self._active = active
        self._folder = folder
        self._counted_s = 0.0
        self._leaving = leaving
        self._hold = hold
        self._trial = trial
        self._run_images = max(1, ahead_images // ahead_threads)
        self._room = threading.Semaphore(max(1, ahead_images // self._run_images))
        self._pool = ThreadPoolExecutor(ahead_threads, thread_name_prefix="download")
        self._ready: queue.SimpleQueue[ImageRun] = queue.SimpleQueue()
        self._next: ImageRun | None = None
        self._used: deque[LocalFile] = deque()
        self._thread = threading.Thread(target=self._claim_and_download, name="fetcher")
        self._disk_error = ("", -DISK_PAUSE_S)
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait for the end of claiming and downloading; `leaving` must be set."""
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def next_run(self, timeout_s: float) -> ImageRun | None:
        """The next images in order of claim; None when none were claimed, or not downloaded, in time. A
        download that was begun is worth a moment: a stream that ends leaves the recogniser's slots empty.
        """
        if self._next is None:
            with suppress(queue.Empty):
                self._next = self._ready.get(timeout=timeout_s) if timeout_s else self._ready.get_nowait()
        if self._next is None or not wait([self._next.fetched], max(timeout_s, BEGUN_S)).done:
            return None
        run, self._next = self._next, None
        self._room.release()
        return run

    def tidy(self, fetched: FetchedImage) -> None:
        """Its file is not needed any more, and goes soon; the recogniser does not wait for that."""
        self._used.append(fetched.file)

    def _tidy(self) -> None:
        """The claims of other workers count on what is told here; a folder that cannot be counted is named by
        our own next claim.
        """
        while self._used:
            self._used.popleft().release()
        if time.monotonic() - self._counted_s >= COUNT_EVERY_S:
            self._counted_s = time.monotonic()
            with suppress(OSError):
                self._folder.count()

    def _claim_and_download(self) -> None:
        idle_s = IDLE_FIRST_S
        try:
            while not self._leaving.is_set():
                self._tidy()
                claimed = self._host_trouble() or self._claim()
                if isinstance(claimed, ActiveChunk):
                    idle_s = IDLE_FIRST_S
                    self._active.set_state("working")
                    self._active.add(claimed)
                    self._download(claimed)
                else:
                    if not self._active.chunks:
                        self._active.set_state("idle", held_reason=self._hold.fault or claimed)
                    self._leaving.wait(idle_s * random.uniform(0.5, 1))
                    idle_s = min(idle_s * 2, IDLE_MOST_S)
        except BaseException as failure:  # noqa: BLE001 - handed to the main thread, which raises it
            self.failure = failure
            self._leaving.set()

    def _host_trouble(self) -> str:
        """Why nothing is to be claimed although the gate would allow it: this host could not hold the last
        images, or could not read them though others can.
        """
        error, since_s = self._disk_error
        if time.monotonic() - since_s < DISK_PAUSE_S:
            return f"temporary storage: {error}"
        return self._hold.reason

    def _download(self, chunk: ActiveChunk) -> None:
        images = chunk.claim.images
        if self._hold.on_trial and images:
            self._try_first(chunk)
            images = images[1:]
        for start in range(0, len(images), self._run_images):
            while not self._room.acquire(timeout=0.5):
                self._tidy()
                if self._leaving.is_set():
                    return
            self._tidy()
            if self._leaving.is_set() or chunk.over:
                self._room.release()
                return
            run = images[start : start + self._run_images]
            self._ready.put(ImageRun(chunk, self._pool.submit(self._fetch_run, chunk, run)))

    def _try_first(self, chunk: ActiveChunk) -> None:
        """One image before all others, of a host that could not read the last ones."""
        self._room.acquire()
        run = self._pool.submit(self._fetch_run, chunk, chunk.claim.images[:1])
        wait([run])
        if run.exception() is None:
            self._hold.clear()
        self._ready.put(ImageRun(chunk, run))

    def _fetch_run(self, chunk: ActiveChunk, images: tuple[QueuedImage, ...]) -> list[FetchedImage]:
        """Raises StorageError; OSError when the disk stays full. Then none of the run stays on disk."""
        fetched: list[FetchedImage] = []
        try:
            with chunk.trace.step("download", images=len(images)):
                for image in images:
                    before = fetched[-1] if fetched else None
                    if before and before.error is None and is_of_one_file(before.image, image):
                        before.file.share(1)
                        fetched.append(replace(before, image=image))
                    else:
                        fetched.append(self._fetch(chunk, image))
                        fetched += self._find_pages(fetched)
        except BaseException:
            discard(fetched)
            raise
        return fetched

    def _find_pages(self, fetched: list[FetchedImage]) -> list[FetchedImage]:
        """The other pages of the file that was fetched last, which becomes the first page, where nobody has
        looked into it yet.
        """
        last = fetched[-1]
        if last.error is not None or last.image.page is not None:
            return []
        pages = self._count_pages(last.path)
        if pages == 1:
            return []
        others = self._add_pages(last.chunk.claim, last.image, pages)
        last.file.share(len(others))
        self._active.add_pages(last.chunk, others)
        fetched[-1] = replace(last, image=replace(last.image, page=1))
        return [replace(last, image=image) for image in others]

    def _fetch(self, chunk: ActiveChunk, image: QueuedImage) -> FetchedImage:
        claim = chunk.claim
        suffix = os.path.splitext(image.name)[1]
        path = Path(f"{self._folder.path}/{claim.chunk}-{image.number}{suffix}")
        key = claim.key(image)
        deadline_s = time.monotonic() + DISK_PATIENCE_S
        while True:
            begun_s = time.monotonic()
            try:
                sha256 = chunk.storage.get(key, path)
                self._active.note_progress()
                self._trial.note_read(claim, key)
                return FetchedImage(chunk, image, LocalFile(path), sha256)
            except ImageMissing as missing:
                remove(path)
                return FetchedImage(
                    chunk, image, LocalFile(path), error=f"{type(missing).__name__}: {missing}"
                )
            except OSError as error:
                remove(path)
                if error.errno != errno.ENOSPC or time.monotonic() > deadline_s or self._leaving.is_set():
                    self._disk_error = (str(error), time.monotonic())
                    raise
                self._leaving.wait(0.5)
            except StorageError as error:
                remove(path)
                if self._trial.is_image_alone(chunk, key, begun_s):
                    return FetchedImage(chunk, image, LocalFile(path), error=f"ImageMissing: {error}")
                self._record_host_fault(chunk, str(error))
                raise

    def _record_host_fault(self, chunk: ActiveChunk, reason: str) -> None:
        """Hold back. The chunk is given back uncharged where anybody has read images of its source; where
        nobody has, it is at fault as far as one can know.
        """
        self._hold.hold(reason)
        if chunk.over:
            return
        if self._trial.is_known_good(chunk.claim):
            chunk.set_released(f"{HELD_BACK}{reason}")
        else:
            chunk.set_fault(reason)
