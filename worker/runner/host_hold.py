"""Whether this worker's host can do what others can: a host that cannot holds itself back and charges nobody.

One image that cannot be had says nothing of whose fault that is: a share that is not mounted is an empty
folder, a key that is wrong refuses every blob. An image that was read before is asked for beside it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from worker.queue import Claim, QueueError
from worker.queue.policy import growing_pause_s
from worker.queue.statistics.figures import HELD_BACK
from worker.runner.active_chunks import ActiveChunk
from worker.storage import StorageError

OTHERS = 2  # further images of a chunk that are tried


class HostHold:
    """Growing pauses between faults of the host. After a pause one image is tried before anything else."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._lock = threading.Lock()
        self._faults = 0
        self._until_s = 0.0
        self._reason = ""

    def hold(self, reason: str) -> None:
        """One more fault of the host; of those during a pause the first counts."""
        with self._lock:
            now_s = time.monotonic()
            if now_s < self._until_s:
                return
            pause_s = growing_pause_s(self._first_s, self._faults + 1, self._most_s)
            self._faults += 1
            self._until_s = now_s + pause_s * random.uniform(0.8, 1)
            self._reason = reason

    def clear(self) -> None:
        """The host did what it could not do before."""
        with self._lock:
            self._faults, self._until_s, self._reason = 0, 0.0, ""

    @property
    def on_trial(self) -> bool:
        return self._faults > 0

    @property
    def fault(self) -> str:
        """What the host could not do last, until it can; empty where it is well."""
        return f"{HELD_BACK}{self._reason}" if self._faults else ""

    @property
    def reason(self) -> str:
        """Why nothing is to be claimed now; empty where something may be."""
        with self._lock:
            left_s = self._until_s - time.monotonic()
            return f"{HELD_BACK}{self._reason} (for {left_s:.0f} s more)" if left_s > 0 else ""


class StorageTrial:
    """Tells an image's own fault from the host's or the storage's. One image is looked into at a time."""

    def __init__(self, known_image: Callable[[Claim], str | None], folder: Path) -> None:
        """`known_image` gives the key of an image of the claim's source that anybody could read, if any."""
        self._known_image = known_image
        self._folder = folder
        self._lock = threading.Lock()
        self._good: dict[str, tuple[str, float]] = {}  # by source: a key that was read, and when last

    def note_read(self, claim: Claim, key: str) -> None:
        self._good[claim.source] = (key, time.monotonic())

    def is_image_alone(self, chunk: ActiveChunk, failed_key: str, begun_s: float) -> bool:
        """Whether others of its source can be read now; `begun_s` is when the failed one was asked for."""
        claim = chunk.claim
        with self._lock:
            good, read_s = self._good.get(claim.source, ("", 0.0))
            if read_s > begun_s:
                return True
            others = [claim.key(image) for image in (*claim.images[-1:], *claim.images[:OTHERS])]
            for key in dict.fromkeys((good, *others[:OTHERS])):
                if key and key != failed_key and not chunk.over and self._can_read(chunk, key):
                    return True
            return False

    def is_known_good(self, claim: Claim) -> bool:
        """Whether anybody has read an image of the claim's source: then the chunk is not at fault either."""
        if claim.source in self._good:
            return True
        try:
            return self._known_image(claim) is not None
        except QueueError:
            return True  # what cannot be asked is charged to nobody

    def _can_read(self, chunk: ActiveChunk, key: str) -> bool:
        path = self._folder / f"trial-{threading.get_ident()}"
        try:
            chunk.storage.get(key, path)
        except (StorageError, OSError):
            return False
        finally:
            path.unlink(missing_ok=True)
        self.note_read(chunk.claim, key)
        return True
