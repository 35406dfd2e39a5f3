"""What the downloads hand to the recogniser: images on disk, in runs; pages of a file share it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from worker.queue import Claim, QueuedImage
from worker.runner.active_chunks import ActiveChunk


class LocalFile:
    """A downloaded file, there until everyone who uses it has let go of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._users = 1
        self._lock = threading.Lock()

    def share(self, users: int) -> None:
        with self._lock:
            self._users += users

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            is_last = self._users == 0
        if is_last:
            remove(self.path)


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """An image on disk with its SHA-256, or why it cannot be had (`error`, a fault of the image). Pages of a
    file share it.
    """

    chunk: ActiveChunk
    image: QueuedImage
    file: LocalFile
    sha256: str = ""
    error: str | None = None

    @property
    def path(self) -> Path:
        return self.file.path


@dataclass(frozen=True, slots=True)
class Pages:
    """How many pages a file has, and how they become images of a claim (those after the first are given)."""

    count: Callable[[Path], int]
    add: Callable[[Claim, QueuedImage, int], tuple[QueuedImage, ...]]


@dataclass(frozen=True, slots=True)
class ImageRun:
    """Some images of a chunk on their way to the recogniser, in order."""

    chunk: ActiveChunk
    fetched: Future[list[FetchedImage]]


def is_of_one_file(image: QueuedImage, other: QueuedImage) -> bool:
    return image.name == other.name and None not in (image.page, other.page)


def discard(fetched: Iterable[FetchedImage]) -> None:
    """Remove the files of images that are not needed any more."""
    for one in fetched:
        one.file.release()


def remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
