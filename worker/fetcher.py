"""Claims chunks and downloads their images ahead of the recogniser, in a thread of its own.

The next chunk is claimed when the last image of the one before has been handed to the downloads, so that the
recogniser finds images ready across the border between two chunks.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from worker.hands import Hands, Work
from worker.jobqueue import Claim, QueuedImage
from worker.storage import ImageMissing, Storage

log = logging.getLogger(__name__)

DISK_PATIENCE_S = 30  # a full disk empties as others finish; then the chunk is given back
IDLE_FIRST_S, IDLE_MOST_S = 0.2, 5.0  # between two claims that found nothing


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image on disk, or why it cannot be had (`error`, a fault of the image)."""

    path: Path
    sha256: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An image of a chunk on its way to the recogniser."""

    work: Work
    image: QueuedImage
    fetched: Future[Fetched]

    @property
    def key(self) -> str:
        return f"{self.work.claim.chunk}.{self.work.claim.token}.{self.image.number}"


class Fetcher:
    """`claim` gives a chunk with its storage, or a sentence why there is none just now."""

    def __init__(
        self,
        claim: Callable[[], Work | str],
        hands: Hands,
        folder: Path,
        leaving: threading.Event,
        ahead_images: int,
        ahead_threads: int,
    ) -> None:
        self._claim = claim
        self._hands = hands
        self._folder = folder
        self._leaving = leaving
        self._room = threading.Semaphore(ahead_images)
        self._pool = ThreadPoolExecutor(ahead_threads, thread_name_prefix="download")
        self._ready: queue.Queue[Item | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="fetcher")
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait for the end of claiming and downloading; `leaving` must be set."""
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def next_item(self, timeout_s: float) -> Item | None:
        """The next image in order of claim; None when none came in time."""
        try:
            item = self._ready.get(timeout=timeout_s) if timeout_s else self._ready.get_nowait()
        except queue.Empty:
            return None
        self._room.release()
        return item

    def _run(self) -> None:
        idle_s = IDLE_FIRST_S
        try:
            while not self._leaving.is_set():
                claimed = self._claim()
                if isinstance(claimed, Work):
                    idle_s = IDLE_FIRST_S
                    self._hands.say("working")
                    self._hands.take(claimed)
                    self._download(claimed)
                else:
                    if not self._hands.works:
                        self._hands.say("idle", held_reason=claimed)
                    self._leaving.wait(idle_s * random.uniform(0.5, 1))
                    idle_s = min(idle_s * 2, IDLE_MOST_S)
        except BaseException as failure:  # noqa: BLE001 - handed to the main thread, which raises it
            self.failure = failure
            self._leaving.set()

    def _download(self, work: Work) -> None:
        for image in work.claim.images:
            while not self._room.acquire(timeout=0.5):
                if self._leaving.is_set():
                    return
            if self._leaving.is_set() or work.over:
                self._room.release()
                return
            path = self._folder / f"{work.claim.chunk}-{image.number}{Path(image.name).suffix}"
            future = self._pool.submit(self._fetch, work.storage, work.claim, image, path)
            self._ready.put(Item(work, image, future))

    def _fetch(self, storage: Storage, claim: Claim, image: QueuedImage, path: Path) -> Fetched:
        """Raises StorageError; OSError when the disk stays full."""
        deadline_s = time.monotonic() + DISK_PATIENCE_S
        while True:
            try:
                storage.get(claim.key(image), path)
                with path.open("rb") as content:
                    return Fetched(path, hashlib.file_digest(content, "sha256").hexdigest())
            except ImageMissing as missing:
                path.unlink(missing_ok=True)
                return Fetched(path, error=f"ImageMissing: {missing}")
            except OSError as error:
                path.unlink(missing_ok=True)
                if error.errno != errno.ENOSPC or time.monotonic() > deadline_s or self._leaving.is_set():
                    raise
                self._leaving.wait(0.5)
