"""What every storage can do, and what can go wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.errors import WorkerError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jp2", ".j2k", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".heic", ".heif"}
    | {".avif", ".pdf"}
)
BLOCK_BYTES = 1 << 18  # read and written at once
LARGEST_IMAGE_BYTES = 64_000_000

Skip = Callable[[str], bool]


def nothing(path: str) -> bool:
    """Skips nothing."""
    return False


class StorageError(WorkerError):
    """The storage could not be reached, refused, or broke off; the message names it and what it said."""


class ImageMissing(StorageError):
    """The storage answered; the image is not there or cannot be had: its own fault, whoever asks for it."""


class ImageTooLarge(ImageMissing):
    """The image's file is larger than any that would be read."""


class OutsideStorage(ImageMissing):
    """A symbolic link leads out of the storage's folder."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory with images of its own: names sorted, those of sub-directories are not among them."""

    path: str  # below the storage's URL, "/" between parts, "" is the storage itself
    names: tuple[str, ...]


class Storage(Protocol):
    url: str

    unlisted: list[str]  # directories that could not be listed, with why

    @property
    def requests(self) -> int:
        """How many were made so far; for a folder the directories read and files opened."""

    def list_directories(self, skip: Skip = nothing) -> Iterator[Directory]:
        """Every directory that holds images, read one at a time, as they are found; those for which `skip` is
        true of their path are left out with all below them. One that cannot be listed is named in `unlisted`
        and passed over; where that is the storage itself, StorageError is raised.
        """

    def get(self, key: str, destination: Path) -> str:
        """Writes the image's bytes to the file, never more than the storage's bound; gives their SHA-256 in
        hexadecimal. Raises ImageMissing, StorageError; OSError where it is the destination that cannot be
        written, or this process that lacks something.
        """

    def put(self, folder: str, token: int, name: str, source: Path) -> str:
        """Keeps the file under folder and token, whole or not at all; gives the key that `finish` records."""

    def obstacle(self) -> str:
        """What is known to be in the way of any `put`, with what to do; "" also where that cannot be told."""

    def sweep(self, folder: str, keep: Collection[str]) -> int:
        """Deletes what was put under the folder except the files of these keys; how many."""

    def close(self) -> None: ...


def is_image(name: str) -> bool:
    dot = name.rfind(".")
    return dot > 0 and name[dot:].lower() in IMAGE_SUFFIXES
