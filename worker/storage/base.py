"""What every storage can do, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.errors import WorkerError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".heic", ".heif"}
)
BLOCK_BYTES = 1 << 18  # read and written at once


class StorageError(WorkerError):
    """The storage could not be reached, refused, or broke off; the message names it and what it said."""


class ImageMissing(StorageError):
    """The storage answered; the image is not there or cannot be read: its own fault, not the storage's."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory with images of its own: names sorted, those of sub-directories are not among them."""

    path: str  # below the storage's URL, "/" between parts, "" is the storage itself
    names: tuple[str, ...]


class Storage(Protocol):
    url: str

    @property
    def requests(self) -> int:
        """How many were made so far; for a folder the directories read and files opened."""

    def list_directories(self, skip: str | None = None) -> Iterator[Directory]:
        """Every directory that holds images, read one at a time, as they are found; `skip` is left out with
        all below it. Raises StorageError.
        """

    def get(self, key: str, destination: Path) -> str:
        """Writes the image's bytes to the file; gives their SHA-256 in hexadecimal. Raises ImageMissing,
        StorageError; OSError where it is the destination that cannot be written.
        """

    def put(self, folder: str, token: int, name: str, source: Path) -> str:
        """Keeps the file under folder and token, whole or not at all; gives the key that `finish` records."""

    def sweep(self, folder: str, keep: str | None) -> int:
        """Deletes what was put under the folder except the file of that key; how many."""

    def close(self) -> None: ...


def is_image(name: str) -> bool:
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in IMAGE_SUFFIXES
